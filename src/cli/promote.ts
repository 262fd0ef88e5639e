import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

import { BerthError, messageOf } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { checkArtifacts, refuseFindings } from "../lock/artifact-check.js";
import { assertFiles } from "../lock/kept-files.js";
import { readEnvironments } from "../lock/project.js";
import { findUnsettled } from "../lock/moved-away.js";
import { moveBundles, type Move } from "../lock/promotion.js";
import { assertShown } from "../lock/promotion-gate.js";
import { checkOrder } from "../lock/promotion-order.js";
import { compareLocks } from "../lock/release-difference.js";
import type { Difference } from "../lock/value-difference.js";
import { desiredStack } from "../planner/desired.js";
import { parseEvidence, type Evidence } from "../schema/evidence.js";
import type { LockFile, Promotable } from "../schema/lock.js";
import { differenceTable } from "./diff.js";
import { expectEnvironmentLock } from "./environment-lock.js";
import { readGates } from "./gates.js";
import { assertStack } from "./known-stacks.js";
import { openLock } from "./lock.js";
import { askGit, findLock, solveTarget, withExitCode, writeMove, type FoundLock } from "./promotion-target.js";
import { formatComparison } from "./promotion-text.js";
import { lookAtStack, type Onlooker, type Subject } from "./stack-evidence.js";
import { readState } from "./state.js";
import { openPulumi, type Workplace } from "./workplace.js";

export interface PromoteOptions {
  /** These deployments alone. */
  only?: string[];
  /** Do all but write. */
  dryRun?: boolean;
  /** Tell whether something would move, by the exit code 2; ask nobody. */
  check?: boolean;
  json?: boolean;
  /** A file that `berth verify` has written, instead of asking the source now. */
  evidence?: string;
  /** Do not ask whether artifacts can still be had. */
  offline?: boolean;
  /** Promote what was pinned though a tag or revision means something else now. */
  acceptMoved?: boolean;
  /** Leave an environment out. */
  force?: boolean;
  /** Why; with `force`. */
  reason?: string;
}

const changesPending = 2;

/** What a promotion has found out. */
interface Promotion {
  readonly from: string;
  readonly to: string;
  readonly source: LockFile;
  readonly target: FoundLock;
  readonly move: Move;
  /** Deployments that the target's stack file does not have. */
  readonly leftOut: readonly string[];
  readonly forced: readonly string[];
}

/**
 * Moves what is applied, healthy and verified in one environment into the lock of the next, and solves its placement
 * there. Changes no host.
 *
 * @returns 0 done, or nothing to do; 2 with `check` when something would move; 3 a gate failed; 4 it cannot be there; 5
 * somebody else changed the lock
 */
export function promote(
  workplace: Workplace,
  from: string,
  to: string,
  options: PromoteOptions,
  signal: AbortSignal,
): Promise<number> {
  return withExitCode(workplace, options.json === true, async () => {
    const promotion = await prepare(workplace, from, to, options);
    const { move, target } = promotion;
    for (const name of promotion.leftOut)
      workplace.note(`${name}: left out, because the stack file of ${to} does not have it`);
    const hasChanges = move.changes.some(({ change }) => change !== "same");
    if (options.check === true) {
      workplace.print(tell({ ...promotion, live: undefined, outcome: hasChanges ? "pending" : "unchanged" }, options));
      return hasChanges ? changesPending : 0;
    }
    if (!hasChanges) {
      workplace.print(tell({ ...promotion, live: undefined, outcome: "unchanged" }, options));
      return 0;
    }
    const pulumi = await openPulumi(workplace);
    const look = { workplace, pulumi, signal };
    const evidence = await assertVerified(look, promotion, options);
    await assertArtifacts(workplace, promotion, options);
    signal.throwIfAborted();
    const { lock, warnings } = await solveTarget(workplace, to, move.promotable);
    for (const warning of warnings) workplace.note(`warning: ${warning}`);
    const live =
      target.lock === undefined
        ? {}
        : (await lookAtStack(look, { environment: to, lock: target.lock, gates: {} })).deployments;
    signal.throwIfAborted();
    const writing = { lock, live, evidence, options };
    const record = options.dryRun === true ? undefined : await write(workplace, promotion, writing);
    const outcome = record === undefined ? "possible" : "promoted";
    workplace.print(tell({ ...promotion, live, lock, outcome, ...(record === undefined ? {} : { record }) }, options));
    return 0;
  });
}

async function assertVerified(
  look: Onlooker,
  { from, source, move: { changes }, move }: Promotion,
  options: PromoteOptions,
): Promise<Evidence> {
  const { workplace, pulumi } = look;
  const gates = readGates(workplace.root, from);
  const subject = { environment: from, lock: source, gates, ...moved(move) };
  const evidence = await findEvidence(look, subject, options.evidence);
  const isSimple = changes.every(
    ({ part, change }) => change === "same" || (part === "release" && change !== "removed"),
  );
  const reasons = isSimple
    ? []
    : findUnsettled(changes, desiredStack(source, workplace.root), await readState(pulumi, from));
  assertShown({ evidence, from, gates, changes, lock: source.id, now: new Date(), reasons });
  return evidence;
}

