import { lockBinary, lockPipx, packageVersionOf, pinnedInstall, type PinnedFile } from "../catalog/artifact.js";
import type { Catalogue } from "../catalog/catalogue.js";
import { releaseAddress } from "../catalog/release-address.js";
import type { DraftRelease } from "../catalog/release.js";
import { executableName } from "../host/paths.js";
import { sha256 } from "../lib/canonical.js";
import type { BinaryArtifact, PipxInstall } from "../schema/backend.js";
import type { LockedDeployment, LockedInstall, LockFile } from "../schema/lock.js";
import type { StackFile } from "../schema/stack.js";
import type { LookUps } from "./look-ups.js";
import type { LockRequest } from "./python-lock-request.js";

export interface PinProblem {
  readonly catalogue: Catalogue;
  readonly mirrors: StackFile["mirrors"];
  /** What was locked before, of all deployments: a backend version is the same in each. */
  readonly previous: LockFile["release"];
}

export interface Pinned {
  readonly install: LockedInstall;
  /** A text file to be written below `stacks`. */
  readonly file?: { readonly path: string; readonly text: string };
}

/**
 * The artifact, exactly. What neither the catalogue nor the lock before pins is looked up; requirements that are
 * resolved so are a file of their own, whose name holds its digest: other locks have theirs beside it.
 */
export async function pinInstall(
  { catalogue, mirrors, previous }: PinProblem,
  { backend, install, release }: DraftRelease,
  edges: LookUps,
): Promise<Pinned> {
  const pinned = pinnedInstall(catalogue, backend, install);
  if (pinned !== undefined) return { install: pinned };
  if (install.method === "binary") {
    const files = await Promise.all(
      install.artifacts.map(async (artifact) => ({
        ...artifact,
        ...(await hashArtifact(artifact, previous, mirrors.downloadBaseUrl, edges)),
      })),
    );
    return {
      install: lockBinary(
        backend,
        files,
        files.map(({ sha256 }) => sha256),
      ),
    };
  }
  if (install.method !== "pipx") throw new Error(`nothing of ${install.method} is left to pin`);
  const { pipx, version } = install;
  const kept = keptRequirements(pipx, release, previous);
  if (kept !== undefined) return { install: lockPipx(catalogue, backend, pipx, kept) };
  const text = await edges.lockPackages(lockRequest(pipx, version, mirrors.pip));
  const digest = sha256(text);
  const path = `requirements/${executableName(backend.name, version)}_${digest.slice(0, 12)}.txt`;
  return {
    install: lockPipx(catalogue, backend, pipx, { file: path, sha256: digest }),
    file: { path, text },
  };
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
    platforms: pipx.os.flatMap((os) => pipx.arch.map((arch) => ({ os, arch }))),
    indexUrl,
  };
}

async function hashArtifact(
  { url, sha256, sizeBytes }: BinaryArtifact,
  previous: PinProblem["previous"],
  downloadBaseUrl: string | undefined,
  edges: LookUps,
): Promise<{ sha256: string; sizeBytes?: number }> {
  const size = sizeBytes === undefined ? {} : { sizeBytes };
  if (sha256 !== undefined) return { sha256, ...size };
  const known = locked(previous)
    .flatMap(({ install }) => (install.method === "binary" ? install.artifacts : []))
    .find((artifact) => artifact.url === url);
  if (known !== undefined) return { sha256: known.sha256, sizeBytes: known.sizeBytes ?? 0 };
  return edges.fetchReleaseFile(releaseAddress(url, downloadBaseUrl));
}

/** What the lock before resolved for the very same version stays: an index moves, a lock does not. */
function keptRequirements(
  { package: name }: PipxInstall,
  { backend, backendVersion }: DraftRelease["release"],
  previous: PinProblem["previous"],
): PinnedFile | undefined {
  const [kept] = locked(previous)
    .filter((before) => before.backend === backend && before.backendVersion === backendVersion)
    .flatMap(({ install }) => (install.method === "pipx" && install.package === name ? [install.requirements] : []))
    .filter(({ file }) => file.startsWith("requirements/"));
  return kept;
}

/** The deployments of a lock, always in the same order. */
function locked(release: LockFile["release"]): LockedDeployment[] {
  return Object.entries(release)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, deployment]) => deployment);
}
