/** Which bundles an environment gets from another one's lock. Pure. */
import { nearestNames } from "../catalog/nearest.js";
import { digest } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { lookUp, mapValues } from "../lib/record.js";
import type { Promotable } from "../schema/lock.js";

/** What happens to a deployment's bundle, or to something that lies ready. */
export interface BundleChange {
  readonly part: "release" | "preload";
  readonly name: string;
  readonly change: "added" | "changed" | "removed" | "same";
  /** Id of what it has afterwards; null when it is gone. */
  readonly bundle: string | null;
  /** Id of what it had before; null when it was not there. */
  readonly previous: string | null;
}

/** What is promotable in a lock afterwards, and how that differs from before. */
export interface Move {
  readonly promotable: Promotable;
  /** By part and name, also of what stays the same. */
  readonly changes: readonly BundleChange[];
}

export interface MoveProblem {
  readonly source: Promotable;
  /** Undefined when the environment has no lock yet. */
  readonly target: Promotable | undefined;
  /** Move these deployments alone, and nothing that lies ready; one that the source does not have is taken away. */
  readonly only?: readonly string[] | undefined;
}

/** @throws BerthError `usage` for a deployment that neither has */
export function moveBundles({ source, target, only }: MoveProblem): Move {
  if (only === undefined) return compareBundles(target, source);
  const known = [...new Set([...Object.keys(source.release), ...Object.keys(target?.release ?? {})])].sort();
  const unknown = only.find((name) => !known.includes(name));
  if (unknown !== undefined) throw unknownDeployment(unknown, known);
  const kept = Object.entries(target?.release ?? {}).filter(([name]) => !only.includes(name));
  const moved = Object.entries(source.release).filter(([name]) => only.includes(name));
  return compareBundles(target, { ...target, release: Object.fromEntries([...kept, ...moved]) });
}

/** Digest of all that is promotable in a lock: equal where everything deployed and ready is. */
export function promotableDigest(lock: Promotable): string {
  return digest({ ...promotablePart(lock) });
}

/** How what is promotable differs from what it was before. */
export function compareBundles(before: Promotable | undefined, after: Promotable): Move {
  const bundles = (lock: Promotable | undefined) => mapValues(lock?.release ?? {}, ({ id }) => id);
  const ready = (lock: Promotable | undefined) => mapValues(lock?.preload ?? {}, digest);
  return {
    promotable: promotablePart(after),
    changes: [
      ...compareIds("release", bundles(before), bundles(after)),
      ...compareIds("preload", ready(before), ready(after)),
    ],
  };
}

/** Nothing that lies ready is the same as no such part. */
function promotablePart({ release, preload = {} }: Promotable): Promotable {
  return { release, ...(Object.keys(preload).length === 0 ? {} : { preload }) };
}

function compareIds(
  part: BundleChange["part"],
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): BundleChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.map((name) => {
    const previous = lookUp(before, name) ?? null;
    const bundle = lookUp(after, name) ?? null;
    return { part, name, change: changeOf(previous, bundle), bundle, previous };
  });
}

function changeOf(previous: string | null, bundle: string | null): BundleChange["change"] {
  if (previous === bundle) return "same";
  if (previous === null) return "added";
  return bundle === null ? "removed" : "changed";
}

function unknownDeployment(name: string, known: readonly string[]): BerthError {
  const [nearest] = nearestNames(name, known);
  return new BerthError("usage", {
    what: "no such deployment, here or there",
    got: name,
    expected: known.length === 0 ? "none: neither has deployments" : known.join(" or "),
    ...(nearest === undefined ? {} : { hint: `is ${nearest} meant?` }),
  });
}
