/** Which records made a lock what it is, one after the other. Pure. */
import type { PromotionRecord } from "../schema/promotion.js";

interface Step {
  readonly record: PromotionRecord;
  /** Among all records, by time. */
  readonly position: number;
}

/**
 * The records that took effect, the oldest first: the one that wrote the lock as it is now, the one that wrote what that
 * one found, and so on. Times only choose between several that fit. Where none fits, the lock was changed without a
 * record, and what was there before that counts too.
 *
 * @param records of one environment, by time
 * @param lockNow digest of what is promotable in its lock; undefined when there is none
 */
export function chainOf(records: readonly PromotionRecord[], lockNow: string | undefined): PromotionRecord[] {
  const left = new Set(records.map((record, position): Step => ({ record, position })));
  const chain: Step[] = [];
  let lock = lockNow;
  for (;;) {
    const step = stepBefore([...left], chain, lock);
    if (step === undefined) return chain.reverse().map(({ record }) => record);
    left.delete(step);
    chain.push(step);
    lock = step.record.releaseBefore;
  }
}

/** The record that made the lock so, or else the last one before somebody made it so without a record. */
function stepBefore(left: readonly Step[], chain: readonly Step[], lock: string | undefined): Step | undefined {
  const end = chain.at(-1)?.position ?? Infinity;
  const earlier = left.filter(({ position }) => position < end);
  const madeIt = ({ record }: Step) => record.releaseAfter === lock;
  return (
    earlier.findLast(madeIt) ??
    left.findLast((step) => madeIt(step) && !wasKilled(step, chain)) ??
    lastBeforeGap(earlier, lock)
  );
}

/** A record that found what the lock was at its time, and that is no part of the chain after it, left the lock so. */
function wasKilled({ record, position }: Step, chain: readonly Step[]): boolean {
  const last = chain.find((step) => step.position < position);
  return last?.record.releaseAfter === record.releaseBefore;
}

/** Whatever began with this lock was killed, was given up when branches were merged, or was set back. */
function lastBeforeGap(earlier: readonly Step[], lock: string | undefined): Step | undefined {
  const known = earlier.findIndex(({ record }) => record.releaseBefore === lock);
  return earlier.slice(0, known < 0 ? undefined : known).at(-1);
}
