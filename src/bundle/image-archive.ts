/** Archives of images of a bundle, as engines load them. They are made as they are sent, and take no disk. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";

import { create } from "tar";

import { canonicalJson, sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { blobName, damaged, type BundleFolder } from "./folder.js";
import { layoutName, readConfiguration, readManifest, type Blob, type ImageConfiguration } from "./oci.js";

/** An image of one platform. */
export interface PlatformImage {
  /** Its own manifest's, below that of an index. */
  readonly manifest: Blob & { readonly mediaType: string };
  readonly config: Blob;
  /** From the lowest; as many as the configuration has. */
  readonly layers: readonly Blob[];
  readonly configuration: ImageConfiguration;
}

/**
 * The image of a digest for a platform. What the digest names is followed, and each step is checked.
 *
 * @throws BerthError `checksum-mismatch` for a damaged bundle, `image-unavailable` when it has none for the platform
 */
export async function readPlatformImage(
  folder: BundleFolder,
  reference: string,
  digest: string,
  platform: string,
): Promise<PlatformImage> {
  const top = readManifest(await folder.readBlob(digest));
  const child = top?.kind === "index" ? top.children.find((each) => each.platform === platform) : undefined;
  if (top?.kind === "index" && child === undefined) throw noImage(reference, platform, `none of ${digest}`);
  const bytes = await folder.readBlob(child?.digest ?? digest);
  const manifest = readManifest(bytes);
  if (manifest?.kind !== "image") throw noImage(reference, platform, "no manifest of an image");
  const { config, layers, mediaType } = manifest;
  const configuration = readConfiguration(await folder.readBlob(config.digest));
  if (configuration === undefined || configuration.diffIds.length !== layers.length)
    throw damaged(folder.path, [`${blobName(config.digest)} is no configuration of its image`]);
  if (configuration.platform !== platform) throw noImage(reference, platform, configuration.platform);
  const own = { digest: child?.digest ?? digest, sizeBytes: bytes.byteLength, mediaType };
  return { manifest: own, config, layers, configuration };
}

function noImage(reference: string, platform: string, got: string): BerthError {
  return new BerthError("image-unavailable", {
    where: reference,
    what: "the bundle does not have the image for the host's platform",
    got,
    expected: platform,
    hint: "make the bundle with `berth bundle create --platform` for it too",
  });
}

/** The lowest layers of an image as an image of their own, by which an engine keeps them; equal layers, equal bytes. */
export function partialConfiguration({ os, architecture, diffIds }: ImageConfiguration, layers: number): string {
  const rootfs = { type: "layers", diff_ids: diffIds.slice(0, layers) };
  return canonicalJson({ architecture, os, config: {}, rootfs });
}

export interface ArchivePart {
  /** So many layers, from the lowest, the archive's image has. */
  readonly layers: number;
  /** So many of them the engine has already: they are not in the archive. */
  readonly present: number;
  /** The image's name, when it is all of it. */
  readonly tag?: string | undefined;
}

/** Gives an archive to whoever takes it, as a stream that is read while it is made. */
export async function withArchive<T>(
  folder: BundleFolder,
  image: PlatformImage,
  part: ArchivePart,
  take: (archive: Readable) => Promise<T>,
): Promise<T> {
  const work = await mkdtemp(join(tmpdir(), "berth-load-"));
  try {
    const files = await layOut(folder, image, part, work);
    const pack = create({ cwd: work, follow: true, portable: true }, files);
    return await take(Readable.from(pack as AsyncIterable<Buffer>, { objectMode: false }));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Small files, and links to the bundle's. Returns their names, in the order in which they are sent. */
async function layOut(
  folder: BundleFolder,
  image: PlatformImage,
  { layers, present, tag }: ArchivePart,
  work: string,
): Promise<string[]> {
  const { manifest, config } = image;
  const isAll = tag !== undefined;
  const files = new Map<string, string | undefined>();
  const partial = partialConfiguration(image.configuration, layers);
  const own = isAll ? blobName(config.digest) : blobName(sha256(partial));
  files.set("manifest.json", JSON.stringify([dockerManifest(image, own, layers, tag)]));
  files.set(own, isAll ? undefined : partial);
  for (const { digest } of image.layers.slice(present, layers)) files.set(blobName(digest), undefined);
  if (isAll) {
    // Engines with containerd's store read these instead.
    const annotations = { "io.containerd.image.name": tag, [layoutName]: tag };
    const described = { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.sizeBytes, annotations };
    files.set("oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    files.set("index.json", JSON.stringify({ schemaVersion: 2, manifests: [described] }));
    files.set(blobName(manifest.digest), undefined);
  }
  for (const [name, text] of files) {
    await mkdir(dirname(join(work, name)), { recursive: true });
    if (text === undefined) await symlink(folder.at(name), join(work, name));
    else await writeFile(join(work, name), text);
  }
  return [...files.keys()];
}

/** https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format */
function dockerManifest({ layers }: PlatformImage, config: string, count: number, tag: string | undefined): object {
  const paths = layers.slice(0, count).map(({ digest }) => blobName(digest));
  return { Config: config, RepoTags: tag === undefined ? null : [tag], Layers: paths };
}
