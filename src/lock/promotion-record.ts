/** What is written down of a promotion or a rollback. Pure. */
import { lookUp } from "../lib/record.js";
import type { Promotable } from "../schema/lock.js";
import { sealPromotion, type MovedBundle, type MovedPreload, type PromotionRecord } from "../schema/promotion.js";
import { compareBundles, promotableDigest, type BundleChange } from "./promotion.js";

type Circumstances = Pick<
  PromotionRecord,
  "kind" | "by" | "from" | "to" | "commit" | "dirty" | "reason" | "forced" | "evidence"
>;

export interface RecordProblem extends Circumstances {
  readonly at: Date;
  /** What is promotable in the lock as it is; undefined when the environment has none. */
  readonly before: Promotable | undefined;
  /** What is promotable in the lock as it will be. */
  readonly after: Promotable;
  /** The deployments whose present bundles are applied and healthy in the environment. */
  readonly applied: ReadonlySet<string>;
}

/** The record of a move; undefined when nothing changes. It is to be written before the lock. */
export function recordMove({ at, before, after, applied, ...rest }: RecordProblem): PromotionRecord | undefined {
  const changes = compareBundles(before, after).changes.filter(({ change }) => change !== "same");
  if (changes.length === 0) return undefined;
  const bundles = changes.filter(({ part }) => part === "release");
  const ready = changes.filter(({ part }) => part === "preload");
  return sealPromotion({
    recordVersion: 1,
    at: at.toISOString(),
    ...rest,
    ...(before === undefined ? {} : { releaseBefore: promotableDigest(before) }),
    releaseAfter: promotableDigest(after),
    bundles: Object.fromEntries(
      bundles.map((change): [string, MovedBundle] => {
        const previousApplied = change.previous !== null && applied.has(change.name);
        return [change.name, { ...movedOf(change, before?.release, after.release), previousApplied }];
      }),
    ),
    ...(ready.length === 0
      ? {}
      : {
          preload: Object.fromEntries(
            ready.map((change): [string, MovedPreload] => [
              change.name,
              movedOf(change, before?.preload, after.preload),
            ]),
          ),
        }),
  });
}

function movedOf<Content>(
  { name, bundle, previous }: BundleChange,
  before: Readonly<Record<string, Content>> = {},
  after: Readonly<Record<string, Content>> = {},
) {
  const release = lookUp(after, name);
  const previousRelease = lookUp(before, name);
  return {
    ...{ bundle, previous },
    ...(release === undefined ? {} : { release }),
    ...(previousRelease === undefined ? {} : { previousRelease }),
  };
}

/** `20261122T150405Z-0123456789ab.json`: its time, and the beginning of the digest of what is released after it. */
export function recordName({ at, releaseAfter }: Pick<PromotionRecord, "at" | "releaseAfter">): string {
  const time = at.replace(/\.\d+Z$/, "Z").replaceAll(/[-:]/g, "");
  return `${time}-${releaseAfter.slice(0, 12)}.json`;
}

/** By time, the oldest first; by all of them where their times are the same. */
export function compareRecords(one: PromotionRecord, other: PromotionRecord): number {
  if (one.at !== other.at) return one.at < other.at ? -1 : 1;
  return one.digest < other.digest ? -1 : one.digest > other.digest ? 1 : 0;
}
