import { findRecordedImage } from "../install/image.js";
import { forgetPull, recordLoad, recordPull } from "../install/image-record.js";
import { assertRoom } from "../install/image-room.js";
import { BerthError } from "../lib/errors.js";
import type { ImageNeed, Needs } from "../lock/needs.js";
import { filesOf } from "../model/repository.js";
import type { ContainerEngine } from "../runtime/container-engine.js";
import type { LayerStore } from "../runtime/docker-images.js";
import type { BundledImage, BundleFile } from "../schema/bundle.js";
import type { Tell } from "./create.js";
import { damaged, fileName, type BundleFolder } from "./folder.js";
import { readPlatformImage, type PlatformImage } from "./image-archive.js";
import { loadedName, loadImage } from "./image-load.js";
import { findMissingFiles, loadFile, type FilePlace, type MissingFile } from "./load-files.js";
import { findMissingWheels } from "./load-wheels.js";
import { blobPart, findDamagedParts, type BundlePart } from "./verify.js";
import { findLackingPins } from "./wheel-gaps.js";

export interface HostLoad {
  readonly folder: BundleFolder;
  readonly contents: BundleFile;
  /** What the host needs. */
  readonly needs: Needs;
  readonly place: FilePlace;
  /** Asked only for images. */
  readonly engine: () => Promise<Pick<ContainerEngine, "findImage" | "dataFolder">>;
  readonly store: LayerStore;
  /** Which wheels the host's Python takes; asked only for packages. */
  readonly findTag: () => Promise<string>;
  readonly tell: Tell;
}

/** What was not on a host before. */
export interface Loaded {
  readonly images: readonly string[];
  readonly files: readonly string[];
  readonly sentBytes: number;
}

interface MissingImage {
  readonly need: ImageNeed;
  readonly image: PlatformImage;
}

/**
 * What a lock needs that is not in a bundle, for people.
 *
 * @param needs of all hosts that are loaded
 */
export function findGaps(bundle: Pick<BundleFile, "images" | "files" | "packages">, needs: Needs): string[] {
  const { images, files } = bundle;
  const digests = new Set(images.map(({ digest }) => digest));
  const sha256s = new Set(files.map(({ sha256 }) => sha256));
  const models = needs.models.filter(({ model }) => model.from.source !== "file");
  return [
    ...needs.images
      .filter(({ digest }) => !digests.has(digest))
      .map(({ reference, digest }) => `${reference}@${digest}`),
    ...needs.archives.filter(({ sha256 }) => !sha256s.has(sha256)).map(({ of }) => `the file of ${of}`),
    ...needs.packages.flatMap((need) => {
      if (need.pins === undefined) return [`the packages of ${need.of}`];
      return findLackingPins(need, bundle).map((pin) => `a wheel of ${pin} for ${need.of}`);
    }),
    ...models.flatMap(({ of, model }) =>
      filesOf(model).flatMap(({ path, sha256 }) => (sha256s.has(sha256) ? [] : [`${path} of ${of}`])),
    ),
  ];
}

/** @throws BerthError `lock-stale` when a bundle lacks what a lock needs */
export function assertComplete(folder: BundleFolder, contents: BundleFile, needs: Needs): void {
  const gaps = findGaps(contents, needs);
  const [first, ...others] = gaps;
  if (first === undefined) return;
  throw new BerthError("lock-stale", {
    where: folder.path,
    what: `the bundle, made for stack ${contents.stack}, lacks what the lock needs`,
    got: others.length === 0 ? `without ${first}` : `without ${first}, and ${others.length} more`,
    hint: "make it anew with `berth bundle create`, or take the lock that it was made from",
    ...(others.length === 0 ? {} : { detail: gaps.join("\n") }),
  });
}

/**
 * Brings to a host what it needs and lacks: files to where an installation looks for them, images into its engine. All
 * that is to be sent is checked before the first byte of it is, and what was sent on the host again.
 *
 * @throws BerthError `checksum-mismatch` for a damaged bundle, of which then nothing was sent; what hosts and engines throw
 */
export async function loadHost(load: HostLoad): Promise<Loaded> {
  const { folder, contents, needs, place, tell, findTag } = load;
  const wheels = await findMissingWheels(place, needs.packages, contents.files, findTag);
  const files = [...(await findMissingFiles(place, needs)), ...wheels.flatMap((list) => list.files)];
  const images = await findMissingImages(load);
  const sizes = new Map(contents.files.map((file) => [file.sha256, file.sizeBytes]));
  const fileParts = files.map((file) => partOf(file, sizes));
  const imageParts = images.flatMap(({ image }) => [image.config, ...image.layers].map(blobPart));
  const problems = await findDamagedParts(folder, [...fileParts, ...imageParts], { signal: place.signal });
  if (problems.length > 0) throw damaged(folder.path, problems);
  for (const [index, file] of files.entries()) {
    const part = fileParts[index] ?? partOf(file, sizes);
    await loadFile(folder, place, file, part, (current, total) => tell(file.name, current, total));
  }
  for (const { mark } of wheels) await place.host.writeFile(mark, "");
  for (const missing of images) await bringImage(load, missing);
  return {
    images: images.map(({ need }) => need.reference),
    files: files.map(({ name }) => name),
    sentBytes: [...fileParts, ...imageParts].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

function partOf({ sha256, name }: MissingFile, sizes: ReadonlyMap<string, number>): BundlePart {
  const sizeBytes = sizes.get(sha256);
  if (sizeBytes === undefined) throw new Error(`the bundle was not asked for ${name}`);
  return { name: fileName(sha256), sizeBytes };
}

/** Of those that are there it is written down by what the engine knows them, where the lock does not tell. */
async function findMissingImages({ folder, contents, needs, place, engine }: HostLoad): Promise<MissingImage[]> {
  const bundled = new Map(contents.images.map((image) => [image.digest, image]));
  const missing: MissingImage[] = [];
  for (const need of needs.images) {
    const { reference, digest, platforms, hosts } = need;
    const platform = hosts[0]?.platform ?? "linux/amd64";
    const { digest: top }: Pick<BundledImage, "digest"> = bundled.get(digest) ?? need;
    const image = await readPlatformImage(folder, reference, top, platform);
    const ids = [image.config.digest, image.manifest.digest];
    const found = await findRecordedImage(place, await engine(), { reference, digest, ids });
    if (found === undefined) missing.push({ need, image });
    else if (platforms === undefined && ids.includes(found.id)) await recordLoad(place, digest, found.id);
  }
  return missing;
}

async function bringImage(load: HostLoad, { need, image }: MissingImage): Promise<void> {
  const { folder, place, store, tell } = load;
  const { reference, digest } = need;
  const tag = loadedName(reference, digest);
  const engine = await load.engine();
  const onProgress = (current: number, total: number) => tell(reference, current, total);
  const where = `host ${place.host.name}: image ${reference}`;
  await recordPull(place, digest, tag);
  try {
    const { signal, host } = place;
    const room = (neededBytes: number) => assertRoom(host, engine, reference, neededBytes);
    const shared = { folder, image, tag, store, engine, where, onProgress, signal };
    const id = await loadImage({ ...shared, assertRoom: room });
    await recordLoad(place, digest, id);
  } catch (error) {
    const isAbsent = await engine.findImage(tag).then(
      (found) => found === undefined,
      () => false,
    );
    if (isAbsent) await forgetPull(place, digest, tag);
    throw error;
  }
}
