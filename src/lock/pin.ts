import {
  lockBinary,
  lockPipx,
  packageVersionOf,
  pinnedInstall,
  type DraftInstall,
  type PinnedFile,
} from "../catalog/artifact.js";
import type { Catalogue } from "../catalog/catalogue.js";
import { mirrorImage } from "../catalog/image-mirror.js";
import { releaseAddress } from "../catalog/release-address.js";
import type { DraftEngine } from "../catalog/release.js";
import { isHostSystem } from "../catalog/selection.js";
import { executableName } from "../host/paths.js";
import { digest, sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import type { BackendFile, BinaryArtifact, PipxInstall } from "../schema/backend.js";
import type { LockedEngine, LockedInstall } from "../schema/lock.js";
import type { StackFile } from "../schema/stack.js";
import type { LookUps } from "./look-ups.js";
import { isNotFound, releaseRequest, type ReleaseFile } from "./release-file.js";
import type { LockRequest } from "./python-lock-request.js";

export interface PinProblem {
  readonly catalogue: Catalogue;
  readonly mirrors: StackFile["mirrors"];
  /** What was locked before, of all deployments and of what is preloaded: a backend version is the same in each. */
  readonly previous: Readonly<Record<string, LockedEngine>>;
  /** SHA-256 of the files that were resolved before and are there, by their path below `stacks`. */
  readonly resolved: Readonly<Record<string, string>>;
}

export interface Pinned {
  readonly install: LockedInstall;
  /** A text file to be written below `stacks`. */
  readonly file?: { readonly path: string; readonly text: string };
  /** What is odd but allowed, one sentence each. */
  readonly warnings: readonly string[];
}

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
      return pinImage(problem, draft, install.reference, edges);
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

/**
 * A release is the same in every environment, so the files of all platforms are pinned. One that the release, or its
 * mirror, does not have is left out, unless it is the deployment's own.
 */
async function pinFiles(
  problem: PinProblem,
  { backend, platform: { os, arch } }: DraftEngine,
  artifacts: readonly BinaryArtifact[],
  edges: LookUps,
): Promise<Pinned> {
  const files: BinaryArtifact[] = [];
  const warnings: string[] = [];
  for (const artifact of artifacts) {
    try {
      files.push({ ...artifact, ...(await hashArtifact(artifact, problem, edges)) });
    } catch (error) {
      if (!isNotFound(error) || (artifact.os === os && artifact.arch === arch)) throw error;
      warnings.push(
        `left out, because the release does not have it: the file for ${artifact.os}/${artifact.arch}, ${error.parts.where ?? artifact.url}`,
      );
    }
  }
  const digests = files.map(({ sha256 }) => sha256);
  return { install: lockBinary(backend, files, digests), warnings };
}

/** A tag that was locked stays the image that it was, wherever the registry has moved it since. */
async function pinImage(
  { previous, mirrors }: PinProblem,
  { backend, release: { backendVersion } }: DraftEngine,
  reference: string,
  edges: LookUps,
): Promise<Pinned> {
  const known = locked(previous)
    .flatMap(({ install }) => (install.method === "image" ? [install] : []))
    .find((image) => image.reference === reference);
  if (known !== undefined) return { install: known, warnings: [] };
  const place = mirrorImage(reference, mirrors.registries);
  const answer = await edges.askImageDigest(place);
  if (answer.kind === "found") {
    const { digest, platforms } = answer;
    const install = { method: "image" as const, reference, digest, ...(platforms === undefined ? {} : { platforms }) };
    return { install, warnings: [] };
  }
  throw new BerthError("download-failed", {
    where: `${backend.name} ${backendVersion}: ${place}`,
    ...(answer.kind === "unknown"
      ? {
          what: "the registry has no image of this name and tag, or shows it only to those who log in",
          hint: "correct the image's name, or write its `digest` into the backend file",
        }
      : {
          what: "the registry did not tell the image's digest",
          got: answer.reason,
          hint: "check the network, and log in with `docker login` where the registry asks for it; else give the digest yourself: as `digest` in the backend file, or in a deployment's `imageName`, as NAME@sha256:...",
        }),
  });
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

async function hashArtifact(
  artifact: BinaryArtifact,
  { mirrors, previous }: PinProblem,
  edges: LookUps,
): Promise<ReleaseFile | Pick<BinaryArtifact, "sha256">> {
  const { url, sha256 } = artifact;
  if (sha256 !== undefined) return { sha256 };
  const known = locked(previous)
    .flatMap(({ install }) => (install.method === "binary" ? install.artifacts : []))
    .find((file) => file.url === url);
  if (known === undefined) {
    return edges.fetchReleaseFile(releaseRequest(artifact, releaseAddress(url, mirrors.downloadBaseUrl)));
  }
  return { sha256: known.sha256, ...(known.sizeBytes === undefined ? {} : { sizeBytes: known.sizeBytes }) };
}

/** The backend versions of a lock, always in the same order. */
function locked(engines: PinProblem["previous"]): LockedEngine[] {
  return Object.entries(engines)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, engine]) => engine);
}
