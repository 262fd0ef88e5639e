import semver from "semver";

import { BerthError } from "../lib/errors.js";
import { parsePythonRange, takesSomeOf, type PythonComparison } from "../schema/python-range.js";

/** A kind of machine that the packages are installed on. */
export interface LockPlatform {
  readonly os: "linux" | "darwin" | "windows";
  readonly arch: "x64" | "arm64";
}

/** What is locked: one package in one version, with what is asked for besides. */
export interface LockRequest {
  readonly package: string;
  readonly version: string;
  readonly extras: readonly string[];
  /** Further requirements that are installed with it, such as `transformers==4.51.3`. */
  readonly pins: readonly string[];
  /** Bounds for what it needs. */
  readonly constraints: readonly string[];
  /** Python versions that it works with, such as `>=3.10 <3.14`. */
  readonly python: string;
  /** At least one. */
  readonly platforms: readonly LockPlatform[];
  /** With user and password where the index asks for them. Default: the context's, else the public index. */
  readonly indexUrl: string | undefined;
}

/** Versions that hosts have and Berth works with. */
const knownPythons = ["3.10", "3.11", "3.12", "3.13", "3.14"] as const;

const machines: Readonly<Record<LockPlatform["os"], Readonly<Record<LockPlatform["arch"], string>>>> = {
  linux: { x64: "x86_64", arm64: "aarch64" },
  darwin: { x64: "x86_64", arm64: "arm64" },
  windows: { x64: "AMD64", arm64: "ARM64" },
};
const systems = { linux: "linux", darwin: "darwin", windows: "win32" } as const;

/**
 * What uv is asked for, as a project. `environments` says what it is solved for at all, and goes into the markers;
 * `required-environments` what every package must have a wheel for: uv is content when one Python has one, so each is
 * named by itself.
 */
export function projectFile(request: LockRequest): string {
  const { extras, platforms, python } = request;
  const bounds = markers(readRange(python));
  const system = (os: LockPlatform["os"]) => `sys_platform == '${systems[os]}'`;
  const machine = ({ os, arch }: LockPlatform) => `platform_machine == '${machines[os][arch]}'`;
  const environment = (os: LockPlatform["os"]) => {
    const own = platforms.filter((platform) => platform.os === os).map(machine);
    return `${system(os)} and (${own.join(" or ")}) and ${bounds}`;
  };
  const name = extras.length === 0 ? request.package : `${request.package}[${extras.join(",")}]`;
  return [
    "[project]",
    'name = "berth"',
    'version = "0"',
    `requires-python = ${quote(`>=${lowestPython(python)}`)}`,
    list("dependencies", [`${name}==${request.version}`, ...request.pins]),
    "[tool.uv]",
    list("constraint-dependencies", request.constraints),
    list("environments", [...new Set(platforms.map(({ os }) => os))].map(environment)),
    list(
      "required-environments",
      platforms.flatMap((platform) =>
        pythonsOf(python).map((one) => `${system(platform.os)} and ${machine(platform)} and ${markersOf(one)}`),
      ),
    ),
    "",
  ].join("\n");
}

function list(key: string, values: readonly string[]): string {
  return `${key} = [${values.map(quote).join(", ")}]`;
}

/** A JSON text is a TOML text too. */
function quote(text: string): string {
  return JSON.stringify(text);
}

function readRange(python: string): PythonComparison[] {
  const range = parsePythonRange(python);
  if (range !== undefined && range.length > 0) return range;
  throw new BerthError("packages-unsolvable", {
    what: "the Python versions of a backend version cannot be read",
    got: python,
    expected: "comparisons, such as >=3.10 <3.13",
    hint: "correct `python` in the backend file",
  });
}

/** A range as markers have it; one that takes any Python has the bound of what Berth works with. */
function markers(range: readonly PythonComparison[]): string {
  const parts = range.flatMap(({ range: text, holds }) => {
    const bounds = new semver.Range(text).set.flat().flatMap(boundOf);
    if (holds) return bounds.map(marker);
    const others = bounds.map(({ operator, version }) => marker({ operator: opposites[operator], version }));
    return others.length === 0 ? [] : [`(${others.join(" or ")})`];
  });
  return parts.length === 0 ? marker({ operator: ">=", version: knownPythons[0] }) : parts.join(" and ");
}

const opposites = { ">=": "<", "<": ">=", ">": "<=", "<=": ">", "==": "!=", "!=": "==" } as const;

interface PythonBound {
  readonly operator: keyof typeof opposites;
  readonly version: string;
}

/** None for any version. Where a range ends before a release, semver has it end before that one's previews. */
function boundOf({ operator, semver: at }: semver.Comparator): PythonBound[] {
  if (!(at instanceof semver.SemVer)) return [];
  const version = [at.major, at.minor, ...(at.patch === 0 ? [] : [at.patch])].join(".");
  return [{ operator: operator === "" || operator === "=" ? "==" : operator, version }];
}

function marker({ operator, version }: PythonBound): string {
  return `python_full_version ${operator} '${version}'`;
}

/** All releases of a minor version. */
function markersOf(minor: string): string {
  return markers([{ range: `${minor}.x`, holds: true }]);
}

/** The minor versions that the range takes. */
function pythonsOf(python: string): (typeof knownPythons)[number][] {
  const range = readRange(python);
  const allowed = knownPythons.filter((known) => takesSomeOf(range, known));
  if (allowed.length > 0) return allowed;
  throw new BerthError("packages-unsolvable", {
    what: "a backend version works with no Python that Berth works with",
    got: python,
    expected: `one of ${knownPythons.join(", ")}`,
    hint: "correct `python` in the backend file",
  });
}

/** The lowest Python that a lock is for. */
export function lowestPython(python: string): string {
  const [lowest = knownPythons[0]] = pythonsOf(python);
  return lowest;
}

/** What a lock is of, for errors. */
export function subjectOf(request: LockRequest): string {
  return `${request.package} ${request.version}`;
}
