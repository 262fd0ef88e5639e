import { cpus, platform, release, totalmem } from "node:os";

/** What a benchmark's figures depend on. */
export function describeMachine() {
  const processors = cpus();
  return {
    os: `${platform()} ${release()}`,
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memoryGiB: round(totalmem() / 2 ** 30, 0),
    node: process.versions.node,
  };
}

/** @param {readonly number[]} values */
export function summarise(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
  return { min: round(sorted[0]), median: round(median), max: round(sorted.at(-1)) };
}

export function round(value, digits = 2) {
  return Number(value.toFixed(digits));
}
