/** Where the files of models lie on a host: in place, in the cache, and as parts of other models. */
import { posix } from "node:path";

import { diskFull } from "../host/download-failure.js";
import type { FileStatus, Host } from "../host/host.js";
import { dataPaths, modelPath } from "../host/paths.js";
import { BerthError } from "../lib/errors.js";
import type { PinnedFile } from "../model/repository.js";
import { listRecords, modelRecordName, type ModelRecord } from "./model-record.js";
import type { LazyPythonContext } from "./python.js";
import type { TransferMeter } from "./transfer-meter.js";

/** What a source needs of the host: Python is asked for only by wheels. */
export type ModelContext = LazyPythonContext & {
  /** Told what comes over the network. */
  readonly meter?: TransferMeter | undefined;
};
export type ModelPlace = Pick<LazyPythonContext, "host" | "dataDir">;

export type OnProgress = (current: number, total: number | undefined) => void;

/** What is being fetched, and what has been, in the folder of its SHA-256 in the cache. */
export const partName = "model.part";
export const completeName = "model";

/** The cache of a model, or of a file, by its digest. */
export function cacheFolder(dataDir: string, digest: string): string {
  return posix.join(dataPaths(dataDir).cache, "models", digest);
}

/** What lies where runners find a model, by its path there, sorted, except its record. */
export async function placedFiles({ host, dataDir }: ModelPlace, digest: string): Promise<string[]> {
  const found = await host.walk(modelPath(dataDir, digest, "."));
  return [...found.keys()].filter((path) => path !== modelRecordName).sort();
}

/** Takes placed files back to the cache, so that bringing the model again needs no download. */
export async function retireFiles(
  { host, dataDir }: ModelPlace,
  digest: string,
  paths: readonly string[],
): Promise<void> {
  for (const path of paths)
    await host.rename(modelPath(dataDir, digest, path), posix.join(cacheFolder(dataDir, digest), path));
}

/** Puts files in place, each in one step. What is wanted in several places is copied for all but the last. */
export async function placeFiles(host: Host, moves: readonly { readonly from: string; readonly to: string }[]) {
  for (const [index, { from, to }] of moves.entries()) {
    if (from === to) continue;
    if ((await host.status(to))?.kind === "directory") await host.remove(to);
    const isWantedAgain = moves.slice(index + 1).some((later) => later.from === from);
    if (isWantedAgain) await host.rename(await copyAside(host, from), to);
    else await host.rename(from, to);
  }
}

async function copyAside(host: Host, from: string): Promise<string> {
  const copy = `${from}.copy`;
  const { exitCode, stderr } = await host.run(["cp", from, copy]);
  if (exitCode === 0) return copy;
  if (/no space left/i.test(stderr)) throw diskFull(copy);
  throw new BerthError("command-failed", {
    where: `host ${host.name}: ${copy}`,
    what: "a file cannot be copied",
    detail: stderr,
  });
}

/**
 * Where on the host a file of a model lies already, whatever its name: in place, in the cache, or in another model that
 * nobody wants any more. A file of its own folder in the cache that is not it is removed.
 */
export async function findFile(
  context: Pick<ModelContext, "host" | "dataDir" | "signal">,
  digest: string,
  file: PinnedFile,
  record: ModelRecord | undefined,
): Promise<string | undefined> {
  const { host, dataDir, signal } = context;
  const inPlace = modelPath(dataDir, digest, file.path);
  if (await isUnchanged(host, inPlace, file, record)) return inPlace;
  const alone = digest === file.sha256 ? await placedFiles(context, digest) : [];
  const placed = [inPlace, ...alone.map((path) => modelPath(dataDir, digest, path))];
  for (const path of new Set(placed)) if (await holds(host, path, file, signal)) return path;
  const retired = posix.join(cacheFolder(dataDir, digest), file.path);
  if (await holds(host, retired, file, signal)) return retired;
  const folder = cacheFolder(dataDir, file.sha256);
  for (const name of [...(await host.walk(folder)).keys()].filter((each) => each !== partName).sort()) {
    const path = posix.join(folder, name);
    if (await holds(host, path, file, signal)) return path;
    await host.remove(path);
  }
  return findElsewhere(context, posix.join(dataPaths(dataDir).cache, "models"), file);
}

/** The same file as a part of another model below a folder; it is verified. */
export async function findElsewhere(
  { host, signal }: Pick<ModelContext, "host" | "signal">,
  folder: string,
  file: PinnedFile,
): Promise<string | undefined> {
  for (const { folder: other, record } of await listRecords(host, folder)) {
    const [path] = Object.entries(record.files).find(([, { sha256 }]) => sha256 === file.sha256) ?? [];
    const found = path === undefined ? undefined : posix.join(other, path);
    if (found !== undefined && (await holds(host, found, file, signal))) return found;
  }
  return undefined;
}

/** A file as its record has it needs no second look: programs cannot set its status-change time back. */
async function isUnchanged(
  host: Host,
  path: string,
  file: PinnedFile,
  record: ModelRecord | undefined,
): Promise<boolean> {
  const known = record?.files[file.path];
  if (known?.sha256 !== file.sha256) return false;
  const status = await host.status(path);
  return isAsRecorded(status, known);
}

export function isAsRecorded(
  status: FileStatus | undefined,
  known: { readonly sizeBytes: number; readonly changedAt: string },
): boolean {
  return status?.kind === "file" && status.size === known.sizeBytes && status.changedAt === known.changedAt;
}

/** Links do not count: what they lead to is not Berth's to move. */
async function holds(host: Host, path: string, file: PinnedFile, signal: AbortSignal | undefined): Promise<boolean> {
  const status = await host.status(path);
  if (status?.kind !== "file" || (file.sizeBytes !== undefined && status.size !== file.sizeBytes)) return false;
  return (await host.sha256(path, signal)) === file.sha256;
}
