import { lockBinary, type FilePin } from "../catalog/artifact.js";
import { releaseAddress } from "../catalog/release-address.js";
import type { DraftEngine } from "../catalog/release.js";
import type { BinaryArtifact } from "../schema/backend.js";
import type { LockedFileSignature } from "../schema/signature.js";
import type { LookUps } from "./look-ups.js";
import { locked, subjectOf, type Pinned, type PinProblem } from "./pin-problem.js";
import { pinFileSignature, signatureAddress } from "./pin-signature.js";
import { isNotFound, releaseRequest, type ReleaseFile } from "./release-file.js";

/**
 * A release is the same in every environment, so the files of all platforms are pinned. One that the release, or its
 * mirror, does not have is left out, unless it is the deployment's own.
 */
export async function pinFiles(
  problem: PinProblem,
  draft: DraftEngine,
  artifacts: readonly BinaryArtifact[],
  edges: LookUps,
): Promise<Pinned> {
  const { backend, platform } = draft;
  const files: BinaryArtifact[] = [];
  const pins: FilePin[] = [];
  const warnings: string[] = [];
  for (const artifact of artifacts) {
    try {
      const pin = await hashArtifact(artifact, problem, edges);
      pins.push({ sha256: pin.sha256, signature: await pinSignature(problem, draft, { ...artifact, ...pin }, edges) });
      files.push({ ...artifact, ...pin });
    } catch (error) {
      if (!isNotFound(error) || (artifact.os === platform.os && artifact.arch === platform.arch)) throw error;
      warnings.push(
        `left out, because the release does not have it: the file for ${artifact.os}/${artifact.arch}, ${error.parts.where ?? artifact.url}`,
      );
    }
  }
  return { install: lockBinary(backend, files, pins), warnings };
}

async function pinSignature(
  { catalogue, mirrors, previous }: PinProblem,
  draft: DraftEngine,
  { url, sha256, signature }: BinaryArtifact & { readonly sha256: string },
  edges: LookUps,
): Promise<LockedFileSignature | undefined> {
  if (signature === undefined) return undefined;
  const before = locked(previous)
    .flatMap(({ install }) => (install.method === "binary" ? install.artifacts : []))
    .find((file) => file.url === url && file.sha256 === sha256)?.signature;
  const address = releaseAddress(signature.url ?? signatureAddress(url), mirrors.downloadBaseUrl);
  const { backend } = draft;
  const where = `${subjectOf(draft)}: ${url}`;
  return pinFileSignature({ catalogue, backend, keyFile: signature.key, before, where, sha256, url: address }, edges);
}

async function hashArtifact(
  artifact: BinaryArtifact,
  { mirrors, previous }: PinProblem,
  edges: LookUps,
): Promise<ReleaseFile | Pick<ReleaseFile, "sha256">> {
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
