/** Which versions of Python a package works with: one grammar for backend files, locks and hosts. Pure. */
import semver from "semver";
import { z } from "zod";

/** One comparison. All of a range must hold. */
export interface PythonComparison {
  /** As semver has it. */
  readonly range: string;
  /** False for a comparison by `!=`. */
  readonly holds: boolean;
}

/** Signs of Python's own constraints, as ranges have them. */
const signs: Readonly<Record<string, string>> = { "==": "", "===": "", "!=": "" };

/**
 * Comparisons that must all hold, with commas or blanks between them: `>=3.10 <3.13`, `>=3.9,!=3.11.*`, `~=3.10`,
 * `3.12.x`. A shorter version stands for all of its releases: 3.12.5 is `<=3.12`, and is not `>3.12`. Undefined for a text
 * that is none.
 */
export function parsePythonRange(text: string): PythonComparison[] | undefined {
  const parts = text.replaceAll(/(?<=[<>=!~^])\s+/g, "").split(/[\s,]+/);
  const comparisons = parts.filter(Boolean).map(parseComparison);
  return comparisons.every((comparison) => comparison !== undefined) ? comparisons : undefined;
}

function parseComparison(part: string): PythonComparison | undefined {
  const [, operator = "", version] = /^(===?|!=|~=|[<>]=?|[=^~]?)(\d+(?:\.\d+)*(?:\.[*x])?|\*)$/.exec(part) ?? [];
  // In Python's own way, `~=3.10` is any 3 from there on, and `~=3.10.2` any 3.10.
  const compatible = version?.split(".").length === 2 ? "^" : "~";
  const sign = operator === "~=" ? compatible : (signs[operator] ?? operator);
  const range = version === undefined ? null : semver.validRange(`${sign}${version}`);
  return range === null ? undefined : { range, holds: operator !== "!=" };
}

/** Whether a range takes a Python. Previews count as what they preview. */
export function takesPython(range: readonly PythonComparison[], version: string): boolean {
  const release = semver.coerce(version);
  return release !== null && range.every((one) => semver.satisfies(release, one.range) === one.holds);
}

/** Whether a range takes some release of a minor version, such as `3.12`. */
export function takesSomeOf(range: readonly PythonComparison[], minor: string): boolean {
  const wanted = range.filter(({ holds }) => holds).map((one) => one.range);
  const refused = range.filter(({ holds }) => !holds).map((one) => one.range);
  const left = [...wanted, `${minor}.x`].join(" ");
  return semver.intersects(left, "*") && !refused.some((one) => semver.subset(left, one));
}

export const pythonRange = z
  .string()
  .refine((text) => text.trim() !== "" && parsePythonRange(text) !== undefined, {
    error: "expected comparisons with Python versions, such as >=3.10 <3.13",
  })
  .describe("Python versions, as comparisons that must all hold: >=3.10 <3.13, ~=3.11, 3.12.x");
