/** Looks at what of downloads lies on a host already, and at the room for more. Nothing is read but names and sizes. */
import { posix } from "node:path";

import type { FileStatus, Host } from "../host/host.js";
import { readMeasures } from "../host/measures.js";
import { dataPaths } from "../host/paths.js";
import { BerthError } from "../lib/errors.js";
import type { Disk, HostStore } from "../planner/report/stores.js";
import type { ContainerEngine } from "../runtime/container-engine.js";
import { findRecordedImage, pinnedName, type PinnedImage } from "./image.js";
import { partName } from "./model-places.js";
import { listRecords, modelRecordName } from "./model-record.js";

export interface WantedImage {
  readonly image: PinnedImage;
  /** Its name at the place it is pulled from. */
  readonly from: string;
}

export interface StoreQuestion {
  readonly host: Host;
  readonly dataDir: string;
  readonly images: readonly WantedImage[];
  /** Asked only for images. */
  readonly engine: () => Promise<Pick<ContainerEngine, "findImage" | "dataFolder">>;
}

/** The host as it is; it need not have a data directory yet. */
export async function surveyStore(question: StoreQuestion): Promise<HostStore> {
  const { host, dataDir } = question;
  const [freeBytes, found, wheels, engine, measures] = await Promise.all([
    host.freeBytes(dataDir),
    findFiles(host, dataDir),
    findWheels(host, dataDir),
    findImages(question),
    readMeasures(host, dataDir),
  ]);
  return { disk: { folder: dataDir, freeBytes }, ...found, wheels, ...engine, measures };
}

/** Archives, and the files of models: in place, in the cache, or begun. */
async function findFiles(host: Host, dataDir: string): Promise<Pick<HostStore, "files" | "begun">> {
  const { models, cache } = dataPaths(dataDir);
  const [files, begun] = [new Map<string, number>(), new Map<string, number>()];
  for (const [path, { size }] of await host.walk(posix.join(cache, "archives"))) {
    const [, sha256 = "", part] = /^([0-9a-f]{64})(\.part)?$/.exec(path) ?? [];
    if (sha256 !== "") (part === undefined ? files : begun).set(sha256, size);
  }
  for (const folder of [models, posix.join(cache, "models")]) {
    const lying = await host.walk(folder);
    for (const [sha256, sizeBytes] of await recordedFiles(host, folder, lying)) files.set(sha256, sizeBytes);
    for (const [path, { kind, size }] of lying) {
      // A file alone lies in the folder of its SHA-256.
      const [, sha256 = "", name] = /^([0-9a-f]{64})\/([^/]+)$/.exec(path) ?? [];
      if (sha256 === "" || kind !== "file") continue;
      if (name === partName) begun.set(sha256, size);
      else if (folder !== models && !lying.has(posix.join(sha256, modelRecordName))) files.set(sha256, size);
    }
  }
  return { files, begun };
}

/** Files as the records of models have them, of those that are there. */
async function recordedFiles(
  host: Host,
  folder: string,
  lying: ReadonlyMap<string, FileStatus>,
): Promise<[string, number][]> {
  return (await listRecords(host, folder)).flatMap(({ folder: model, record }) =>
    Object.entries(record.files).flatMap(([path, { sha256, sizeBytes }]): [string, number][] => {
      const status = lying.get(posix.join(posix.relative(folder, model), path));
      return status?.kind === "file" && status.size === sizeBytes ? [[sha256, sizeBytes]] : [];
    }),
  );
}

async function findWheels(host: Host, dataDir: string): Promise<ReadonlyMap<string, number>> {
  const lying = await host.walk(posix.join(dataPaths(dataDir).cache, "wheels"));
  const sizes = new Map<string, number>();
  for (const path of lying.keys()) {
    const [folder = "", sha256] = /^([0-9a-f]{64})-[^/]+(?=\/complete$)/.exec(path) ?? [];
    if (sha256 === undefined) continue;
    const wheels = [...lying].filter(([each]) => each.startsWith(`${folder}/`) && each.endsWith(".whl"));
    sizes.set(
      sha256,
      wheels.reduce((sum, [, { size }]) => sum + size, 0),
    );
  }
  return sizes;
}

async function findImages(question: StoreQuestion): Promise<Pick<HostStore, "images" | "imageDisk">> {
  if (question.images.length === 0) return { images: new Set() };
  try {
    return await lookAtEngine(question, await question.engine());
  } catch (error) {
    if (!(error instanceof BerthError) || error.code === "host-unreachable") throw error;
    // An engine that does not answer has none that is known of; what is wrong with it, facts tell.
    return { images: new Set() };
  }
}

async function lookAtEngine(
  question: StoreQuestion,
  engine: Pick<ContainerEngine, "findImage" | "dataFolder">,
): Promise<Pick<HostStore, "images" | "imageDisk">> {
  const { host, dataDir, images: wanted } = question;
  const found = await Promise.all(
    wanted.map(async ({ image, from }) => {
      const names = [pinnedName(from, image.digest)];
      return (await findRecordedImage({ host, dataDir }, engine, image, names)) === undefined ? [] : [image.digest];
    }),
  );
  return { images: new Set(found.flat()), imageDisk: await findImageDisk(question, engine) };
}

/** Undefined where the engine has its images elsewhere than on the host, or beside the data directory. */
async function findImageDisk(
  { host, dataDir }: StoreQuestion,
  engine: Pick<ContainerEngine, "dataFolder">,
): Promise<Disk | undefined> {
  const folder = await engine.dataFolder();
  if (folder === undefined || (await host.status(folder)) === undefined) return undefined;
  const [images, data] = await Promise.all([deviceOf(host, folder), deviceOf(host, dataDir)]);
  return images !== undefined && images === data ? undefined : { folder, freeBytes: await host.freeBytes(folder) };
}

/** The file system of the nearest folder that exists. */
async function deviceOf(host: Host, path: string): Promise<string | undefined> {
  const { exitCode, stdout } = await host.run(["stat", "-c", "%d", path], { timeoutSeconds: 30 });
  if (exitCode === 0) return stdout.trim();
  const above = posix.dirname(path);
  return above === path ? undefined : deviceOf(host, above);
}
