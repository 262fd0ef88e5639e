import { lockPipx, packageVersionOf, pinnedInstall, type DraftInstall, type PinnedFile } from "../catalog/artifact.js";
import type { DraftEngine } from "../catalog/release.js";
import { isHostSystem } from "../catalog/selection.js";
import { executableName } from "../host/paths.js";
import { digest, sha256 } from "../lib/canonical.js";
import type { BackendFile, PipxInstall } from "../schema/backend.js";
import type { LookUps } from "./look-ups.js";
import { pinFiles } from "./pin-files.js";
import { pinImage } from "./pin-image.js";
import { locked, type Pinned, type PinProblem } from "./pin-problem.js";
import type { LockRequest } from "./python-lock-request.js";

/**
 * The artifact, exactly. What neither the catalogue nor the lock before pins is looked up; requirements that are
 * resolved so are a file of their own, whose name holds its digest: other locks have theirs beside it.
 */
export async function pinInstall(problem: PinProblem, draft: DraftEngine, edges: LookUps): Promise<Pinned> {
  const { backend, install } = draft;
  const pinned = pinnedInstall(problem.catalogue, backend, install);
  if (pinned !== undefined) return { install: pinned, warnings: [] };
  switch (install.method) {
    case "pipx":
      return pinPackages(problem, backend, install, edges);
    case "binary":
      return pinFiles(problem, draft, install.artifacts, edges);
    case "image":
      return pinImage(problem, draft, install, edges);
    case "manual":
    case "locked":
      throw new Error("nothing of it is left to pin");
  }
}

/** What was resolved before for the very same request stays while its file is there: an index moves, a lock does not. */
async function pinPackages(
  { catalogue, mirrors, previous, resolved }: PinProblem,
  backend: BackendFile,
  { pipx, version }: Extract<DraftInstall, { method: "pipx" }>,
  edges: LookUps,
): Promise<Pinned> {
  const asked = lockRequest(pipx, version, mirrors.pip);
  const request = requestDigest(asked);
  const before = locked(previous)
    .filter((one) => one.backend === backend.name && one.backendVersion === version)
    .flatMap(({ install }) => (install.method === "pipx" && install.request === request ? [install.requirements] : []));
  const kept = before.find(({ file, sha256 }) => resolved[file] === sha256);
  if (kept !== undefined) return { install: { ...lockPipx(catalogue, backend, pipx, kept), request }, warnings: [] };

  const text = await edges.lockPackages(asked);
  const requirements = requirementsFile(backend.name, version, sha256(text));
  return {
    install: { ...lockPipx(catalogue, backend, pipx, requirements), request },
    file: { path: requirements.file, text },
    warnings: before.map(({ file }) => {
      const state = file in resolved ? "is not the file that was locked" : "is missing";
      return `stacks/${file} ${state}: what ${backend.name} ${version} needs was resolved anew`;
    }),
  };
}

function requirementsFile(backend: string, version: string, sha256: string): PinnedFile {
  return { file: `requirements/${executableName(backend, version)}_${sha256.slice(0, 12)}.txt`, sha256 };
}

function lockRequest(pipx: PipxInstall, version: string, indexUrl: string | undefined): LockRequest {
  const { package: name, extras, pins, constraints, python } = pipx;
  return {
    package: name,
    version: packageVersionOf(pipx, version),
    extras,
    pins,
    constraints,
    python,
    platforms: pipx.os.filter(isHostSystem).flatMap((os) => pipx.arch.map((arch) => ({ os, arch }))),
    indexUrl,
  };
}

/** Not of the index: mirrors have the same packages. */
function requestDigest({ indexUrl: _, platforms, ...asked }: LockRequest): string {
  return digest({ ...asked, platforms: platforms.map(({ os, arch }) => ({ os, arch })) });
}
