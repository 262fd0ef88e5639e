/** Releases that another environment has settled. Pure. */
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { backendFile, type BackendFile } from "../schema/backend.js";
import type { LockedDeployment, LockedInstall } from "../schema/lock.js";
import { parseConstraint } from "../schema/version-constraint.js";
import type { Catalogue } from "./catalogue.js";
import type { DraftRelease } from "./release.js";
import { runsLocked } from "./runner-lock.js";
import type { RunnerFacts } from "./runner-resolution.js";
import type { Platform } from "./selection.js";
import { covers } from "./version.js";

export interface PromotedProblem {
  readonly locked: LockedDeployment;
  /** What it says of the backend's memory and flags; a backend that it does not know has none. */
  readonly catalogue: Catalogue;
  /** Of the host that it is for. */
  readonly platform: Platform;
  readonly facts: RunnerFacts;
  /** What names the deployment, for errors. */
  readonly where: string;
}

/**
 * A promoted release on a kind of host: nothing of it is decided anew.
 *
 * @throws BerthError `host-unsuitable` when it is not for such hosts
 */
export function draftPromoted({ locked, catalogue, platform, facts, where }: PromotedProblem): DraftRelease {
  const { id: _, install, ...release } = locked;
  const placed = placeOn(locked, platform, where);
  const notes = runnerNotes(install, facts, where);
  const { backendVersion, tensorParallelSize } = release;
  const backend = lookUp(catalogue.backends, release.backend) ?? unknownBackend(locked);
  const exact = backend.memory?.exact;
  return {
    release,
    install: { method: "locked", install },
    backend,
    platform: placed,
    constraints: { tensorParallelSize },
    isExact: exact !== undefined && covers(backendVersion, parseConstraint(exact, where), backend.buildNumber),
    reason: `${release.backend} ${backendVersion}: promoted`,
    warnings: notes,
  };
}

/** What to know of a runner image on the host; one that it cannot run is refused, as a lock of its own would. */
function runnerNotes(install: LockedInstall, facts: RunnerFacts, where: string): string[] {
  if (install.method !== "image" || install.runnerImage === undefined) return [];
  const on = runsLocked(install.runnerImage, facts);
  if (on.kind === "runs") return on.notes.map((note) => `${where}: ${install.reference}: ${note}`);
  throw new BerthError("host-unsuitable", {
    where,
    what: `the runner image that was promoted cannot run on the host: ${on.reason}`,
    got: install.reference,
    hint: "choose other hosts, or release an image for them in the environment before",
  });
}

function unknownBackend({ backend: name, runCommand }: LockedDeployment): BackendFile {
  return backendFile.parse({ schemaVersion: 1, name, runCommand, versions: {} });
}

/** The platform as the release uses it: one for processors leaves accelerators alone. */
function placeOn({ acceleratorType, install }: LockedDeployment, platform: Platform, where: string): Platform {
  const { os, arch } = platform;
  const told = platformsOf(install);
  const own = platformName(os, arch);
  if (told !== undefined && !told.includes(own)) throw unfit(where, told, own);
  if (acceleratorType === undefined || acceleratorType === platform.acceleratorType) return platform;
  if (acceleratorType === "cpu") return { ...platform, acceleratorType };
  throw unfit(where, [acceleratorType], platform.acceleratorType);
}

/** In the words of images, as `linux/amd64`; undefined where an artifact does not tell. */
function platformsOf(install: LockedInstall): string[] | undefined {
  switch (install.method) {
    case "binary":
      return install.artifacts.map(({ os, arch }) => platformName(os, arch));
    case "image":
      return install.platforms === undefined ? undefined : Object.keys(install.platforms);
    case "pipx":
    case "manual":
      return undefined;
  }
}

function platformName(os: string, arch: string): string {
  return `${os}/${arch === "x64" ? "amd64" : arch}`;
}

function unfit(where: string, expected: readonly string[], got: string): BerthError {
  return new BerthError("host-unsuitable", {
    where,
    what: "the release that was promoted is not for this host",
    got,
    expected: expected.join(" or "),
    hint: "choose other hosts, or release a version for them in the environment before",
  });
}
