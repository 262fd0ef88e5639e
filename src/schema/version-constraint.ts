import { explain } from "@renovatebot/pep440";

import { BerthError } from "../lib/errors.js";

/** Whether two texts name one version: a leading `v` before a digit does not count, everything else does. */
export function sameVersion(a: string, b: string): boolean {
  return withoutV(a) === withoutV(b);
}

/** A version without the leading `v` that does not count. */
export function withoutV(version: string): string {
  return version.replace(/^v(?=\d)/, "");
}

/** Whether it is a pre-release by PEP 440. */
export function isPrerelease(version: string): boolean {
  return explain(version)?.is_prerelease ?? false;
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
export type Comparison = (typeof comparisons)[number];

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
