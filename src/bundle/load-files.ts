/** Files of a bundle, and where hosts look for them before they fetch them. */
import { posix } from "node:path";

import type { Host } from "../host/host.js";
import { dataPaths, modelPath } from "../host/paths.js";
import { sendFile } from "../host/send.js";
import { completeName, findFile, cacheFolder, partName } from "../install/model-places.js";
import { readRecord } from "../install/model-record.js";
import { BerthError } from "../lib/errors.js";
import type { Needs } from "../lock/needs.js";
import { filesOf } from "../model/repository.js";
import { fileName, type BundleFolder } from "./folder.js";
import type { BundlePart } from "./verify.js";

export interface FilePlace {
  readonly host: Host;
  readonly dataDir: string;
  readonly signal?: AbortSignal | undefined;
}

/** A file that a host lacks. */
export interface MissingFile {
  readonly sha256: string;
  /** For people. */
  readonly name: string;
  /** Where it grows, and what it is called when it was checked. */
  readonly part: string;
  readonly path: string;
}

/** Whether a file is on a host, all of it. */
export async function holdsFile({ host, signal }: FilePlace, path: string, sha256: string): Promise<boolean> {
  return (await host.status(path))?.kind === "file" && (await host.sha256(path, signal)) === sha256;
}

/** Archives and files of models that a host needs and does not have. What it has is read, all of it. */
export async function findMissingFiles(
  place: FilePlace,
  { archives, models }: Pick<Needs, "archives" | "models">,
): Promise<MissingFile[]> {
  const { host, dataDir, signal } = place;
  const missing = new Map<string, MissingFile>();
  for (const { sha256, of } of archives) {
    const path = posix.join(dataPaths(dataDir).cache, "archives", sha256);
    if (!(await holdsFile(place, path, sha256))) missing.set(sha256, { sha256, name: of, path, part: `${path}.part` });
  }
  for (const { model } of models) {
    if (model.from.source === "file") continue;
    const record = await readRecord(host, modelPath(dataDir, model.sha256, "."));
    for (const file of filesOf(model)) {
      const look = signal === undefined ? { host, dataDir } : { host, dataDir, signal };
      if ((await findFile(look, model.sha256, file, record)) !== undefined) continue;
      const folder = cacheFolder(dataDir, file.sha256);
      const names = { path: posix.join(folder, completeName), part: posix.join(folder, partName) };
      missing.set(file.sha256, { sha256: file.sha256, name: file.path, ...names });
    }
  }
  return [...missing.values()];
}

/** Sends a file of the bundle, going on where it was interrupted; the host has it by its name only when it is right. */
export async function loadFile(
  folder: BundleFolder,
  { host, signal }: FilePlace,
  { sha256, path, part }: MissingFile,
  { sizeBytes }: BundlePart,
  onProgress: (current: number, total: number) => void,
): Promise<void> {
  const where = `host ${host.name}`;
  const from = folder.at(fileName(sha256));
  if ((await host.status(path)) !== undefined) await host.remove(path);
  let found = "";
  // What was there may be the beginning of something else.
  for (let attempt = 0; attempt < 2 && found !== sha256; attempt += 1) {
    if (attempt > 0) await host.remove(part);
    await sendFile(from, host.part(part), { sizeBytes, where, onProgress, signal });
    found = await host.sha256(part, signal);
  }
  if (found === sha256) return host.rename(part, path);
  await host.remove(part);
  throw new BerthError("checksum-mismatch", {
    where: `${where}: ${path}`,
    what: "the host has another file than was sent",
    got: `sha256 ${found}`,
    expected: `sha256 ${sha256}`,
    hint: "check the host's disk and memory",
  });
}
