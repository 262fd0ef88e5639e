/** Container images in a host's engine. Their digest is their identity: what is there by it is what was pinned. */
import { registryOf } from "../catalog/image-mirror.js";
import { parseImageReference } from "../catalog/image-reference.js";
import type { Host } from "../host/host.js";
import type { FindRegistryLogin } from "../host/registry-login.js";
import { BerthError } from "../lib/errors.js";
import type { ContainerEngine, ImageStatus, PullProgress } from "../runtime/container-engine.js";

import { readImageRecord, type ImageRecords } from "./image-record.js";
import { pullWithinRoom } from "./image-room.js";

/** An image, exactly. */
export interface PinnedImage {
  /** By its public name: `registry/repository:tag`. */
  readonly reference: string;
  /** Of the image, or of its index where it has several platforms. */
  readonly digest: string;
  /**
   * Other digests of the same image: of the host's platform in the index, and of its configuration. By the last an
   * engine knows what was loaded from an archive.
   */
  readonly ids?: readonly string[] | undefined;
}

/** `NAME@sha256:...`, without a tag, as engines name what they pulled. */
export function pinnedName(reference: string, digest: string): string {
  return `${parseImageReference(reference).name}@${digest}`;
}

/**
 * The image as the engine has it: pulled by one of the names, or loaded from an archive. Undefined when it has none
 * with one of its digests. A container is made from the `id` of what is found.
 *
 * @param names by which it may have been pulled, beside its public name
 */
export async function findPinnedImage(
  engine: Pick<ContainerEngine, "findImage">,
  { reference, digest, ids = [] }: PinnedImage,
  names: readonly string[] = [],
): Promise<ImageStatus | undefined> {
  const isIt = ({ id, digests }: ImageStatus) =>
    [digest, ...ids].some((one) => id === one || digests.some((name) => name.endsWith(`@${one}`)));
  for (const name of new Set([...names, pinnedName(reference, digest), digest, ...ids])) {
    const found = await engine.findImage(name);
    if (found !== undefined && isIt(found)) return found;
  }
  return undefined;
}

/** The same, also by what Berth has written down of it: names by which it was pulled, and what a bundle brought. */
export async function findRecordedImage(
  place: ImageRecords,
  engine: Pick<ContainerEngine, "findImage">,
  image: PinnedImage,
  names: readonly string[] = [],
): Promise<ImageStatus | undefined> {
  const { names: pulled, id: loaded } = await readImageRecord(place, image.digest);
  const ids = [...(image.ids ?? []), ...(loaded === undefined ? [] : [loaded])];
  return findPinnedImage(engine, { ...image, ids }, [...names, ...pulled]);
}

export interface PullRequest {
  readonly host: Pick<Host, "name" | "freeBytes" | "status">;
  readonly image: PinnedImage;
  /** Its name at the place it is pulled from: the mirror's, or its own. */
  readonly from: string;
  readonly findLogin: FindRegistryLogin;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Pulls an image by its digest, with the login of its registry if there is one. Throws what the engine's pull throws. */
export async function pullImage(
  engine: Pick<ContainerEngine, "pull" | "dataFolder">,
  request: PullRequest,
): Promise<void> {
  const { host, image, from, findLogin, onProgress, signal } = request;
  const login = await findLogin(registryOf(from));
  const options = { login, onProgress: onProgress && seldom(onProgress), signal };
  await pullWithinRoom(host, engine, pinnedName(from, image.digest), options);
}

/** @throws BerthError `checksum-mismatch` when the engine does not have it by its digest */
export async function verifyImage(
  engine: Pick<ContainerEngine, "findImage">,
  { where, image, from }: Pick<PullRequest, "image" | "from"> & { readonly where: string },
): Promise<void> {
  if ((await findPinnedImage(engine, image, [pinnedName(from, image.digest)])) !== undefined) return;
  throw new BerthError("checksum-mismatch", {
    where: `${where}: ${from}`,
    what: "the container engine pulled the image, and does not have it by the digest that is pinned",
    expected: image.digest,
    hint: "see what it has (`docker images --digests`), and run `pulumi up` again",
  });
}

/** What of an image stays on the host, and why. */
export interface ImageLeft {
  readonly name: string;
  readonly because: string;
}

/**
 * Takes an image's names away from the engine, and with its last name the image. One that a container was made of stays,
 * whether it runs or not.
 */
export async function removeNames(engine: ContainerEngine, names: readonly string[]): Promise<ImageLeft[]> {
  const left: ImageLeft[] = [];
  for (const name of names) {
    const image = await engine.findImage(name);
    if (image === undefined) continue;
    const user = await findUser(engine, image.id);
    if (user === undefined) await engine.removeImage(name);
    else left.push({ name, because: `container ${user} was made of it` });
  }
  return left;
}

async function findUser(engine: ContainerEngine, imageId: string): Promise<string | undefined> {
  for (const { id, name } of await engine.listContainers({})) {
    const container = await engine.inspectContainer(id);
    if (container?.imageId === imageId) return name;
  }
  return undefined;
}

/**
 * For a host that pulls no images.
 *
 * @param missing every image that it lacks
 * @throws BerthError `host-unsuitable` with the commands that bring them there
 */
export function refuseMissing(where: string, missing: readonly PinnedImage[]): never {
  const references = missing.map(({ reference }) => reference);
  const commands = missing.flatMap(({ reference, digest }) => [
    `docker pull ${pinnedName(reference, digest)}`,
    `docker tag ${pinnedName(reference, digest)} ${reference}`,
  ]);
  throw new BerthError("host-unsuitable", {
    where,
    what: "the host pulls no images (`images: neverPull`), and its container engine lacks some that it needs",
    got: `${missing.length} missing`,
    expected: missing.map(({ reference, digest }) => `${reference}@${digest}`).join(", "),
    hint: "bring them there with `berth bundle create` and `berth bundle load`, from a machine that reaches their registries; or by hand, where `docker load` is run on the host",
    detail: [
      ...commands,
      `docker save ${references.join(" ")} --output images.tar`,
      "docker load --input images.tar",
    ].join("\n"),
  });
}

const toldFraction = 0.01;

/** Engines tell of each layer several times a second. */
function seldom(tell: (progress: PullProgress) => void): (progress: PullProgress) => void {
  let before: PullProgress | undefined;
  return (progress) => {
    const { bytes, totalBytes, doneLayers, layers } = progress;
    const moved = before === undefined ? totalBytes : Math.abs(bytes - before.bytes);
    const isSame = before !== undefined && before.doneLayers === doneLayers && before.layers === layers;
    if (isSame && moved < totalBytes * toldFraction) return;
    before = progress;
    tell(progress);
  };
}
