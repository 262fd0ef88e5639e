import { compare as comparePep440, explain } from "@renovatebot/pep440";

import { BerthError } from "../lib/errors.js";
import { isPrerelease, sameVersion, withoutV, type Comparison, type Constraint } from "../schema/version-constraint.js";

/**
 * Which of two versions is the later one: negative, 0 or positive, as `sort` wants it. A total order, and 0 only for
 * the {@link sameVersion}. There are three kinds of versions, each of which sorts before the next:
 *
 * 1. names, such as `b11434` or `0.19.0-custom`: by their text, in which runs of digits count as numbers;
 * 2. release numbers as PEP 440 has them: `1.0.dev1 < 1.0a1 < 1.0rc1 < 1.0 < 1.0+cu128 < 1.0.post1`;
 * 3. with a `buildNumber`, what that matches: by the build number, so of `llama-cpp` the wheel `2026.10.11549`
 *    (year.month.build) is later than the release `b11434`.
 *
 * Versions of one kind that count the same (`1.0` and `1.0.0`, the wheel and the release of one build) sort as names.
 *
 * @param buildNumber source of a regular expression whose first group is the number, as in a backend file
 * @throws BerthError `file-invalid` when that is none
 */
export function compareVersions(a: string, b: string, buildNumber?: string): number {
  const [left, right] = [rankOf(a, buildNumber), rankOf(b, buildNumber)];
  return (compareRanks(left, right) ?? kinds.indexOf(left.kind) - kinds.indexOf(right.kind)) || compareNames(a, b);
}

/**
 * Whether a version is what a constraint asks for. A pre-release is so only when the constraint names one. Versions of
 * different kinds (see {@link compareVersions}) have no order here: with build numbers `>=2026.9` holds for none.
 */
export function satisfies(version: string, constraint: Constraint, buildNumber?: string): boolean {
  if (isPrerelease(version) && !constraint.prereleases) return false;
  const leftOut = constraint.clauses.some(
    (clause) =>
      (clause.operator === "<" && isPrerelease(version) && isPrereleaseOf(version, clause.version)) ||
      (clause.operator === ">" && isPostreleaseOf(version, clause.version)),
  );
  return !leftOut && covers(version, constraint, buildNumber);
}

/**
 * Whether a version lies in a range, by order alone and with pre-releases as all others: for what files say of ranges,
 * so that `<0.11.1` and `>=0.11.1` cover every release number between them, and `*` covers everything.
 */
export function covers(version: string, { clauses }: Constraint, buildNumber?: string): boolean {
  return clauses.every((clause) => {
    if ("prefix" in clause) return beginsWith(version, clause.prefix) === (clause.operator === "within");
    if (clause.operator === "exact") return sameVersion(version, clause.version);
    return holds(version, clause.operator, clause.version, buildNumber);
  });
}

const kinds = ["name", "release", "build"] as const;

type Rank =
  { readonly kind: "name" | "release"; readonly version: string } | { readonly kind: "build"; readonly number: number };

function rankOf(version: string, buildNumber: string | undefined): Rank {
  const number = buildNumber === undefined ? undefined : expressionOf(buildNumber).exec(withoutV(version))?.[1];
  if (number !== undefined && /^\d+$/.test(number)) return { kind: "build", number: Number(number) };
  return { kind: explain(version) === null ? "name" : "release", version };
}

function expressionOf(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch (error) {
    throw new BerthError("file-invalid", {
      what: "a backend's buildNumber is not a regular expression",
      got: source,
      cause: error,
    });
  }
}

/** Undefined for versions of different kinds. */
function compareRanks(left: Rank, right: Rank): number | undefined {
  if (left.kind === "build") return right.kind === "build" ? left.number - right.number : undefined;
  if (right.kind !== left.kind) return undefined;
  return left.kind === "name" ? compareNames(left.version, right.version) : comparePep440(left.version, right.version);
}

/** By text, in which runs of digits count as numbers; 0 only for the same name. */
function compareNames(a: string, b: string): number {
  const [left, right] = [withoutV(a), withoutV(b)];
  const [these, those] = [left, right].map((name) => name.match(/\d+|\D+/g) ?? []);
  for (const [index, run] of (these ?? []).entries()) {
    const other = those?.[index];
    if (other === undefined) return 1;
    const order = compareRuns(run, other);
    if (order !== 0) return order;
  }
  return (these ?? []).length - (those ?? []).length || compareTexts(left, right);
}

function compareRuns(a: string, b: string): number {
  if (!/^\d/.test(a) || !/^\d/.test(b)) return compareTexts(a, b);
  const [left, right] = [BigInt(a), BigInt(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Release numbers compare by number and end in as many zeros as it takes; other versions by the text between dots. */
function beginsWith(version: string, prefix: readonly string[]): boolean {
  const release = prefix.every((component) => /^\d+$/.test(component)) ? explain(version)?.release : undefined;
  if (release !== undefined) return prefix.every((component, index) => Number(component) === (release[index] ?? 0));
  const components = withoutV(version).split(".");
  return prefix.every((component, index) => component === components[index]);
}

function holds(version: string, operator: Comparison, operand: string, buildNumber: string | undefined): boolean {
  const order = compareRanks(rankOf(comparable(version, operand), buildNumber), rankOf(operand, buildNumber));
  if (order === undefined) return operator === "!=";
  switch (operator) {
    case "==":
      return order === 0;
    case "!=":
      return order !== 0;
    case "<=":
      return order <= 0;
    case ">=":
      return order >= 0;
    case "<":
      return order < 0;
    case ">":
      return order > 0;
  }
}

/** The version without its local part, unless the operand has one. */
function comparable(version: string, operand: string): string {
  const release = explain(version);
  const [local, wanted] = [release?.local ?? undefined, explain(operand)?.local ?? undefined];
  return release === null || local === undefined || wanted !== undefined ? version : release.public;
}

function isPrereleaseOf(version: string, operand: string): boolean {
  const wanted = explain(operand);
  return wanted !== null && !wanted.is_prerelease && comparePep440(version, `${wanted.public}.dev0`) >= 0;
}

/** Of the very operand: `1.0.post1` is one of `1.0`, and not of `1.0rc1` or `1.0.post0`. */
function isPostreleaseOf(version: string, operand: string): boolean {
  const [release, wanted] = [explain(version), explain(operand)];
  if (release === null || wanted === null || !release.is_postrelease) return false;
  if (wanted.is_postrelease || wanted.is_devrelease) return false;
  const [candidate = ""] = release.public.split(".post", 1);
  return comparePep440(candidate, wanted.public) === 0;
}