async function prepare(workplace: Workplace, from: string, to: string, options: PromoteOptions): Promise<Promotion> {
  const { root } = workplace;
  for (const environment of [from, to]) await assertStack(root, environment);
  const reason = options.force === true ? options.reason : undefined;
  if (options.force === true && (reason ?? "").trim() === "")
    throw new BerthError("usage", { what: "--force needs a --reason, which is written down" });
  const { by } = await askGit(root);
  const forced = checkOrder({ file: readEnvironments(root), from, to, email: by?.email, reason });
  const { lock: source = await expectEnvironmentLock(root, from) } = await findLock(workplace, from);
  const target = await findLock(workplace, to);
  const { project } = openLock(workplace, to, { promoted: source });
  const declared = (part: Promotable) => keep(part, project.stack);
  const move = moveBundles({ source: declared(source), target: target.lock, only: options.only });
  const leftOut = Object.keys(source.release).filter((name) => lookUp(project.stack.deployments, name) === undefined);
  return { from, to, source, target, move, leftOut, forced };
}

/** An environment has what its stack file names. */
function keep({ release, preload = {} }: Promotable, stack: { deployments: object; preload: object }): Promotable {
  const named = <T>(part: Readonly<Record<string, T>>, names: object) =>
    Object.fromEntries(Object.entries(part).filter(([name]) => Object.hasOwn(names, name)));
  return { release: named(release, stack.deployments), preload: named(preload, stack.preload) };
}

function moved({ changes }: Move): { only: string[] } {
  return {
    only: changes.flatMap(({ part, name, change, bundle }) =>
      part === "release" && bundle !== null && change !== "same" ? [name] : [],
    ),
  };
}

async function findEvidence(look: Onlooker, subject: Subject, file: string | undefined): Promise<Evidence> {
  if (file === undefined) return lookAtStack(look, subject);
  const path = resolve(file);
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new BerthError("evidence-invalid", {
      where: file,
      what: "the evidence cannot be read",
      got: messageOf(error),
    });
  });
  return parseEvidence(text, file);
}

async function assertArtifacts(
  workplace: Workplace,
  { to, move }: Promotion,
  { offline, acceptMoved }: PromoteOptions,
): Promise<void> {
  const { project, edges } = openLock(workplace, to, { promoted: move.promotable });
  const { only } = moved(move);
  const release = Object.fromEntries(Object.entries(move.promotable.release).filter(([name]) => only.includes(name)));
  await assertFiles({ release }, edges.readContent);
  if (offline === true) return;
  const tokenOf = (name: string) => {
    const model = lookUp(project.stack.deployments, name)?.model;
    return model?.source === "huggingface" ? model.token?.secret : undefined;
  };
  refuseFindings(
    await checkArtifacts({ release, mirrors: project.stack.mirrors, tokenOf }, edges),
    acceptMoved === true,
  );
}

interface WritingPromotion {
  readonly lock: LockFile;
  readonly live: Evidence["deployments"];
  /** What it relies on. */
  readonly evidence: Evidence;
  readonly options: PromoteOptions;
}

async function write(
  workplace: Workplace,
  { from, to, target, forced }: Promotion,
  { lock, live, evidence, options }: WritingPromotion,
): Promise<string> {
  const applied = Object.entries(live).filter(([, found]) => found.applied && found.healthy);
  return writeMove(workplace, {
    ...{ kind: "promotion", from, to, before: target, lock, evidence },
    forced: [
      ...forced,
      ...(options.acceptMoved === true ? ["names that were moved were accepted"] : []),
      ...(options.offline === true ? ["whether artifacts can still be had was not asked"] : []),
      ...(options.evidence === undefined ? [] : ["evidence was read from a file, and not gathered then"]),
    ],
    ...(options.reason === undefined ? {} : { reason: options.reason }),
    applied: new Set(applied.map(([name]) => name)),
  });
}

interface Told extends Promotion {
  readonly live: Evidence["deployments"] | undefined;
  /** The lock that the target would have. */
  readonly lock?: LockFile;
  readonly outcome: "unchanged" | "pending" | "possible" | "promoted";
  readonly record?: string;
}

function tell(told: Told, { json }: PromoteOptions): string {
  const { from, to, source, target, move, live, lock, outcome, record } = told;
  const environment =
    target.lock === undefined || lock === undefined ? [] : compareLocks(target.lock, lock).environment;
  if (json === true) {
    const { changes } = move;
    const seen = { ...(lock === undefined ? {} : { environment }), ...(record === undefined ? {} : { record }) };
    return JSON.stringify({ outcome, from, to, changes, ...seen }, undefined, 2);
  }
  const table = formatComparison({ from, to, source, target: target.lock, live, changes: move.changes });
  const ends: Record<Told["outcome"], string> = {
    unchanged: `nothing to do: ${to} has what ${from} has`,
    pending: `${to} has not what ${from} has; nothing was asked or changed`,
    possible: "all of it may go on; nothing was written (--dry-run)",
    promoted: `${target.shownPath} was written, ${record ?? ""} tells of it. \`pulumi up --stack ${to}\` executes it`,
  };
  return [table, ...tellEnvironment(to, environment), ends[outcome]].join("\n");
}

/** What of the environment's own its stack files have changed meanwhile, and goes along. */
export function tellEnvironment(environment: string, differences: readonly Difference[]): string[] {
  const table = differenceTable(["before", "after"], differences);
  return table === undefined ? [] : [`of ${environment} itself changes with it:`, table];
}
