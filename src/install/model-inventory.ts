/** What of models lies on a host, in place and in the cache. */
import { posix } from "node:path";

import type { Host } from "../host/host.js";
import { listEntries } from "../host/journal.js";
import { dataPaths } from "../host/paths.js";
import { partName } from "./model-places.js";
import { modelRecordName, readRecord } from "./model-record.js";

export interface StoredModel {
  /** Identity by content. */
  readonly sha256: string;
  readonly place: "in place" | "cache";
  /** Where it came from, in words; empty when that is not known any more. */
  readonly source: string;
  readonly files: readonly { readonly path: string; readonly sizeBytes: number }[];
  readonly sizeBytes: number;
  /** SHA-256 of its files, as far as they are known. */
  readonly digests: readonly string[];
  /** Some of it is still to be fetched. */
  readonly incomplete: boolean;
  /** Resources that want it, as the journal has them. */
  readonly wantedBy: readonly { readonly owner: string; readonly name: string }[];
  /** When it was put where it is: until then it was used or fetched. Undefined while somebody wants it. */
  readonly lastUsed: Date | undefined;
}

/** A resource that the journal has, which wants a model. */
export interface ModelClaim {
  /** `project/stack` */
  readonly owner: string;
  readonly sha256: string;
}

/** Who wants models of a host, those too that are not there yet. */
export async function listClaims(host: Host, dataDir: string): Promise<ModelClaim[]> {
  const entries = await listEntries(host, dataDir);
  return entries
    .filter(({ kind }) => kind === "ModelFiles")
    .map(({ owner, uses }) => ({ owner, sha256: posix.basename(uses) }));
}

/** The models in place, then those in the cache, each by their digests. */
export async function listModels(host: Host, dataDir: string): Promise<StoredModel[]> {
  const { models, cache } = dataPaths(dataDir);
  const entries = (await listEntries(host, dataDir)).filter(({ kind }) => kind === "ModelFiles");
  const found: StoredModel[] = [];
  for (const [folder, place] of [
    [models, "in place"],
    [posix.join(cache, "models"), "cache"],
  ] as const) {
    for (const sha256 of (await host.list(folder)).filter(isIdentity)) {
      const users = place === "cache" ? [] : entries.filter(({ uses }) => uses === posix.join("models", sha256));
      const wantedBy = users.map(({ owner, name }) => ({ owner, name }));
      const model = await readModel(host, posix.join(folder, sha256), wantedBy.length > 0);
      if (model !== undefined) found.push({ sha256, place, wantedBy, ...model });
    }
  }
  return found;
}

/** Other names are nothing that Berth has put there. */
function isIdentity(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}

async function readModel(
  host: Host,
  folder: string,
  isWanted: boolean,
): Promise<Omit<StoredModel, "sha256" | "place" | "wantedBy"> | undefined> {
  const record = await readRecord(host, folder);
  const lying = [...(await host.walk(folder))].filter(([path]) => path !== modelRecordName);
  // A file that is used where the user put it is told by its record alone.
  const used = Object.entries(record?.files ?? {}).map(([path, { sizeBytes }]) => ({ path, sizeBytes }));
  const there = lying.map(([path, { size }]) => ({ path, sizeBytes: size }));
  const files = (there.length === 0 ? used : there).sort((a, b) => (a.path < b.path ? -1 : 1));
  if (files.length === 0) return undefined;
  const status = record === undefined ? undefined : await host.status(posix.join(folder, modelRecordName));
  const changes = [...lying.map(([, { changedAt }]) => changedAt), ...(status === undefined ? [] : [status.changedAt])];
  const latest = changes.map(BigInt).reduce((a, b) => (a > b ? a : b), 0n);
  return {
    source: record?.source ?? "",
    files,
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    // Of a file alone the folder's name is its SHA-256.
    digests: record === undefined ? [posix.basename(folder)] : Object.values(record.files).map(({ sha256 }) => sha256),
    incomplete: files.some(({ path }) => path === partName),
    lastUsed: isWanted ? undefined : new Date(Number(latest / 1_000_000n)),
  };
}
