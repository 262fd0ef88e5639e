import { parseImageReference } from "../catalog/image-reference.js";
import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import type { ContainerEngine } from "../runtime/container-engine.js";
import type { LayerStore } from "../runtime/docker-images.js";
import type { BundleFolder } from "./folder.js";
import { partialConfiguration, withArchive, type ArchivePart, type PlatformImage } from "./image-archive.js";
import type { Blob } from "./oci.js";

/** An engine has all of an archive, or nothing: what a broken connection costs is at most so much, and one layer. */
const archiveBytes = 1_000_000_000;

/**
 * The name of an image that a bundle brought: that of its repository, with its digest for a tag. So it takes the name
 * from no other image.
 */
export function loadedName(reference: string, digest: string): string {
  return `${parseImageReference(reference).name}:${digest.replace(":", "-")}`;
}

/** Which layers an image and an engine's images have in common, from the lowest. */
export function countPresent(diffIds: readonly string[], images: readonly (readonly string[])[]): number {
  const common = (layers: readonly string[]) => {
    const first = diffIds.findIndex((diffId, index) => layers[index] !== diffId);
    return first < 0 ? diffIds.length : first;
  };
  return Math.max(0, ...images.map(common));
}

/** In how many archives an image is sent: each has so many layers in all, the last all of them. */
export function planArchives(layers: readonly Blob[], present: number, mostBytes = archiveBytes): number[] {
  const ends: number[] = [];
  let bytes = 0;
  for (const [index, { sizeBytes }] of layers.entries()) {
    if (index < present) continue;
    if (bytes > 0 && bytes + sizeBytes > mostBytes) {
      ends.push(index);
      bytes = 0;
    }
    bytes += sizeBytes;
  }
  return [...ends, layers.length];
}

export interface ImageLoad {
  readonly folder: BundleFolder;
  readonly image: PlatformImage;
  /** Its name at the engine. */
  readonly tag: string;
  readonly store: LayerStore;
  readonly engine: Pick<ContainerEngine, "findImage">;
  /** Host and image, for errors. */
  readonly where: string;
  /** Throws when so many bytes of layers have no room. */
  readonly assertRoom: (neededBytes: number) => Promise<void>;
  readonly onProgress: (current: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loads an image into an engine. Layers that the engine has are not sent; where it was interrupted it goes on behind the
 * last archive that the engine took.
 *
 * @returns what the engine knows the image by
 * @throws BerthError `checksum-mismatch` when the engine has something else afterwards, and what engines throw
 */
export async function loadImage(load: ImageLoad): Promise<string> {
  const { image, tag, store } = load;
  const { diffIds } = image.configuration;
  const known = await store.listLayers();
  const present = known === undefined ? 0 : countPresent(diffIds, known);
  await load.assertRoom(sumOf(image.layers.slice(present)));
  // An engine that wants all layers in one archive gets one.
  const ends = known === undefined ? [image.layers.length] : planArchives(image.layers, present);
  try {
    await sendArchives(load, present, ends);
  } catch (error) {
    if (present === 0 || !(error instanceof BerthError) || error.code !== "docker-refused") throw error;
    // Perhaps what it counted on was removed in the meantime.
    await send(load, { layers: image.layers.length, present: 0, tag });
  }
  for (let layers = 1; layers < image.layers.length; layers += 1)
    await store.forget(`sha256:${sha256(partialConfiguration(image.configuration, layers))}`);
  return findLoaded(load);
}

async function sendArchives(load: ImageLoad, present: number, ends: readonly number[]): Promise<void> {
  let begun = present;
  for (const layers of ends) {
    const isLast = layers === load.image.layers.length;
    await send(load, { layers, present: begun, ...(isLast ? { tag: load.tag } : {}) });
    begun = layers;
  }
}

async function send({ folder, image, store, onProgress, signal }: ImageLoad, part: ArchivePart): Promise<void> {
  const total = sumOf(image.layers);
  let current = sumOf(image.layers.slice(0, part.present));
  await withArchive(folder, image, part, async (archive) => {
    archive.on("data", (chunk: Buffer) => {
      current += chunk.byteLength;
      onProgress(Math.min(current, total), total);
    });
    archive.pause();
    await store.load(archive, signal);
  });
}

async function findLoaded({ image, engine, where, tag }: ImageLoad): Promise<string> {
  const wanted = [image.config.digest, image.manifest.digest];
  for (const id of wanted) {
    const found = await engine.findImage(id);
    if (found !== undefined && wanted.includes(found.id)) return found.id;
  }
  throw new BerthError("checksum-mismatch", {
    where,
    what: "the container engine loaded the image, and does not have it by its digest",
    got: (await engine.findImage(tag))?.id ?? "no such image",
    expected: wanted.join(" or "),
  });
}

function sumOf(layers: readonly Blob[]): number {
  return layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
