/**
 * A backend version that is a container image: the host's engine has it by its digest. There is nothing to install;
 * `installation` is the engine's id of the image, of which containers are made.
 */
import { posix } from "node:path";

import { imageOrigin } from "../catalog/origins.js";
import { createRegistryLogins, type FindRegistryLogin } from "../host/registry-login.js";
import {
  findRecordedImage,
  pinnedName,
  pullImage,
  refuseMissing,
  removeNames,
  verifyImage,
  type PinnedImage,
} from "../install/image.js";
import { forgetPull, forgetPulls, readPulledNames, recordPull } from "../install/image-record.js";
import { BerthError } from "../lib/errors.js";
import type { ContainerEngine, ImageStatus, PullProgress } from "../runtime/container-engine.js";
import { assertNoEngine, isUnreachable } from "../runtime/docker-remains.js";
import type { BackendVersionInputs } from "./backend-version-inputs.js";
import { subjectOf } from "./installers.js";
import type { CommonObserved, Context, Operation } from "./kind.js";
import { recordTransfer } from "./transfer-record.js";

const folder = "images";

/** What of the host an image uses: shared by all versions, of all backends and stacks, that are this image. */
export function imageUses({ digest = "" }: Partial<BackendVersionInputs>): string {
  return posix.join(folder, digest.replace(/^sha256:/, ""));
}

export function isImageUse(uses: string): boolean {
  return posix.dirname(uses) === folder;
}

interface ImageObserved extends CommonObserved {
  readonly installation: string;
}

export async function observeImage(context: Context, inputs: BackendVersionInputs): Promise<ImageObserved> {
  const { image } = pullOf(inputs);
  try {
    const found = await findImage(context, await context.containerEngine(), inputs);
    if (found !== undefined) return { installation: found.id, drift: [] };
    const drift = [`the container engine does not have ${pinnedName(image.reference, image.digest)}`];
    return { installation: "", drift };
  } catch (error) {
    if (!(error instanceof BerthError) || error.code === "host-unreachable") throw error;
    const { what } = error.parts;
    return { installation: "", drift: [`its image cannot be looked for: ${what}`] };
  }
}

export async function convergeImage(
  context: Context,
  operation: Operation,
  inputs: BackendVersionInputs,
): Promise<void> {
  const engine = await context.containerEngine();
  if ((await findImage(context, engine, inputs)) !== undefined) return;
  if (inputs.neverPull !== undefined) await refuseToPull(context, engine, inputs.neverPull);
  const { host, reference, signal } = context;
  const { image, from } = pullOf(inputs);
  const where = subjectOf(context, inputs);
  const place = { host, dataDir: reference.dataDir };
  const name = pinnedName(from, image.digest);
  await operation.step("pull the image", async () => {
    await recordPull(place, image.digest, name);
    const report = reportPull(context, inputs);
    try {
      await recordTransfer(context, imageOrigin(from), (meter) => {
        const watch = meter.watch(() => undefined);
        const onProgress = (progress: PullProgress) => {
          watch(progress.bytes, progress.totalBytes);
          report(progress);
        };
        return pullImage(engine, { host, image, from, findLogin: loginsOf(context, inputs), onProgress, signal });
      });
    } catch (error) {
      // When only the answer was lost, the image is there, and Berth's.
      const isAbsent = await engine.findImage(name).then(
        (found) => found === undefined,
        () => false,
      );
      if (isAbsent) await forgetPull(place, image.digest, name);
      throw error;
    }
  });
  await operation.step("verify", () => verifyImage(engine, { where, image, from }));
}

/** What Berth did not pull stays, as does what a container was made of. */
export async function removeImage(context: Context, operation: Operation, uses: string): Promise<void> {
  const { host, reference, log } = context;
  const place = { host, dataDir: reference.dataDir };
  const digest = `sha256:${posix.basename(uses)}`;
  const names = await readPulledNames(place, digest);
  if (names.length === 0) return;
  await operation.step("remove the image", async () => {
    try {
      const left = await removeNames(await context.containerEngine(), names);
      for (const { name, because } of left) {
        log({ kind: "warning", subject: host.name, text: `${name} stays, because ${because}` });
      }
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      await assertNoEngine(host, error);
    }
    await forgetPulls(place, digest);
  });
}

async function findImage(
  { host, reference }: Context,
  engine: ContainerEngine,
  inputs: BackendVersionInputs,
): Promise<ImageStatus | undefined> {
  const { image, from } = pullOf(inputs);
  return findRecordedImage({ host, dataDir: reference.dataDir }, engine, image, [pinnedName(from, image.digest)]);
}

/** Tells all that is missing at once, so that images are brought to the host once. */
async function refuseToPull(
  { host, reference }: Context,
  engine: ContainerEngine,
  needed: readonly PinnedImage[],
): Promise<never> {
  const place = { host, dataDir: reference.dataDir };
  const missing: PinnedImage[] = [];
  for (const image of needed) {
    if ((await findRecordedImage(place, engine, image)) === undefined) missing.push(image);
  }
  return refuseMissing(`host ${host.name}`, missing);
}

function pullOf({ reference, digest, ids, pullFrom }: BackendVersionInputs): { image: PinnedImage; from: string } {
  if (reference === undefined || digest === undefined) throw new Error("an image without its name and digest");
  return { image: { reference, digest, ids }, from: pullFrom ?? reference };
}

/** The stack's login of the registry that is pulled from, else what `docker login` left on the host. */
function loginsOf(context: Context, { registryUser, registryPassword }: BackendVersionInputs): FindRegistryLogin {
  return async (registry) => {
    if (registryUser !== undefined && registryPassword !== undefined)
      return { username: registryUser, password: registryPassword };
    const { home } = await context.facts();
    return createRegistryLogins({ HOME: home }, context.host)(registry);
  };
}

function reportPull(context: Context, { name, backend, version }: BackendVersionInputs) {
  return ({ bytes, totalBytes, doneLayers, layers }: PullProgress) =>
    context.log({
      kind: "progress",
      subject: name,
      text: `${backend} ${version}`,
      current: bytes,
      ...(totalBytes === 0 ? {} : { total: totalBytes }),
      parts: { done: doneLayers, all: layers },
    });
}
