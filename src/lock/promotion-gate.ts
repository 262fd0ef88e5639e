/** Whether bundles have shown what they have to. Pure. */
import { digest } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { formatSeconds } from "../lib/format.js";
import { lookUp } from "../lib/record.js";
import type { Evidence } from "../schema/evidence.js";
import type { Gates } from "../schema/gates.js";
import type { BundleChange } from "./promotion.js";

export interface GateProblem {
  readonly evidence: Evidence;
  /** The environment that they come from, and its gates. */
  readonly from: string;
  readonly gates: Gates;
  readonly changes: readonly BundleChange[];
  /** Id of the lock that they come from. */
  readonly lock: string;
  readonly now: Date;
  /** What else is not as it has to be, one sentence each. */
  readonly reasons?: readonly string[];
}

/**
 * @throws BerthError `evidence-foreign` for evidence of something else; `evidence-expired` for what is too old; `gate-failed` with what was not shown, of all
 * bundles that would move
 */
export function assertShown({ evidence, from, gates, changes, lock, now, reasons = [] }: GateProblem): void {
  if (evidence.environment !== from) throw foreign("another environment", evidence.environment, from);
  if (evidence.gates !== digest(gates))
    throw foreign("other gates", `gates ${evidence.gates.slice(0, 12)}`, `gates ${digest(gates).slice(0, 12)}`);
  if (evidence.lock !== lock)
    throw foreign("another lock", `lock ${evidence.lock.slice(0, 7)}`, `lock ${lock.slice(0, 7)}`);
  assertRecent(evidence, gates, now);
  const moved = changes.flatMap(({ part, name, change, bundle }) =>
    part === "release" && bundle !== null && change !== "same" ? [{ name, bundle }] : [],
  );
  const failures = moved.flatMap(({ name, bundle }) => {
    const found = lookUp(evidence.deployments, name);
    if (found === undefined) throw foreign(`other deployments than ${name}`, "nothing of it", bundle.slice(0, 12));
    if (found.bundle !== bundle)
      throw foreign(`another bundle of ${name}`, found.bundle.slice(0, 12), bundle.slice(0, 12));
    return found.failed.map((sentence) => `${name}: ${sentence}`);
  });
  failures.push(...reasons);
  if (failures.length === 0) return;
  throw new BerthError("gate-failed", {
    where: from,
    what: "what would be promoted has not shown what it has to",
    detail: failures.join("\n"),
    hint: `mend it there, \`berth verify ${from}\` shows the same, and promote again`,
  });
}

const defaultAgeSeconds = 24 * 3600;
/** So much clocks of machines may differ. */
const clockSeconds = 300;

function assertRecent({ at }: Evidence, { maxEvidenceAge = defaultAgeSeconds }: Gates, now: Date): void {
  const ageSeconds = (now.getTime() - new Date(at).getTime()) / 1000;
  if (ageSeconds <= maxEvidenceAge && ageSeconds >= -clockSeconds) return;
  throw new BerthError("evidence-expired", {
    what: ageSeconds < 0 ? "the evidence is of a time to come: a clock is wrong" : "the evidence is too old",
    got: `evidence of ${at}, and it is ${now.toISOString()}`,
    expected: `at most ${formatSeconds(maxEvidenceAge)} before (maxEvidenceAge)`,
    hint: "gather it anew: `berth verify`, or promote without --evidence",
  });
}

function foreign(of: string, got: string, expected: string): BerthError {
  return new BerthError("evidence-foreign", {
    what: `the evidence is of ${of}`,
    got,
    expected,
    hint: "gather it anew: `berth verify`, or promote without --evidence",
  });
}
