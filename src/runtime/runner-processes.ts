import { posix } from "node:path";

import type { Host } from "../host/host.js";
import { dataPaths } from "../host/paths.js";
import { BerthError } from "../lib/errors.js";
import { identityLabels } from "./container-body.js";
import type { ContainerEngine } from "./container-engine.js";
import { createContainerEngine, hasEngineSocket } from "./docker-engine.js";
import { findRunner } from "./runner-files.js";
import { instanceOf } from "./runner-id.js";

/** The engine of a host's containers; undefined on a host without one. */
export type FindEngine = (host: Host) => Promise<ContainerEngine | undefined>;

/** The engine at the host's own socket. */
export async function findOwnEngine(host: Host): Promise<ContainerEngine | undefined> {
  return (await hasEngineSocket(host)) ? createContainerEngine(host) : undefined;
}

/**
 * The process ids of the runners of a data directory, of containers the first process's, to their instances. Those that
 * do not run are left out, and containers of an engine that does not answer.
 */
export async function findRunners(
  host: Host,
  dataDir: string,
  findEngine: FindEngine = findOwnEngine,
): Promise<Map<number, string>> {
  const [processes, containers] = await Promise.all([
    findProcesses(host, dataDir),
    findContainers(host, dataDir, findEngine),
  ]);
  return new Map([...processes, ...containers]);
}

type Found = readonly (readonly [pid: number, instance: string])[];

async function findProcesses(host: Host, dataDir: string): Promise<Found> {
  const { instances } = dataPaths(dataDir);
  const folders = (await host.list(instances)).map((name) => posix.join(instances, name));
  const found = folders.map(async (folder) => {
    const { instance } = instanceOf(folder);
    const generations = await host.list(folder);
    const pids = await Promise.all(generations.map((name) => findRunner(host, posix.join(folder, name))));
    return pids.flatMap((pid) => (pid === undefined ? [] : [[pid, instance] as const]));
  });
  return (await Promise.all(found)).flat();
}

async function findContainers(host: Host, dataDir: string, findEngine: FindEngine): Promise<Found> {
  try {
    const engine = await findEngine(host);
    if (engine === undefined) return [];
    const all = await engine.listContainers(identityLabels({ dataDir }));
    const found = all
      .filter(({ running }) => running)
      .map(async ({ id, labels }) => {
        const { pid = 0 } = (await engine.inspectContainer(id)) ?? {};
        const instance = labels["berth.instance"];
        return pid === 0 || instance === undefined ? [] : [[pid, instance] as const];
      });
    return (await Promise.all(found)).flat();
  } catch (error) {
    if (!(error instanceof BerthError) || error.code === "host-unreachable") throw error;
    return [];
  }
}
