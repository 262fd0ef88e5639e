import { wheelFile } from "../schema/scalars.js";

/** What the name of a wheel says it is for (https://packaging.python.org/en/latest/specifications/binary-distribution-format/). */
export interface WheelName {
  readonly name: string;
  readonly version: string;
  readonly pythons: readonly string[];
  readonly abis: readonly string[];
  readonly platforms: readonly string[];
}

/** Where a wheel is to be installed: on Linux with glibc, by CPython 3. */
export interface WheelHost {
  readonly platform: "linux/amd64" | "linux/arm64";
  /** `3.11.2`; undefined where it is not known. */
  readonly python?: string | undefined;
}

/** Undefined for what is no wheel. */
export function parseWheelName(file: string): WheelName | undefined {
  if (!wheelFile.safeParse(file).success) return undefined;
  const [name, version, ...rest] = file.replace(/\.whl$/, "").split("-");
  const [pythons, abis, platforms] = rest.slice(-3).map((tags) => tags.split("."));
  if (name === undefined || version === undefined) return undefined;
  if (pythons === undefined || abis === undefined || platforms === undefined) return undefined;
  return { name, version, pythons, abis, platforms };
}

const architectures = { "linux/amd64": "x86_64", "linux/arm64": "aarch64" } as const;

/**
 * Whether pip on a host may take a wheel. It is no narrower than pip's own rules, which know the host's glibc too: what
 * is taken to a host in vain is never installed.
 */
export function mayTakeWheel({ pythons, abis, platforms }: WheelName, host: WheelHost): boolean {
  const ending = `_${architectures[host.platform]}`;
  const isForPlatform = platforms.some((tag) => tag === "any" || (/^(?:many)?linux/.test(tag) && tag.endsWith(ending)));
  return isForPlatform && pythons.some((tag) => mayRun(tag, abis, host.python));
}

/** `py3`, `py2.py3` and `py38` run on later versions too, as does `cp38` with the stable interface or with none. */
function mayRun(tag: string, abis: readonly string[], python: string | undefined): boolean {
  const [, kind, minor = ""] = /^(py|cp)3(\d*)$/.exec(tag) ?? [];
  if (kind === undefined) return false;
  const own = /^3\.(\d+)/.exec(python ?? "")?.[1];
  if (minor === "" || own === undefined) return true;
  const isForLater = kind === "py" || abis.includes("abi3") || abis.includes("none");
  return isForLater ? Number(minor) <= Number(own) : minor === own;
}
