import { posix } from "node:path";

import { renderCommand } from "../catalog/command.js";
import { executableName, executablePath, modelPath } from "../host/paths.js";
import type { HostReference } from "../host/host.js";
import type { LockedDeployment, LockFile, PlacedHost, PlacedInstance } from "../schema/lock.js";

/** What the lock asks for, as plain values: what resources are made of, and what `status` compares with. */
export interface DesiredStack {
  readonly hosts: readonly DesiredHost[];
  readonly backendVersions: readonly DesiredBackendVersion[];
  readonly models: readonly DesiredModel[];
  readonly instances: readonly DesiredInstance[];
}

export interface DesiredHost {
  readonly name: string;
  readonly host: HostReference;
  readonly labels: Readonly<Record<string, string>>;
  /** `Kind/name` of everything below that is on this host. */
  readonly inventory: readonly string[];
}

export interface DesiredBackendVersion {
  readonly name: string;
  readonly host: HostReference;
  readonly backend: string;
  readonly version: string;
  readonly install: LockedDeployment["install"];
  readonly pipxPath: string | undefined;
  readonly indexUrl: string | undefined;
}

export interface DesiredModel {
  readonly name: string;
  readonly host: HostReference;
  readonly model: LockedDeployment["model"];
  readonly indexUrl: string | undefined;
}

export interface DesiredInstance {
  readonly name: string;
  readonly host: HostReference;
  readonly placed: PlacedInstance;
  readonly release: LockedDeployment;
  /** Names of the two resources that it needs. */
  readonly backendVersion: string;
  readonly model: string;
  readonly modelPath: string;
  readonly argv: readonly string[];
}

/** The part of a lock that says what there should be. */
export interface Decisions {
  readonly release: LockFile["release"];
  readonly placement: {
    readonly indexUrl?: string | undefined;
    readonly hosts: Readonly<Record<string, Omit<PlacedHost, "facts" | "usage">>>;
    readonly instances: Readonly<Record<string, PlacedInstance>>;
  };
}

/** Pure. `projectRoot` is where relative data directories begin. */
export function desiredStack(lock: Decisions, projectRoot: string): DesiredStack {
  const { indexUrl } = lock.placement;
  const references = Object.fromEntries(
    Object.entries(lock.placement.hosts).map(([name, { connection, dataDir }]) => [
      name,
      { name, connection, dataDir: posix.resolve(projectRoot, dataDir) },
    ]),
  );
  const backendVersions = new Map<string, DesiredBackendVersion>();
  const models = new Map<string, DesiredModel>();
  const instances: DesiredInstance[] = [];
  for (const [name, placed] of sorted(lock.placement.instances)) {
    const release = lock.release[placed.deployment];
    const host = references[placed.host];
    const pipxPath = lock.placement.hosts[placed.host]?.pipxPath;
    if (release === undefined || host === undefined) throw new Error(`the lock's parts do not fit: instance ${name}`);
    const { backend, backendVersion: version, install, model } = release;
    const backendName = `${host.name}.${executableName(backend, version)}`;
    const modelName = `${host.name}.${model.sha256.slice(0, 12)}`;
    backendVersions.set(backendName, { name: backendName, host, backend, version, install, pipxPath, indexUrl });
    models.set(modelName, { name: modelName, host, model, indexUrl });
    instances.push(desiredInstance(name, placed, release, host, backendName, modelName));
  }
  const contents = { backendVersions: [...backendVersions.values()], models: [...models.values()], instances };
  const hosts = sorted(lock.placement.hosts).flatMap(([name, { labels }]) => {
    const host = references[name];
    return host === undefined ? [] : [{ name, host, labels, inventory: inventoryOf(name, contents) }];
  });
  return { hosts, ...contents };
}

function desiredInstance(
  name: string,
  placed: PlacedInstance,
  release: LockedDeployment,
  host: HostReference,
  backendVersion: string,
  model: string,
): DesiredInstance {
  const { from, sha256, file } = release.model;
  const path = from.source === "file" ? from.path : modelPath(host.dataDir, sha256, file);
  return {
    name,
    host,
    placed,
    release,
    backendVersion,
    model,
    modelPath: path,
    argv: runnerArguments(release, placed, host, path),
  };
}

/** The argument vector of a runner: the engine's executable, its command filled in, then the parameters. */
function runnerArguments(
  release: LockedDeployment,
  placed: PlacedInstance,
  host: HostReference,
  path: string,
): string[] {
  const { backend, backendVersion, runCommand, parameters, env } = release;
  const builtIn = {
    model_path: path,
    model_name: placed.deployment,
    port: String(placed.port),
    worker_ip: placed.bindAddress,
    gpu_count: String(placed.devices.length),
    gpu_ids: placed.devices.join(","),
  };
  const command = renderCommand(runCommand, { builtIn, environment: env }, `backends/${backend}.yaml`);
  return [executablePath(host.dataDir, backend, backendVersion), ...command, ...parameters];
}

function inventoryOf(host: string, { backendVersions, models, instances }: Omit<DesiredStack, "hosts">): string[] {
  const here = (resource: { host: HostReference }) => resource.host.name === host;
  return [
    ...backendVersions.filter(here).map(({ name }) => `BackendVersion/${name}`),
    ...models.filter(here).map(({ name }) => `ModelFiles/${name}`),
    ...instances.filter(here).map(({ name }) => `Instance/${name}`),
  ].sort();
}

function sorted<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}
