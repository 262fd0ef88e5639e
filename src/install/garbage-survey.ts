/** What takes room on a host beside models: installed backend versions, downloads, images, caches of engines. */
import { posix } from "node:path";

import type { Host } from "../host/host.js";
import { dataPaths, type BinPlace } from "../host/paths.js";
import { BerthError } from "../lib/errors.js";
import type { ContainerEngine } from "../runtime/container-engine.js";
import { readRunner } from "../runtime/runner-files.js";
import { references, type StoredThing } from "./garbage.js";
import { removeNames } from "./image.js";
import { forgetPulls, listPulledImages, readPulledNames } from "./image-record.js";
import { listDownloads, forgetMissingDownloads } from "./retention.js";
import { uninstall } from "./installation.js";

export interface StoredPlace extends BinPlace {
  readonly host: Host;
  readonly engine: () => Promise<ContainerEngine>;
}

/** A thing that {@link removeStored} knows how to remove. */
export interface Removable extends StoredThing {
  /** What of the host goes: a folder or file, or an image's digest. */
  readonly target: string;
}

/** Everything that is stored; `problems` tell what could not be looked at. */
export async function listStored(place: StoredPlace): Promise<{ stored: Removable[]; problems: string[] }> {
  const [backends, downloads, caches, images] = await Promise.all([
    listBackends(place),
    listCached(place),
    listEngineCaches(place),
    listImages(place).catch((error: unknown) => {
      if (!(error instanceof BerthError) || error.code === "host-unreachable") throw error;
      return error;
    }),
  ]);
  const known = [...backends, ...downloads, ...caches];
  if (images instanceof BerthError) return { stored: known, problems: [images.parts.what] };
  return { stored: [...known, ...images], problems: [] };
}

/**
 * Removes one thing. The host lock has to be held. Interrupted, it leaves less of it, which is as unwanted as before.
 *
 * @returns why it stays, when it does
 */
export async function removeStored(place: StoredPlace, thing: Removable): Promise<string | undefined> {
  const { host, dataDir, binDir } = place;
  switch (thing.kind) {
    case "backend": {
      const { backend, version } = partsOf(posix.basename(thing.target));
      await uninstall({ host, dataDir, binDir, backend, version });
      return undefined;
    }
    case "image": {
      const names = await readPulledNames(place, thing.target);
      const [left] = await removeNames(await place.engine(), names);
      if (left !== undefined) return left.because;
      await forgetPulls(place, thing.target);
      return undefined;
    }
    case "download":
    case "engine cache":
      await host.remove(thing.target);
      await forgetMissingDownloads(place);
      return undefined;
  }
}

async function listBackends({ host, dataDir }: StoredPlace): Promise<Removable[]> {
  const { backends, bin } = dataPaths(dataDir);
  const runners = await listRunnerPaths(host, dataDir);
  const names = (await host.list(backends)).filter((name) => name.includes("_"));
  return Promise.all(
    names.map(async (name) => {
      const target = posix.join(backends, name);
      const { backend, version } = partsOf(name);
      const isUsed = ({ paths }: RunnerPaths) =>
        paths.some((path) => path === posix.join(bin, name) || path.startsWith(`${target}/`));
      const heldBy = runners.filter(isUsed).map(({ runner }) => runner);
      const reference = references.backend(backend, version);
      return {
        kind: "backend",
        name: `${backend} ${version}`,
        references: [reference],
        heldBy,
        target,
        ...(await weigh(host, target)),
      };
    }),
  );
}

interface RunnerPaths {
  readonly runner: string;
  readonly paths: readonly string[];
}

/** What the runners that have files on the host were started with. */
async function listRunnerPaths(host: Host, dataDir: string): Promise<RunnerPaths[]> {
  const { instances } = dataPaths(dataDir);
  const folders = await Promise.all(
    (await host.list(instances)).map(async (instance) => {
      const generations = await host.list(posix.join(instances, instance));
      return generations.map((generation) => posix.join(instances, instance, generation));
    }),
  );
  const found = await Promise.all(
    folders.flat().map(async (folder) => ({ folder, content: await readRunner(host, folder).catch(() => undefined) })),
  );
  return found.flatMap(({ folder, content }) => {
    if (content === undefined) return [];
    const caches = content.container?.settings.cache === undefined ? [] : [content.container.settings.cache.source];
    return [{ runner: posix.relative(instances, folder), paths: [...content.argv, ...caches] }];
  });
}

