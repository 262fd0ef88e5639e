import { InvalidArgumentError } from "commander";

import type { RunnerPolicy } from "../catalog/runner-resolution.js";
import type { InstallMethod } from "../schema/backend.js";
import type { RunnerPlatform } from "../schema/runner.js";

export const planFormats = ["text", "json", "html"] as const;

export const needFormats = ["table", "json", "names"] as const;

export const bundlePlatforms = ["linux/amd64", "linux/arm64", "all"] as const;

export const runnerFormats = ["table", "json", "yaml", "names"] as const;

export const buildFormats = ["table", "json"] as const;

export const benchFormats = ["table", "json"] as const;

export const outdatedFormats = ["table", "json"] as const;

export const runnerPlatforms = ["linux/amd64", "linux/arm64"] as const satisfies readonly RunnerPlatform[];

export const runnerPolicies = ["newestRuntime", "newestService"] as const satisfies readonly RunnerPolicy[];

/** What is there to be looked up; an administrator's executable is not. */
export const pinnedMethods = ["binary", "pipx", "image"] as const satisfies readonly InstallMethod[];

/** What options hold, read from what was written. */
export function parseCount(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("expected a whole number");
}

export function parseSize(text: string): number {
  const count = parseCount(text);
  if (count > 0) return count;
  throw new InvalidArgumentError("expected a whole number above 0");
}

export function parsePart(text: string): number {
  if (/^\d*\.?\d+$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError("expected a positive number");
}

export function parseSplit(text: string): number[] {
  return text.split(",").map(parsePart);
}

/** `1,4,16`. */
export function parseConcurrency(text: string): number[] {
  const counts = text.split(",").map(parseSize);
  if (counts.length <= 16 && counts.every((count) => count <= 1024)) return counts;
  throw new InvalidArgumentError("expected at most 16 numbers up to 1024");
}

export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
