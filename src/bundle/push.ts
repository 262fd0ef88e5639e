import { createReadStream } from "node:fs";

import pRetry, { AbortError } from "p-retry";

import { mirrorImage, registryOf, type RegistryMirrors } from "../catalog/image-mirror.js";
import { parseImageReference } from "../catalog/image-reference.js";
import { defaultPace, type DownloadPace } from "../host/transfer-watch.js";
import { BerthError, messageOf } from "../lib/errors.js";
import type { Asker } from "../lock/image-digest.js";
import type { BundledImage } from "../schema/bundle.js";
import type { Tell } from "./create.js";
import { blobName, damaged, type BundleFolder } from "./folder.js";
import { readManifest, type Blob, type Manifest } from "./oci.js";
import { RegistryRepository } from "./registry.js";
import { blobPart, findDamagedParts } from "./verify.js";

/** A registry that is to have a bundle's images, and what a stack says of where images are. */
export interface PushPlace {
  /** `registry.example.net:5000`, or a folder of it. */
  readonly registry: string;
  /** The stack's mirrors. */
  readonly mirrors: RegistryMirrors;
}

/** An image with its name at the registry, and the rule of `mirrors.registries` that leads there. */
export interface PushTarget {
  readonly image: BundledImage;
  readonly name: string;
  readonly rule: { readonly from: string; readonly to: string; readonly isNew: boolean };
}

/**
 * Where images go: where the stack's mirrors look for them, if that is in the registry, else below it by their own paths,
 * as a mirror of their whole registry is written. Pure.
 *
 * @throws BerthError `usage` when two images would have one name and tag, or one is not there with all its platforms
 */
export function planPush(images: readonly BundledImage[], { registry, mirrors }: PushPlace): PushTarget[] {
  const taken = new Map<string, BundledImage>();
  return images.map((image) => {
    const { reference, digest, isWhole } = image;
    if (!isWhole) throw notWhole(reference);
    const mirrored = mirrorImage(reference, mirrors);
    const from = registryOf(reference);
    const isThere = mirrored !== reference && isBelow(mirrored, registry);
    const name = isThere ? mirrored : mirrorImage(reference, { [from]: registry });
    const other = taken.get(name);
    if (other !== undefined && other.digest !== digest) throw sameName(name, [other, image]);
    taken.set(name, image);
    return { image, name, rule: { from, to: registry, isNew: !isThere } };
  });
}

function isBelow(name: string, folder: string): boolean {
  return name.startsWith(`${folder}/`);
}

/** An image that the registry has now. */
export interface Pushed {
  readonly target: PushTarget;
  readonly sentBytes: number;
  /** The digest that its tag led to before; undefined where it led there already, or nowhere. */
  readonly movedFrom: string | undefined;
}

export interface PushOptions {
  readonly asker: Asker;
  /** Whether tags that lead to other images are moved. */
  readonly mayReplace: boolean;
  readonly tell: Tell;
  /** Told of each image, also when a later one fails. */
  readonly onPushed: (pushed: Pushed) => void;
  readonly pace?: Pick<DownloadPace, "retries" | "firstWaitSeconds">;
}

/**
 * Copies images to a registry as they are: index, manifests and layers keep their digests, and their tags lead to them.
 * What the registry has is not sent.
 *
 * @throws BerthError `usage`, before anything is sent, when a tag leads to another image and may not be moved
 */
export async function pushImages(
  folder: BundleFolder,
  targets: readonly PushTarget[],
  options: PushOptions,
): Promise<void> {
  const taken: TakenTag[] = [];
  for (const target of targets) {
    const found = await findOther(new RegistryRepository(target.name, options.asker), target);
    if (found !== undefined) taken.push({ target, found });
  }
  if (!options.mayReplace) assertFree(taken);
  for (const target of targets) options.onPushed(await pushImage(folder, target, options));
}

interface TakenTag {
  readonly target: PushTarget;
  /** The digest that the tag has. */
  readonly found: string;
}

/** The digest of another image that a target's tag leads to. */
async function findOther(repository: RegistryRepository, { image, name }: PushTarget): Promise<string | undefined> {
  const { tag } = parseImageReference(name);
  const found = tag === undefined ? undefined : await repository.findTag(tag);
  return found === image.digest ? undefined : found;
}