async function listCached({ host, dataDir }: StoredPlace): Promise<Removable[]> {
  const { cache } = dataPaths(dataDir);
  const made = await listDownloads({ host, dataDir });
  const found = await Promise.all(
    ["archives", "wheels"].map(async (folder) => {
      const names = await host.list(posix.join(cache, folder));
      return names.map((name) => posix.join(cache, folder, name));
    }),
  );
  return Promise.all(
    found.flat().map(async (target) => {
      const users = made.filter(({ path }) => path === target || path.startsWith(`${target}/`));
      const versions = users.map(({ backend, version }) => references.backend(backend, version));
      const [sha256 = ""] = /^[0-9a-f]{64}/.exec(posix.basename(target)) ?? [];
      const of = users.map(({ backend, version }) => `${backend} ${version}`);
      const name = of.length === 0 ? posix.relative(cache, target).slice(0, 20) : [...new Set(of)].join(", ");
      const all = [...versions, references.content(sha256)];
      return { kind: "download", name, references: all, heldBy: [], target, ...(await weigh(host, target)) };
    }),
  );
}

async function listEngineCaches({ host, dataDir }: StoredPlace): Promise<Removable[]> {
  const folder = posix.join(dataPaths(dataDir).cache, "engines");
  const runners = await listRunnerPaths(host, dataDir);
  return Promise.all(
    (await host.list(folder)).map(async (backend) => {
      const target = posix.join(folder, backend);
      const heldBy = runners.filter(({ paths }) => paths.includes(target)).map(({ runner }) => runner);
      const weight = await weigh(host, target);
      return {
        kind: "engine cache",
        name: backend,
        references: [references.engineCache(backend)],
        heldBy,
        target,
        ...weight,
      };
    }),
  );
}

/** Of images only those that Berth had the engine pull. */
async function listImages(place: StoredPlace): Promise<Removable[]> {
  const records = await listPulledImages(place);
  if (records.length === 0) return [];
  const engine = await place.engine();
  const used = await listUsedImages(engine);
  return Promise.all(
    records.map(async ({ digest, names, changedAt }): Promise<Removable> => {
      const found = (await Promise.all(names.map((name) => engine.findImage(name)))).find(
        (image) => image !== undefined,
      );
      const heldBy = found === undefined ? [] : (used.get(found.id) ?? []);
      const lastUsed = dateOf(changedAt);
      const all = [references.image(digest)];
      const [name = digest] = names;
      return {
        kind: "image",
        name,
        references: all,
        heldBy,
        target: digest,
        sizeBytes: found?.sizeBytes ?? 0,
        lastUsed,
      };
    }),
  );
}

/** Names of containers, running or not, by the image that they were made of. */
async function listUsedImages(engine: ContainerEngine): Promise<ReadonlyMap<string, string[]>> {
  const used = new Map<string, string[]>();
  for (const { id, name } of await engine.listContainers({})) {
    const container = await engine.inspectContainer(id);
    if (container !== undefined) used.set(container.imageId, [...(used.get(container.imageId) ?? []), name]);
  }
  return used;
}

async function weigh(host: Host, path: string): Promise<Pick<StoredThing, "sizeBytes" | "lastUsed">> {
  const own = await host.status(path);
  const files = own?.kind === "file" ? [own] : [...(await host.walk(path)).values()];
  const latest = files.map(({ changedAt }) => BigInt(changedAt)).reduce((a, b) => (a > b ? a : b), 0n);
  return {
    sizeBytes: files.reduce((sum, { size }) => sum + size, 0),
    lastUsed: dateOf(String(latest === 0n ? (own?.changedAt ?? "0") : latest)),
  };
}

function dateOf(nanoseconds: string): Date {
  return new Date(Number(BigInt(nanoseconds) / 1_000_000n));
}

/** Of a folder's name; no backend's name holds a `_`. */
function partsOf(name: string): { backend: string; version: string } {
  const separator = name.indexOf("_");
  return { backend: name.slice(0, separator), version: name.slice(separator + 1) };
}
