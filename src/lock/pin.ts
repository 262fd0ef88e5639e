import { lockBinary, lockPipx, packageVersionOf, pinnedInstall, type PinnedFile } from "../catalog/artifact.js";
import type { Catalogue } from "../catalog/catalogue.js";
import { releaseAddress } from "../catalog/release-address.js";
import type { DraftRelease } from "../catalog/release.js";
import { executableName } from "../host/paths.js";
import { sha256 } from "../lib/canonical.js";
import type { BinaryArtifact, PipxInstall } from "../schema/backend.js";
import type { LockedDeployment, LockedInstall } from "../schema/lock.js";
import type { StackFile } from "../schema/stack.js";
import type { PinEdges } from "./pin-edges.js";
import type { LockRequest } from "./python-lock-request.js";

/** What a catalogue leaves unpinned is looked up by these. */
export type LookUps = Pick<PinEdges, "lockPackages" | "fetchReleaseFile">;

export interface PinProblem {
  readonly catalogue: Catalogue;
  readonly mirrors: StackFile["mirrors"];
  /** What was locked before for the same deployment. */
  readonly before: LockedDeployment | undefined;
}

export interface Pinned {
  readonly install: LockedInstall;
  /** A text file to be written beside the lock. */
  readonly file?: { readonly path: string; readonly text: string };
}

/**
 * The artifact, exactly. What neither the catalogue nor the lock before pins is looked up; requirements that are
 * resolved so are a file beside the lock.
 */
export async function pinInstall(
  { catalogue, mirrors, before }: PinProblem,
  { backend, install, release }: DraftRelease,
  edges: LookUps,
): Promise<Pinned> {
  const pinned = pinnedInstall(catalogue, backend, install);
  if (pinned !== undefined) return { install: pinned };
  if (install.method === "binary") {
    const files = await Promise.all(
      install.artifacts.map(async (artifact) => ({
        ...artifact,
        ...(await hashArtifact(artifact, before?.install, mirrors.downloadBaseUrl, edges)),
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
  const kept = keptRequirements(pipx, release, before);
  if (kept !== undefined) return { install: lockPipx(catalogue, backend, pipx, kept) };
  const text = await edges.lockPackages(lockRequest(pipx, version, mirrors.pip));
  const requirements = { file: `requirements/${executableName(backend.name, version)}.txt`, sha256: sha256(text) };
  return {
    install: lockPipx(catalogue, backend, pipx, requirements),
    file: { path: requirements.file, text },
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
  before: LockedInstall | undefined,
  downloadBaseUrl: string | undefined,
  edges: LookUps,
): Promise<{ sha256: string; sizeBytes?: number }> {
  const size = sizeBytes === undefined ? {} : { sizeBytes };
  if (sha256 !== undefined) return { sha256, ...size };
  const known = before?.method === "binary" ? before.artifacts.find((artifact) => artifact.url === url) : undefined;
  if (known !== undefined) return { sha256: known.sha256, sizeBytes: known.sizeBytes ?? 0 };
  return edges.fetchReleaseFile(releaseAddress(url, downloadBaseUrl));
}

/** What the lock before resolved for the very same version stays: an index moves, a lock does not. */
function keptRequirements(
  { package: name }: PipxInstall,
  { backend, backendVersion }: DraftRelease["release"],
  before: LockedDeployment | undefined,
): PinnedFile | undefined {
  if (before?.backend !== backend || before.backendVersion !== backendVersion) return undefined;
  const { install } = before;
  const isResolved = install.method === "pipx" && install.package === name;
  return isResolved && install.requirements.file.startsWith("requirements/") ? install.requirements : undefined;
}