async function pushImage(
  folder: BundleFolder,
  target: PushTarget,
  { asker, mayReplace, tell, pace }: PushOptions,
): Promise<Pushed> {
  const { image, name } = target;
  const repository = new RegistryRepository(name, asker);
  const { digest, reference } = image;
  const top = await readPart(folder, digest);
  const children = top.manifest.kind === "index" ? top.manifest.children : [];
  const digests = new Set(children.map((child) => child.digest));
  const manifests: ManifestPart[] = [];
  for (const each of digests) manifests.push(await readPart(folder, each));
  manifests.push(top);
  const blobs = manifests.flatMap(({ manifest }) => (manifest.kind === "image" ? blobsOf(manifest) : []));
  const missing: Blob[] = [];
  for (const blob of new Map(blobs.map((each) => [each.digest, each])).values())
    if (!(await repository.has("blobs", blob.digest))) missing.push(blob);
  const { signal } = asker;
  const problems = await findDamagedParts(folder, missing.map(blobPart), { signal });
  if (problems.length > 0) throw damaged(folder.path, problems);
  const total = missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let sentBytes = 0;
  for (const blob of missing) {
    await upload(folder, repository, blob, { name, signal, pace });
    sentBytes += blob.sizeBytes;
    tell(reference, sentBytes, total);
  }
  for (const { digest: own, bytes, manifest } of manifests) {
    if (await repository.has("manifests", own)) continue;
    await repository.putManifest(own, bytes, manifest.mediaType);
    sentBytes += bytes.byteLength;
  }
  const movedFrom = await moveTag(repository, target, top, mayReplace);
  return { target, sentBytes, movedFrom };
}

/** Somebody may have moved it since it was looked at. */
async function moveTag(
  repository: RegistryRepository,
  target: PushTarget,
  { bytes, manifest }: ManifestPart,
  mayReplace: boolean,
): Promise<string | undefined> {
  const { tag } = parseImageReference(target.name);
  if (tag === undefined) return undefined;
  const found = await repository.findTag(tag);
  if (found === target.image.digest) return undefined;
  if (found !== undefined && !mayReplace) assertFree([{ target, found }]);
  await repository.putManifest(tag, bytes, manifest.mediaType);
  return found;
}

interface UploadOptions {
  /** The image, for errors. */
  readonly name: string;
  readonly signal: AbortSignal | undefined;
  readonly pace: PushOptions["pace"] | undefined;
}

/** One that broke off is sent anew, as few registries go on with one. */
async function upload(
  folder: BundleFolder,
  repository: RegistryRepository,
  blob: Blob,
  { name, signal, pace = defaultPace }: UploadOptions,
): Promise<void> {
  const open = () => createReadStream(folder.at(blobName(blob.digest)), { highWaterMark: 1 << 18 });
  const send = async () => {
    try {
      await repository.upload(blob, open, signal);
    } catch (error) {
      throw error instanceof BerthError ? new AbortError(error) : error;
    }
  };
  const retry = { retries: pace.retries, minTimeout: pace.firstWaitSeconds * 1000 };
  try {
    await pRetry(send, { ...retry, ...(signal === undefined ? {} : { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof BerthError) throw error;
    throw new BerthError("image-unavailable", {
      where: name,
      what: "a layer could not be sent to the registry",
      got: messageOf(error),
      hint: "check the connection, then run it again: what the registry has is not sent again",
      cause: error,
    });
  }
}

interface ManifestPart {
  readonly digest: string;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
}

async function readPart(folder: BundleFolder, digest: string): Promise<ManifestPart> {
  const bytes = await folder.readBlob(digest);
  const manifest = readManifest(bytes);
  if (manifest === undefined) throw damaged(folder.path, [`${blobName(digest)} is no manifest`]);
  return { digest, bytes, manifest };
}

function blobsOf({ config, layers }: Extract<Manifest, { kind: "image" }>): readonly Blob[] {
  return [config, ...layers];
}

function assertFree(taken: readonly TakenTag[]): void {
  const [first, ...others] = taken;
  if (first === undefined) return;
  const { target, found } = first;
  const describe = (one: TakenTag) => `${one.target.name} leads to ${one.found}, not to ${one.target.image.digest}`;
  throw new BerthError("usage", {
    where: target.name,
    what: others.length === 0 ? "the tag leads to another image" : `${taken.length} tags lead to other images`,
    got: found,
    expected: target.image.digest,
    hint: "push to another folder of the registry, or move the tag with --replace: who pulls by it gets the other image then",
    ...(others.length === 0 ? {} : { detail: taken.map(describe).join("\n") }),
  });
}

function notWhole(reference: string): BerthError {
  return new BerthError("usage", {
    where: reference,
    what: "the bundle does not have the image for all platforms, and a registry takes an index only with all of them",
    hint: "make the bundle with `berth bundle create --platform all`",
  });
}

function sameName(name: string, images: readonly BundledImage[]): BerthError {
  return new BerthError("usage", {
    where: name,
    what: "two images of the bundle would have this name",
    got: images.map(({ reference, digest }) => `${reference}@${digest}`).join(" and "),
    hint: "push with --stack, and give the stack's `mirrors.registries` a folder for each registry",
  });
}
