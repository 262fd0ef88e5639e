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

/** Notes that nobody wants a version any more, and removes the downloads of the backend's oldest such versions. */
export async function retireDownloads(
  place: VersionPlace,
  { downloads, retention }: { downloads: readonly string[]; retention: number },
): Promise<void> {
  const { host, dataDir, backend, version } = place;
  const before = (await listRetired(place)).filter((entry) => entry.version !== version);
  const order = Math.max(0, ...before.map((entry) => entry.order)) + 1;
  const entry: Retired = { schemaVersion: 1, backend, version, order, downloads: [...downloads] };
  await host.writeFile(retiredPath(dataDir, backend, version), JSON.stringify(entry));
  const evicted = chooseEvicted([...before, entry], retention);
  for (const path of evicted.downloads) if (isCached(dataDir, path)) await host.remove(path);
  for (const old of evicted.versions) await host.remove(retiredPath(dataDir, backend, old.version));
}

/** Forgets that a version was retired, because it is wanted again. */
export async function reviveDownloads({ host, dataDir, backend, version }: VersionPlace): Promise<void> {
  await host.remove(retiredPath(dataDir, backend, version));
}

/** The backend's retired versions that are not installed again. */
async function listRetired({ host, dataDir, backend }: VersionPlace): Promise<Retired[]> {
  const folder = retiredFolder(dataDir);
  const found: Retired[] = [];
  for (const name of await host.list(folder)) {
    const entry = parsed((await host.readText(posix.join(folder, name))) ?? "");
    if (entry?.backend !== backend) continue;
    const installed = await host.status(
      posix.join(backendFolder(dataDir, backend, entry.version), "installation.json"),
    );
    if (installed === undefined) found.push(entry);
  }
  return found;
}

function parsed(text: string): Retired | undefined {
  try {
    return retiredFile.parse(JSON.parse(text));
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

function retiredPath(dataDir: string, backend: string, version: string): string {
  return posix.join(retiredFolder(dataDir), `${executableName(backend, version)}.json`);
}
