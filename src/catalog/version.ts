import { compare as comparePep440, explain } from "@renovatebot/pep440";

import { BerthError } from "../lib/errors.js";

/** Whether two texts name one version: a leading `v` before a digit does not count, everything else does. */
export function sameVersion(a: string, b: string): boolean {
  return withoutV(a) === withoutV(b);
}

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

/** What a version must be. All clauses must hold. */
export interface Constraint {
  /** As it was written. */
  readonly text: string;
  readonly clauses: readonly Clause[];
  /** Whether it names a pre-release; otherwise none satisfies it. */
  readonly prereleases: boolean;
}

export type Clause =
  | { readonly operator: "exact" | Comparison; readonly version: string }
  /** Versions that begin with these components, and all others. No components: every version. */
  | { readonly operator: "within" | "outside"; readonly prefix: readonly string[] };

const comparisons = [">=", "<=", "==", "!=", ">", "<"] as const;
type Comparison = (typeof comparisons)[number];

/**
 * A constraint from its text: terms between blanks or commas, all of which must hold.
 *
 * - `0.19.0`, `v0.19.0`, `b11434`: this version by its name. It stands alone; `0.19` is not `0.19.0`.
 * - `0.19.x`, `0.19.*`: versions with these first components. `*`: any version.
 * - `>=0.10`, `>`, `<`, `<=`, `=` or `==`, `!=`: by order, so `==0.19` holds for `0.19.0`. As in PEP 440, `>1.0` leaves
 *   out `1.0.post1`, `<1.0` leaves out `1.0rc1`, and without a local part (`+cu128`) that of a version is ignored.
 *   `==0.19.*` and `!=0.19.*` are by components.
 * - `~=0.19.2`: `>=0.19.2` and `0.19.*`.
 *
 * @param where what has the constraint, for errors
 * @throws BerthError `file-invalid`
 */
export function parseConstraint(text: string, where?: string): Constraint {
  const terms = text
    .trim()
    .replace(/([<>=!~])\s+/g, "$1")
    .split(/\s*,\s*|\s+/);
  const clauses = terms.flatMap((term) => parseTerm(term, () => refusal(text, term, where)));
  if (clauses.length > 1 && clauses.some(({ operator }) => operator === "exact")) throw refusal(text, text, where);
  const prereleases = clauses.some(
    (clause) => "version" in clause && clause.operator !== "!=" && isPrerelease(clause.version),
  );
  return { text, clauses, prereleases };
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

function withoutV(version: string): string {
  return version.replace(/^v(?=\d)/, "");
}

function isPrerelease(version: string): boolean {
  return explain(version)?.is_prerelease ?? false;
}

function parseTerm(term: string, refuse: () => BerthError): Clause[] {
  const [, operator = "", operand = ""] = /^([<>=!~]=?)?([A-Za-z0-9*].*)$/.exec(term) ?? [];
  const wildcard = /^(?:(.+)\.)?[xX*]$/.exec(operand);
  const name = wildcard === null ? operand : (wildcard[1] ?? "0");
  // A component that is only an x is a wildcard, which stands at the end.
  if (!/^[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*$/.test(name) || /(?:^|\.)x(?:\.|$)/i.test(name)) throw refuse();
  if (wildcard !== null) {
    if (!["", "=", "==", "!="].includes(operator)) throw refuse();
    const prefix = wildcard[1] === undefined ? [] : withoutV(wildcard[1]).split(".");
    return [{ operator: operator === "!=" ? "outside" : "within", prefix }];
  }
  if (operator === "") return [{ operator: "exact", version: name }];
  if (operator === "~=") {
    const prefix = (explain(name)?.release ?? []).slice(0, -1).map(String);
    if (prefix.length === 0) throw refuse();
    return [
      { operator: ">=", version: name },
      { operator: "within", prefix },
    ];
  }
  const comparison = operator === "=" ? "==" : comparisons.find((known) => known === operator);
  if (comparison === undefined) throw refuse();
  return [{ operator: comparison, version: name }];
}

function refusal(text: string, term: string, where: string | undefined): BerthError {
  return new BerthError("file-invalid", {
    what: term === text ? "this is no version constraint" : `the version constraint cannot be read at ${quote(term)}`,
    got: quote(text),
    expected: "one version, such as 0.19.0 or b11434, or terms such as 0.19.x, >=0.10 <0.12, !=0.11.1, ~=0.19.2 or *",
    ...(where !== undefined && { where }),
  });
}

function quote(text: string): string {
  return JSON.stringify(text);
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
