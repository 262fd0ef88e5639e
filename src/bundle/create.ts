import { BerthError } from "../lib/errors.js";
import type { Asker } from "../lock/image-digest.js";
import type { ImageNeed, Needs } from "../lock/needs.js";
import { secretMissing } from "../lock/secret.js";
import type { BundledFile, BundledImage, BundleFile, ImagePlatform } from "../schema/bundle.js";
import type { LockFile } from "../schema/lock.js";
import { fetchArchive, fetchModel, type FetchContext } from "./file-fetch.js";
import { blobName, fileName, type BundleFolder } from "./folder.js";
import { withFolderLock, type BundleMaker } from "./folder-lock.js";
import { fetchImage, type WantedPlatforms } from "./image-fetch.js";
import { explainFolder } from "./made-folder.js";
import { layoutName, ociIndexType, readManifest } from "./oci.js";
import { RegistryRepository } from "./registry.js";
import { fetchWheels } from "./wheel-fetch.js";
import { describePackages } from "./wheel-gaps.js";

/** Told how far something is. */
export type Tell = (what: string, current: number, total: number | undefined) => void;

export interface BundleRequest {
  readonly stack: string;
  readonly lock: Pick<LockFile, "id" | "release">;
  readonly needs: Needs;
  /** Of images. Undefined: those of the hosts that need them. */
  readonly platforms: WantedPlatforms | undefined;
  readonly context: FetchContext;
  readonly asker: Asker;
  readonly maker: BundleMaker;
  readonly findSecret: (name: string) => Promise<string | undefined>;
  /** The index of a stack that names none, or undefined for the public one. */
  readonly defaultIndex: string | undefined;
  readonly tell: Tell;
}

export interface MadeBundle {
  readonly contents: BundleFile;
  /** So many files of an earlier bundle were taken away. */
  readonly pruned: number;
}

/**
 * Makes a bundle of all that a lock needs, or brings it up to date: nothing is fetched that is there and has its digest.
 * It counts as one only when all of it is there.
 *
 * @throws BerthError `usage` for a folder that no bundle can be made in, `host-busy` when another run makes it
 */
export async function createBundle(folder: BundleFolder, request: BundleRequest): Promise<MadeBundle> {
  try {
    await folder.prepare();
    return await withFolderLock(request.context.host, folder, request.maker, () => fillBundle(folder, request));
  } catch (error) {
    throw explainFolder(folder.path, error);
  }
}

async function fillBundle(folder: BundleFolder, request: BundleRequest): Promise<MadeBundle> {
  const { stack, lock } = request;
  await folder.dropTools();
  const before = await folder.findContents();
  if (before !== undefined && before.stack !== stack) throw ofAnother(folder, before, stack);
  const images = await fetchImages(folder, request);
  const files = await fetchFiles(folder, request, before);
  await folder.writeText("oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await folder.writeText("index.json", JSON.stringify(await makeIndex(folder, images)));
  const contents: BundleFile = {
    ...{ bundleVersion: 1, stack, lock: lock.id },
    release: Object.fromEntries(Object.entries(lock.release).map(([name, { id }]) => [name, id])),
    platforms: platformsOf(request),
    images,
    files,
    packages: request.needs.packages.flatMap((need) => describePackages(need, files)),
  };
  await folder.writeContents(contents);
  const blobs = images.flatMap((image) => image.blobs.map(({ digest }) => blobName(digest)));
  const pruned = await folder.prune(new Set([...blobs, ...files.map(({ sha256 }) => fileName(sha256))]));
  return { contents, pruned };
}

async function fetchImages(folder: BundleFolder, request: BundleRequest): Promise<BundledImage[]> {
  const { needs, asker, tell } = request;
  const images: BundledImage[] = [];
  for (const need of needs.images) {
    const { reference, digest, from } = need;
    const repository = new RegistryRepository(from, asker);
    const onProgress = (current: number, total: number) => tell(reference, current, total);
    const platforms = request.platforms ?? ownPlatforms(need);
    const { signal } = asker;
    images.push(await fetchImage(folder, repository, { reference, digest, platforms, onProgress, signal }));
  }
  return images;
}

function ownPlatforms({ hosts }: Pick<ImageNeed, "hosts">): readonly ImagePlatform[] {
  return [...new Set(hosts.map(({ platform }) => platform))];
}

function platformsOf({ platforms, needs }: BundleRequest): ImagePlatform[] {
  if (platforms === "all") return ["linux/amd64", "linux/arm64"];
  const own = Object.values(needs).flatMap((all: readonly Pick<ImageNeed, "hosts">[]) => all.flatMap(ownPlatforms));
  const wanted = [...new Set(platforms ?? own)].sort();
  return wanted.length === 0 ? ["linux/amd64"] : wanted;
}

async function fetchFiles(
  folder: BundleFolder,
  request: BundleRequest,
  before: BundleFile | undefined,
): Promise<BundledFile[]> {
  const { needs, context, tell, findSecret, defaultIndex } = request;
  const files: BundledFile[] = [];
  const known = new Map((before?.files ?? []).map((file) => [file.sha256, file]));
  for (const need of needs.packages) {
    const onProgress = (bytes: number) => tell(`packages of ${need.of}`, bytes, undefined);
    files.push(...(await fetchWheels(folder, context, { need, defaultIndex, before: known, onProgress })));
  }
  for (const need of needs.archives) {
    files.push(await fetchArchive(folder, context, need, (current, total) => tell(need.of, current, total)));
  }
  for (const need of needs.models) {
    const token = need.token === undefined ? undefined : await findSecret(need.token);
    if (need.token !== undefined && token === undefined) throw secretMissing(need.token);
    files.push(...(await fetchModel(folder, context, need, token, (current, total) => tell(need.of, current, total))));
  }
  // Models share files; the first one's name will do.
  return [...new Map(files.toReversed().map((file) => [file.sha256, file])).values()].toReversed();
}

/** `index.json` of an OCI layout, by which other tools find the images: `skopeo copy oci:FOLDER:REFERENCE ...`. */
async function makeIndex(folder: BundleFolder, images: readonly BundledImage[]): Promise<object> {
  const manifests = [];
  for (const { reference, digest } of images) {
    const bytes = await folder.readBlob(digest);
    const manifest = readManifest(bytes);
    if (manifest === undefined) throw new BerthError("file-invalid", { where: digest, what: "this is no image" });
    const annotations = { [layoutName]: reference };
    manifests.push({ mediaType: manifest.mediaType, digest, size: bytes.byteLength, annotations });
  }
  return { schemaVersion: 2, mediaType: ociIndexType, manifests };
}

/** What the other stack needs would be taken away. */
function ofAnother({ path }: BundleFolder, { stack: got }: BundleFile, expected: string): BerthError {
  return new BerthError("usage", {
    where: path,
    what: "the folder has the bundle of another stack",
    got,
    expected,
    hint: "name another folder, or remove this one",
  });
}
