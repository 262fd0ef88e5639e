/** Statistics of what was measured. Pure. */
import type { Distribution } from "../schema/bench.js";

/** The least of some figures that so large a part of them does not exceed, from above 0 to 1; undefined of none. */
export function percentileOf(figures: readonly number[], part: number): number | undefined {
  const sorted = figures.toSorted((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(part * sorted.length)) - 1];
}

/** Of no figures there is none. */
export function distributionOf(figures: readonly number[]): Distribution | undefined {
  const at = (part: number) => rounded(percentileOf(figures, part) ?? 0);
  if (figures.length === 0) return undefined;
  const mean = figures.reduce((sum, figure) => sum + figure / figures.length, 0);
  return { mean: rounded(mean), p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

/** To thousandths: milliseconds of seconds. */
export function rounded(figure: number): number {
  return Math.round(figure * 1000) / 1000;
}
