import { lookUp } from "../lib/record.js";
import type { BundleChange } from "../lock/promotion.js";
import type { DeploymentEvidence } from "../schema/evidence.js";
import type { LockFile, Promotable } from "../schema/lock.js";
import { plainTable } from "./table.js";

/** The three things that a promotion brings together. */
export interface Comparison {
  readonly from: string;
  readonly to: string;
  readonly source: Promotable;
  /** The target's lock; undefined when it has none yet. */
  readonly target: LockFile | undefined;
  /** How the target's own deployments are; undefined where nobody has looked. */
  readonly live: Readonly<Record<string, DeploymentEvidence>> | undefined;
  readonly changes: readonly BundleChange[];
}

const signs: Readonly<Record<BundleChange["change"], string>> = { added: "+", changed: "~", removed: "-", same: "=" };

/** A row for each deployment: what it is in the source, in the target's lock, and on the target's hosts. */
export function formatComparison(comparison: Comparison): string {
  const { from, to, source, target, live, changes } = comparison;
  const rows = changes.map(({ part, name, change }) => [
    signs[change],
    part === "release" ? name : `preload ${name}`,
    describe(source, part, name),
    target === undefined ? "-" : describe(target, part, name),
    ...(live === undefined ? [] : [part === "release" ? describeLive(lookUp(live, name)) : "-"]),
  ]);
  if (rows.length === 0) return `neither ${from} nor ${to} has deployments`;
  const seen = live === undefined ? [] : [`LIVE IN ${to}`];
  return plainTable(["", "DEPLOYMENT", `IN ${from}`, `LOCK OF ${to}`, ...seen], rows);
}

function describe(promotable: Promotable, part: BundleChange["part"], name: string): string {
  if (part === "preload") {
    const ready = lookUp(promotable.preload ?? {}, name);
    if (ready === undefined) return "-";
    return ready.engine === undefined ? "a model" : `${ready.engine.backend} ${ready.engine.backendVersion}`;
  }
  const release = lookUp(promotable.release, name);
  if (release === undefined) return "-";
  return `${release.backend} ${release.backendVersion}, ${release.id.slice(0, 7)}`;
}

function describeLive(found: DeploymentEvidence | undefined): string {
  if (found === undefined) return "not there";
  return found.applied && found.healthy ? "as its lock says" : found.failed.join("\n");
}
