import { BerthError } from "../lib/errors.js";
import { parseConstraint, sameVersion, type Constraint } from "../schema/version-constraint.js";
import { compareVersions, satisfies } from "./version.js";

/** So many versions at most stand in an error. */
const shownVersions = 8;

export interface ChoiceOfVersion {
  /** As the backend's files spell it. */
  readonly version: string;
  /** Why this one, for people; a part of one line. */
  readonly reason: string;
}

export interface VersionedBackend {
  /** Its name, for errors. */
  readonly name: string;
  readonly defaultVersion?: string | undefined;
  /** See {@link compareVersions}. */
  readonly buildNumber?: string | undefined;
}

/**
 * The version that a constraint asks for: the one of that name, a leading `v` aside, else the highest that satisfies
 * it. When nothing is asked, the backend's default version, else its only one.
 *
 * @param available the backend's versions, as its files spell them
 * @param where what asks, for errors
 * @throws BerthError `backend-unknown`, with the versions near to what was asked; `file-invalid` for a constraint that
 * cannot be read
 */
export function resolveVersion(
  available: readonly string[],
  asked: string | undefined,
  backend: VersionedBackend,
  where: string,
): ChoiceOfVersion {
  const wanted = asked ?? backend.defaultVersion;
  if (wanted === undefined) return { version: onlyVersion(available, backend, where), reason: "its only version" };
  const named = available.find((version) => version === wanted) ?? available.find((v) => sameVersion(v, wanted));
  if (named !== undefined) return { version: named, reason: asked === undefined ? "its default" : "named exactly" };

  const constraint = parseConstraint(wanted, where);
  const fitting = available.filter((version) => satisfies(version, constraint, backend.buildNumber));
  const version = highest(fitting, backend.buildNumber);
  if (version === undefined) throw unknownVersion(available, constraint, backend, where);
  const rank = fitting.length === 1 ? "the only one that satisfies" : `the highest of ${fitting.length} that satisfy`;
  return { version, reason: `${rank} ${wanted}` };
}

/**
 * The highest version that satisfies a constraint; undefined when none does.
 *
 * @throws BerthError `file-invalid` for a constraint that cannot be read
 */
export function highestOf(
  available: readonly string[],
  asked: string,
  { buildNumber }: VersionedBackend,
  where: string,
): string | undefined {
  const constraint = parseConstraint(asked, where);
  const fitting = available.filter((version) => satisfies(version, constraint, buildNumber));
  return highest(fitting, buildNumber);
}

function highest(versions: readonly string[], buildNumber: string | undefined): string | undefined {
  const [first, ...others] = versions;
  if (first === undefined) return undefined;
  return others.reduce((a, b) => (compareVersions(b, a, buildNumber) > 0 ? b : a), first);
}

function onlyVersion(available: readonly string[], { name, buildNumber }: VersionedBackend, where: string): string {
  const [only, ...others] = available;
  if (only !== undefined && others.length === 0) return only;
  throw new BerthError("backend-unknown", {
    where,
    what: `the backend ${name} has no default version`,
    expected: listVersions(available, undefined, buildNumber),
    hint: "choose one of these as `backendVersion`",
  });
}

function unknownVersion(
  available: readonly string[],
  constraint: Constraint,
  { name, buildNumber }: VersionedBackend,
  where: string,
): BerthError {
  const exact = constraint.clauses.some(({ operator }) => operator === "exact");
  const choose = `choose one of these, or add it to backends/${name}.yaml`;
  return new BerthError("backend-unknown", {
    where,
    what: exact ? `the backend ${name} has no such version` : `no version of the backend ${name} satisfies this`,
    got: constraint.text,
    expected: listVersions(available, constraint, buildNumber),
    hint: mistake(available, constraint, buildNumber) ?? choose,
  });
}

/** What to do about a constraint that leaves out what it probably means. */
function mistake(available: readonly string[], constraint: Constraint, buildNumber?: string): string | undefined {
  const prerelease = available.find((version) => satisfies(version, { ...constraint, prereleases: true }, buildNumber));
  if (prerelease !== undefined) return `only pre-releases satisfy it; name one to take it, such as ${prerelease}`;
  const [clause] = constraint.clauses;
  if (clause?.operator === "exact" && available.some((version) => satisfies(version, within(clause.version))))
    return `for the highest of them write ${clause.version}.x`;
  return undefined;
}

function within(version: string): Constraint {
  return parseConstraint(`${version}.x`);
}

/** All versions in their order, or those about the place where the asked one would stand. */
function listVersions(available: readonly string[], asked: Constraint | undefined, buildNumber?: string): string {
  const sorted = available.toSorted((a, b) => compareVersions(a, b, buildNumber));
  if (sorted.length <= shownVersions) return sorted.join(", ");
  const place = asked === undefined ? sorted.length : placeOf(asked, sorted, buildNumber);
  const first = Math.max(0, Math.min(place - shownVersions / 2, sorted.length - shownVersions));
  return `${sorted.slice(first, first + shownVersions).join(", ")} (of ${sorted.length})`;
}

function placeOf({ clauses: [clause] }: Constraint, sorted: readonly string[], buildNumber?: string): number {
  const near = clause === undefined ? "" : "prefix" in clause ? clause.prefix.join(".") : clause.version;
  return sorted.filter((version) => compareVersions(version, near, buildNumber) < 0).length;
}
