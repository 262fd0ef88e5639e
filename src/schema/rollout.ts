import { z } from "zod";

import { duration } from "./scalars.js";

const most = 100_000;

const waveRule = { error: 'expected a number of hosts, such as 1, or a percentage of them, such as "10%"' };

const wave = z
  .union([z.int().min(1).max(most), z.string().regex(/^(?:[1-9]\d?|100)%$/, waveRule)], waveRule)
  .describe("So many hosts, or such a part of them, counted from the first");

/** Where a wave ends: after so many hosts, or after so many percent of them, rounded up. */
export type Wave = z.output<typeof wave>;

/** Numbers and percentages grow each by themselves; how they mix depends on how many hosts there are. */
function grows(waves: readonly Wave[]): boolean {
  const isGrowing = (ends: readonly number[]) =>
    ends.every((end, index) => index === 0 || end > (ends[index - 1] ?? 0));
  const numbers = waves.filter((end) => typeof end === "number");
  const percentages = waves.filter((end) => typeof end === "string").map((end) => Number.parseInt(end, 10));
  return isGrowing(numbers) && isGrowing(percentages);
}

export const rolloutEntry = z
  .strictObject({
    waves: z
      .array(wave)
      .min(1)
      .refine(grows, { error: "expected waves that grow: each counts the hosts of those before it too" })
      .describe(
        'Hosts that have instances, in the order of their names: `[1, "10%", "100%"]` changes one, then goes on to a tenth of them, then to all. What is left comes last',
      ),
    pause: duration
      .default(0)
      .describe(
        "How long a wave waits after the last change of those before it, which must still be healthy then. Default 0s",
      ),
    maxFailures: z
      .int()
      .min(0)
      .max(most)
      .default(0)
      .describe(
        "So many instances may fail without stopping what comes after them; the `up` fails all the same. Default 0",
      ),
  })
  .describe("In which order hosts change: a wave begins when all instances of those before it are verified");

export type RolloutEntry = z.output<typeof rolloutEntry>;
