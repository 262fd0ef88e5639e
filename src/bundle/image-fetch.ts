import { join } from "node:path";

import { runBatch } from "../lib/batch.js";
import { BerthError } from "../lib/errors.js";
import type { BundledImage, ImagePlatform } from "../schema/bundle.js";
import { blobName, type BundleFolder } from "./folder.js";
import { readManifest, type Blob, type Child, type Manifest } from "./oci.js";
import type { RegistryRepository } from "./registry.js";

/** Which of an index are wanted. */
export type WantedPlatforms = readonly ImagePlatform[] | "all";

export interface ImageFetch {
  readonly reference: string;
  readonly digest: string;
  readonly platforms: WantedPlatforms;
  /** Told bytes of the image so far, and in all. */
  readonly onProgress: (current: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** One connection to a registry is often slower than the line that it uses. */
const blobsAtOnce = 3;

/**
 * Brings an image into a bundle, by its digest. What is there and is what its name says is not fetched again, broken
 * downloads go on, and nothing gets its name before its digest was checked.
 *
 * @throws BerthError `image-unavailable`, `checksum-mismatch`, `download-failed`, `disk-full`
 */
export async function fetchImage(
  folder: BundleFolder,
  repository: RegistryRepository,
  fetch: ImageFetch,
): Promise<BundledImage> {
  const { reference, digest, platforms } = fetch;
  const top = await fetchManifest(folder, repository, reference, digest);
  const children = top.manifest.kind === "index" ? chooseChildren(top.manifest.children, platforms) : [];
  if (top.manifest.kind === "index" && !children.some(({ platform }) => platform !== undefined)) {
    throw noPlatform(reference, top.manifest.children, platforms);
  }
  const manifests = [top.blob];
  const parts = partsOf(top.manifest);
  for (const child of children) {
    const { blob, manifest } = await fetchManifest(folder, repository, reference, child.digest);
    manifests.push(blob);
    parts.push(...partsOf(manifest));
  }
  const distinct = [...new Map(parts.map((part) => [part.digest, part])).values()];
  await fetchBlobs(folder, repository, distinct, fetch);
  const isWhole = top.manifest.kind === "image" || children.length === top.manifest.children.length;
  return { reference, digest, blobs: [...manifests, ...distinct].map(blobOf), isWhole };
}

/** The images for the platforms, and what belongs to none of them, such as attestations, which is small. */
function chooseChildren(children: readonly Child[], platforms: WantedPlatforms): readonly Child[] {
  if (platforms === "all") return children;
  return children.filter(({ platform }) => platform === undefined || platforms.some((wanted) => wanted === platform));
}

function partsOf(manifest: Manifest): Blob[] {
  return manifest.kind === "image" ? [manifest.config, ...manifest.layers] : [];
}

async function fetchManifest(
  folder: BundleFolder,
  repository: RegistryRepository,
  reference: string,
  digest: string,
): Promise<{ blob: Blob; manifest: Manifest }> {
  const name = blobName(digest);
  const isThere = (await folder.findDamage(name, undefined)) === undefined;
  const bytes = isThere ? await folder.readBlob(digest) : await repository.readManifest(digest);
  const manifest = readManifest(bytes);
  if (manifest === undefined) {
    throw new BerthError("image-unavailable", {
      where: `${reference}@${digest}`,
      what: "what the registry has is no image that Berth knows",
      expected: "an OCI image, or Docker's schema 2",
    });
  }
  if (!isThere) await folder.writeText(name, bytes);
  return { blob: { digest, sizeBytes: bytes.byteLength }, manifest };
}

async function fetchBlobs(
  folder: BundleFolder,
  repository: RegistryRepository,
  blobs: readonly Blob[],
  { reference, onProgress, signal }: ImageFetch,
): Promise<void> {
  const totalBytes = blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const done = new Map<string, number>();
  const tell = (digest: string, bytes: number) => {
    done.set(digest, bytes);
    onProgress(
      [...done.values()].reduce((sum, each) => sum + each, 0),
      totalBytes,
    );
  };
  await runBatch(blobs, { atOnce: blobsAtOnce, signal }, async (blob, batch) => {
    if ((await folder.findDamage(blobName(blob.digest), blob.sizeBytes, batch)) !== undefined) {
      const onBlob = (current: number) => tell(blob.digest, current);
      await fetchBlob(folder, repository, blob, { reference, onProgress: onBlob, signal: batch });
    }
    tell(blob.digest, blob.sizeBytes);
  });
}

interface BlobFetch {
  readonly reference: string;
  readonly onProgress: (current: number) => void;
  readonly signal: AbortSignal;
}

async function fetchBlob(
  folder: BundleFolder,
  repository: RegistryRepository,
  blob: Blob,
  { reference, ...options }: BlobFetch,
): Promise<void> {
  const hex = blob.digest.replace("sha256:", "");
  const part = join(folder.partial, "blobs", hex);
  // What was there may be the beginning of something else.
  for (const isLast of [false, true]) {
    await repository.download(blob, part, options);
    const damage = await folder.findDamage(join(".partial", "blobs", hex), blob.sizeBytes, options.signal);
    if (damage === undefined) break;
    await folder.removePart(hex);
    if (!isLast) continue;
    throw new BerthError("checksum-mismatch", {
      where: `${reference}: ${blob.digest}`,
      what: "the registry gave something else than was asked for",
      got: `it ${damage}`,
      expected: `${blob.digest}, ${blob.sizeBytes} bytes`,
      hint: "if it is a mirror, check what it serves",
    });
  }
  await folder.place(part, blobName(blob.digest));
}

function blobOf({ digest, sizeBytes }: Blob): Blob {
  return { digest, sizeBytes };
}

function noPlatform(reference: string, children: readonly Child[], wanted: WantedPlatforms): BerthError {
  return new BerthError("image-unavailable", {
    where: reference,
    what: "the image is not there for the platforms that are asked for",
    got: children.flatMap(({ platform }) => platform ?? []).join(", ") || "none",
    expected: wanted === "all" ? "an image for any platform" : wanted.join(" or "),
  });
}
