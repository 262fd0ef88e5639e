/**
 * Downloads of backend versions that nobody wants any more. The last few of each backend stay in the cache, so that
 * going back to one needs no download.
 */
import { posix } from "node:path";

import { z } from "zod";

import type { Host } from "../host/host.js";
import { backendFolder, dataPaths, executableName } from "../host/paths.js";

const retiredFile = z.strictObject({
  schemaVersion: z.literal(1),
  backend: z.string(),
  version: z.string(),
  /** The installation, of a version that was installed anew with other downloads. */
  installation: z.string().optional(),
  /** Counts up with each version of the backend that is retired. */
  order: z.int(),
  /** What of the cache it was made from. */
  downloads: z.array(z.string()),
});

export type Retired = z.output<typeof retiredFile>;

interface VersionPlace {
  readonly host: Host;
  readonly dataDir: string;
  readonly backend: string;
  readonly version: string;
}

/** Which of the cached downloads of a backend's retired versions go, when the last `keep` versions stay. Pure. */
export function chooseEvicted(
  retired: readonly Retired[],
  keep: number,
): { versions: readonly Retired[]; downloads: readonly string[] } {
  const latest = [...retired].sort((a, b) => b.order - a.order);
  const versions = latest.slice(keep);
  const kept = new Set(latest.slice(0, keep).flatMap(({ downloads }) => downloads));
  return { versions, downloads: versions.flatMap(({ downloads }) => downloads).filter((path) => !kept.has(path)) };
}

/** What an installation was made from. */
export interface RetiredDownloads {
  /** Of a version that is installed anew with other downloads: which installation goes. */
  readonly installation?: string | undefined;
  readonly downloads: readonly string[];
  readonly retention: number;
}

/**
 * Notes that nobody wants a version any more, or one installation of it, and removes the downloads of the backend's
 * oldest such ones.
 */
export async function retireDownloads(place: VersionPlace, retired: RetiredDownloads): Promise<void> {
  const { host, dataDir, backend, version } = place;
  const { installation, downloads, retention } = retired;
  const path = retiredPath(dataDir, { backend, version, installation });
  const before = (await listRetired(place)).filter((entry) => retiredPath(dataDir, entry) !== path);
  const order = Math.max(0, ...before.map((entry) => entry.order)) + 1;
  const own = installation === undefined ? {} : { installation };
  const entry: Retired = { schemaVersion: 1, backend, version, ...own, order, downloads: [...downloads] };
  await host.writeFile(path, JSON.stringify(entry));
  const evicted = chooseEvicted([...before, entry], retention);
  const inUse = await downloadsInUse(place, evicted.versions);
  for (const path of evicted.downloads) if (isCached(dataDir, path) && !inUse.has(path)) await host.remove(path);
  for (const old of evicted.versions) await host.remove(retiredPath(dataDir, old));
}

/** Forgets what was retired of a version and is wanted again: all that was made from nothing but these downloads. */
export async function reviveDownloads(place: VersionPlace, downloads: readonly string[]): Promise<void> {
  const { host, dataDir, version } = place;
  for (const entry of await listRetired(place)) {
    const isWanted = entry.downloads.every((path) => downloads.includes(path));
    if (entry.version === version && isWanted) await host.remove(retiredPath(dataDir, entry));
  }
}

async function listRetired(place: VersionPlace): Promise<Retired[]> {
  return (await listAllRetired(place)).filter(({ backend }) => backend === place.backend);
}

async function listAllRetired({ host, dataDir }: Pick<VersionPlace, "host" | "dataDir">): Promise<Retired[]> {
  const folder = retiredFolder(dataDir);
  const found: Retired[] = [];
  for (const name of await host.list(folder)) {
    const entry = parsed((await host.readText(posix.join(folder, name))) ?? "", retiredFile);
    if (entry !== undefined) found.push(entry);
  }
  return found;
}

/** What of the cache backend versions were made from, those that are installed and those that nobody wants any more. */
export async function listDownloads(
  place: Pick<VersionPlace, "host" | "dataDir">,
): Promise<{ readonly backend: string; readonly version: string; readonly path: string }[]> {
  const { backends } = dataPaths(place.dataDir);
  const present = await Promise.all(
    (await place.host.list(backends)).map(async (name) => {
      const text = await place.host.readText(posix.join(backends, name, "installation.json"));
      const [backend = "", version = ""] = name.split(/_(.*)/s);
      return { backend, version, downloads: parsed(text ?? "", installed)?.downloads ?? [] };
    }),
  );
  return [...present, ...(await listAllRetired(place))].flatMap(({ backend, version, downloads }) =>
    downloads.map((path) => ({ backend, version, path })),
  );
}

/** Forgets retired versions of which no download is left. */
export async function forgetMissingDownloads({ host, dataDir }: Pick<VersionPlace, "host" | "dataDir">): Promise<void> {
  for (const entry of await listAllRetired({ host, dataDir })) {
    const left = await Promise.all(entry.downloads.map((path) => host.status(path)));
    if (left.every((status) => status === undefined)) await host.remove(retiredPath(dataDir, entry));
  }
}

const installed = z.object({ downloads: z.array(z.string()) });

/** What other versions among these are installed from: a kill may have kept them from being forgotten here. */
async function downloadsInUse(
  { host, dataDir, backend, version: own }: VersionPlace,
  versions: readonly Retired[],
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const { version } of versions) {
    if (version === own) continue;
    const text = await host.readText(posix.join(backendFolder(dataDir, backend, version), "installation.json"));
    for (const path of parsed(text ?? "", installed)?.downloads ?? []) found.add(path);
  }
  return found;
}

function parsed<Schema extends z.ZodType>(text: string, schema: Schema): z.output<Schema> | undefined {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    // Changed by hand: as good as missing.
    return undefined;
  }
}

/** A record that was changed by hand removes nothing outside the cache. */
function isCached(dataDir: string, path: string): boolean {
  return posix.normalize(path).startsWith(`${dataPaths(dataDir).cache}/`);
}

function retiredFolder(dataDir: string): string {
  return posix.join(dataPaths(dataDir).cache, "retired");
}

function retiredPath(
  dataDir: string,
  { backend, version, installation }: Pick<Retired, "backend" | "version" | "installation">,
): string {
  const suffix = installation === undefined ? "" : `_${installation}`;
  return posix.join(retiredFolder(dataDir), `${executableName(backend, version)}${suffix}.json`);
}
