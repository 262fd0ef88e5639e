import { BerthError } from "../lib/errors.js";

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
  /** Python versions that it works with, such as `>=3.10,<3.14`. */
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
  const bounds = markers(readBounds(python));
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
        pythonsOf(python).map((one) => `${system(platform.os)} and ${machine(platform)} and ${markers(one)}`),
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

interface PythonBound {
  readonly operator: string;
  readonly version: string;
}

function readBounds(python: string): PythonBound[] {
  return python.split(",").map((part) => {
    const [, operator, version] = /^\s*(>=|<=|<|>|==|!=)\s*(\d+(?:\.\d+){0,2}(?:\.\*)?)\s*$/.exec(part) ?? [];
    if (operator !== undefined && version !== undefined) return { operator, version };
    throw new BerthError("packages-unsolvable", {
      what: "the Python versions of a backend version cannot be read",
      got: python,
      expected: "bounds, such as >=3.10,<3.14",
      hint: "correct `python` in the backend file",
    });
  });
}

function markers(bounds: readonly PythonBound[]): string {
  return bounds.map(({ operator, version }) => `python_full_version ${operator} '${version}'`).join(" and ");
}

/** Each Python version that the bounds allow, as bounds of its own. */
function pythonsOf(python: string): PythonBound[][] {
  const range = readBounds(python);
  const allowed = knownPythons.filter((known) => range.every((bound) => allows(bound, minorOf(known))));
  if (allowed.length > 0) {
    return allowed.map((known) => [
      { operator: ">=", version: known },
      { operator: "<", version: `3.${minorOf(known) + 1}` },
    ]);
  }
  throw new BerthError("packages-unsolvable", {
    what: "a backend version works with no Python that Berth works with",
    got: python,
    expected: `one of ${knownPythons.join(", ")}`,
    hint: "correct `python` in the backend file",
  });
}

/** Whether some release of a minor version of Python 3 is within a bound. */
function allows({ operator, version }: PythonBound, minor: number): boolean {
  const [major = 0, bound = 0, patch] = version.split(".").map(Number);
  if (major !== 3) return operator === "!=" || (operator.startsWith("<") ? major > 3 : major < 3 && operator !== "==");
  switch (operator) {
    case ">=":
    case ">":
      return minor >= bound;
    case "<":
      return minor < bound || (minor === bound && patch !== undefined && patch > 0);
    case "<=":
      return minor <= bound;
    case "==":
      return minor === bound;
    default:
      return minor !== bound || (patch !== undefined && !Number.isNaN(patch));
  }
}

function minorOf(version: string): number {
  return Number(version.split(".")[1]);
}

/** The lowest Python that a lock is for. */
export function lowestPython(python: string): string {
  const [[lowest] = []] = pythonsOf(python);
  return lowest?.version ?? knownPythons[0];
}

/** What a lock is of, for errors. */
export function subjectOf(request: LockRequest): string {
  return `${request.package} ${request.version}`;
}
