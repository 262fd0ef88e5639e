import type { BundledImage, BundleFile } from "../schema/bundle.js";
import { blobName, fileName, type BundleFolder } from "./folder.js";
import { readLayoutIndex, readManifest, type Blob } from "./oci.js";

/** A file of a bundle. */
export interface BundlePart {
  /** Below the bundle's folder. */
  readonly name: string;
  readonly sizeBytes: number;
}

/** Every file that a bundle has by its digest, once. */
export function partsOf({ images, files }: Pick<BundleFile, "images" | "files">): BundlePart[] {
  const blobs = images.flatMap((image) => image.blobs.map(blobPart));
  const all = [...blobs, ...files.map(({ sha256, sizeBytes }) => ({ name: fileName(sha256), sizeBytes }))];
  return [...new Map(all.map((part) => [part.name, part])).values()];
}

export function blobPart({ digest, sizeBytes }: Blob): BundlePart {
  return { name: blobName(digest), sizeBytes };
}

/** Reads files of a bundle. One sentence for each that is not what its name says. */
export async function findDamagedParts(
  folder: BundleFolder,
  parts: readonly BundlePart[],
  { onProgress, signal }: { onProgress?: (bytes: number) => void; signal?: AbortSignal | undefined } = {},
): Promise<string[]> {
  const problems: string[] = [];
  let bytes = 0;
  for (const { name, sizeBytes } of parts) {
    const damage = await folder.findDamage(name, sizeBytes, signal);
    if (damage !== undefined) problems.push(`${name} ${damage}`);
    bytes += sizeBytes;
    onProgress?.(bytes);
  }
  return problems;
}

/** The same of all of them, and whether they are all that the bundle's images are made of. */
export async function verifyBundle(
  folder: BundleFolder,
  contents: BundleFile,
  options: Parameters<typeof findDamagedParts>[2] = {},
): Promise<string[]> {
  const problems = await findDamagedParts(folder, partsOf(contents), options);
  // What a damaged manifest names says nothing.
  if (problems.length > 0) return problems;
  for (const image of contents.images) {
    options.signal?.throwIfAborted();
    problems.push(...(await findGaps(folder, image)));
  }
  return [...problems, ...(await findIndexProblems(folder, contents))];
}

/** What an image's manifests name that its list in `bundle.json` does not. */
async function findGaps(folder: BundleFolder, { reference, digest, blobs, isWhole }: BundledImage): Promise<string[]> {
  const listed = new Set(blobs.map((blob) => blob.digest));
  const top = listed.has(digest) ? readManifest(await folder.readBlob(digest)) : undefined;
  if (top === undefined) return [`${reference}: ${digest} is no image of the bundle`];
  const children = top.kind === "index" ? top.children.filter((child) => listed.has(child.digest)) : [];
  const manifests = [top];
  for (const child of new Set(children.map((each) => each.digest))) {
    const manifest = readManifest(await folder.readBlob(child));
    if (manifest !== undefined) manifests.push(manifest);
  }
  const needed = manifests.flatMap((each) => (each.kind === "image" ? [each.config, ...each.layers] : []));
  const missing = [...new Set(needed.map((blob) => blob.digest))].filter((each) => !listed.has(each));
  const gaps = missing.map((each) => `${reference}: ${blobName(each)} is missing from bundle.json`);
  const lacks = top.kind === "index" && (children.length === 0 || (isWhole && children.length < top.children.length));
  return lacks ? [...gaps, `${reference}: images of its index are missing from bundle.json`] : gaps;
}

/** Berth does not read it; other tools do, and are to find by a name what `bundle.json` has by it. */
async function findIndexProblems(folder: BundleFolder, { images }: BundleFile): Promise<string[]> {
  const named = readLayoutIndex(await folder.readIndex());
  if (named === undefined) return ["index.json is missing, or no index"];
  const lacking = images.filter(
    ({ reference, digest }) => !named.some((each) => each.name === reference && each.digest === digest),
  );
  const others = named.filter(
    ({ name, digest }) => !images.some((image) => image.reference === name && image.digest === digest),
  );
  return [
    ...lacking.map(({ reference }) => `index.json does not name ${reference}`),
    ...others.map(({ digest }) => `index.json names ${digest}, which bundle.json does not have by that name`),
  ];
}
