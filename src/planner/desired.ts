import { posix } from "node:path";

import { executableName } from "../host/paths.js";
import type { HostReference } from "../host/host.js";
import { sorted } from "../lib/record.js";
import { connectionOf } from "../schema/hosts.js";
import type {
  LockedDeployment,
  LockedEngine,
  LockedInstall,
  LockFile,
  PlacedHost,
  PlacedInstance,
  Placement,
} from "../schema/lock.js";
import type { LockedModel } from "../schema/model.js";
import { desiredModelGateways, type DesiredModelGateway } from "./desired-model-gateway.js";
import { inventoryOf } from "./desired-inventory.js";
import { desiredRunner, imageName, type DesiredRunner } from "./desired-runner.js";
import { engineEnvironment } from "./ray-environment.js";
import { compareInstances } from "./replicas.js";
import { desiredSubordinates, type DesiredSubordinate } from "./desired-subordinates.js";
import { rolloutPart, type RolloutPart } from "./waves.js";
import { imageOn, imageSettings, type DesiredImage, type ImageSettings } from "./desired-image.js";

/** What the lock asks for, as plain values: what resources are made of, and what `status` compares with. */
export interface DesiredStack {
  readonly hosts: readonly DesiredHost[];
  readonly gateways: readonly DesiredGateway[];
  readonly modelGateways: readonly DesiredModelGateway[];
  readonly backendVersions: readonly DesiredBackendVersion[];
  readonly models: readonly DesiredModel[];
  readonly instances: readonly DesiredInstance[];
  readonly subordinates: readonly DesiredSubordinate[];
}

export interface DesiredHost {
  readonly name: string;
  readonly host: HostReference;
  readonly labels: Readonly<Record<string, string>>;
  /** `Kind/name` of everything below that is on this host. */
  readonly inventory: readonly string[];
}

export interface DesiredGateway {
  readonly name: string;
  readonly host: HostReference;
  readonly haproxy: string;
  readonly runtime: string;
}

type PackageInstall = Extract<LockedInstall, { method: "pipx" }>;
/** How a backend is installed whose runner is a process. */
export type ProcessInstall = Exclude<LockedInstall, { method: "image" | "pipx" }> | Omit<PackageInstall, "request">;

export interface DesiredBackendVersion {
  readonly name: string;
  readonly host: HostReference;
  readonly backend: string;
  readonly version: string;
  readonly install: ProcessInstall | DesiredImage;
  readonly image: ImageSettings | undefined;
  readonly pipxPath: string | undefined;
  readonly retention: number | undefined;
  readonly indexUrl: string | undefined;
  readonly downloadBaseUrl: string | undefined;
}

export interface DesiredModel {
  readonly name: string;
  readonly host: HostReference;
  readonly model: LockedDeployment["model"];
  readonly indexUrl: string | undefined;
  /** The mirror of the hub, for a model of one that names no endpoint. */
  readonly hubEndpoint: string | undefined;
  /** Name of the secret with which it is fetched. */
  readonly token: string | undefined;
  /** For people: deployments by name, and `preload NAME`. */
  readonly users: readonly string[];
}

export interface DesiredInstance extends DesiredRunner {
  readonly name: string;
  readonly host: HostReference;
  readonly placed: PlacedInstance;
  readonly release: LockedDeployment;
  /** Names of the two resources that it needs. */
  readonly backendVersion: string;
  readonly model: string;
  /** SHA-256 of what the engine is installed from; empty for an executable that is taken as it is. */
  readonly artifactSha256: string;
  /** When it changes; undefined where hosts change in no order. */
  readonly rollout: RolloutPart | undefined;
  /** Names of what it has on other hosts, in the order in which it names them. */
  readonly subordinates: readonly string[];
}

/** The part of a lock that says what there should be. */
export interface Decisions {
  readonly release: LockFile["release"];
  readonly preload?: LockFile["preload"];
  readonly placement: {
    readonly indexUrl?: string | undefined;
    readonly downloadBaseUrl?: string | undefined;
    readonly hubEndpoint?: string | undefined;
    readonly registries?: Placement["registries"];
    readonly registryLogins?: Placement["registryLogins"];
    /** Programs decide before they know facts. */
    readonly hosts: Readonly<Record<string, Omit<PlacedHost, "facts" | "usage"> & Partial<Pick<PlacedHost, "facts">>>>;
    readonly instances: Readonly<Record<string, PlacedInstance>>;
    readonly preload?: LockFile["placement"]["preload"];
    readonly rollout?: LockFile["placement"]["rollout"];
    readonly gateway?: LockFile["placement"]["gateway"];
  };
}

/** Pure. `projectRoot` is where relative data directories begin. */
export function desiredStack(lock: Decisions, projectRoot: string): DesiredStack {
  const references = Object.fromEntries(
    Object.entries(lock.placement.hosts).map(([name, placed]) => [name, referenceTo(name, placed, projectRoot)]),
  );
  const needs = new Needs(lock, references);
  const instances: DesiredInstance[] = [];
  const subordinates: DesiredSubordinate[] = [];
  const { rollout, instances: replicas } = lock.placement;
  for (const [name, placed] of Object.entries(replicas).sort(([a], [b]) => compareInstances(a, b))) {
    const release = lock.release[placed.deployment];
    if (release === undefined) throw new Error(`the lock's parts do not fit: instance ${name}`);
    const engine = needs.engine(placed.host, release);
    const model = needs.model(placed.host, release.model, placed.modelToken, placed.deployment);
    const { host, install } = engine;
    const { facts } = lock.placement.hosts[placed.host] ?? {};
    const own = desiredSubordinates({
      name,
      placed,
      release,
      hosts: lock.placement.hosts,
      engineOn: (on) => needs.engine(on, release),
      modelOn: (on) => needs.model(on, release.model, placed.modelToken, placed.deployment),
    });
    subordinates.push(...own);
    const runner = desiredRunner({ release, placed, host, image: imageOf(engine), facts });
    instances.push({
      ...{ name, host, placed, release, backendVersion: engine.name, model: model.name },
      ...{ ...runner, env: { ...runner.env, ...engineEnvironment(placed, lock.placement.hosts) } },
      artifactSha256: artifactSha256(install),
      rollout: rollout === undefined ? undefined : rolloutPart(rollout, placed.host, Object.values(replicas)),
      subordinates: own.map((each) => each.name),
    });
  }
  for (const [name, { hosts, modelToken }] of sorted(lock.placement.preload ?? {})) {
    const { engine, model } = lock.preload?.[name] ?? {};
    for (const host of hosts) {
      if (engine !== undefined) needs.engine(host, engine);
      if (model !== undefined) needs.model(host, model, modelToken, `preload ${name}`);
    }
  }
  const { backendVersions, models } = needs;
  const gateways = sorted(lock.placement.hosts).flatMap(([name, { gateway }]) => {
    const host = references[name];
    return host === undefined || gateway === undefined ? [] : [{ name: `${name}.gateway`, host, ...gateway }];
  });
  const contents = {
    ...{ gateways, modelGateways: desiredModelGateways(lock, references), instances, subordinates },
    ...{ backendVersions: [...backendVersions.values()], models: [...models.values()] },
  };
  const kinds = kindsOf(contents);
  const hosts = sorted(lock.placement.hosts).flatMap(([name, { labels }]) => {
    const host = references[name];
    return host === undefined ? [] : [{ name, host, labels, inventory: inventoryOf(name, kinds) }];
  });
  return { hosts, ...contents };
}

/** Everything on hosts, by the kinds of its resources. */
function kindsOf(contents: Omit<DesiredStack, "hosts">): Parameters<typeof inventoryOf>[1] {
  const { gateways, modelGateways, backendVersions, models, instances, subordinates } = contents;
  return {
    ...{ Gateway: gateways, BackendVersion: backendVersions, ModelFiles: models },
    ...{ Instance: instances, Subordinate: subordinates, ModelGateway: modelGateways },
    ModelRoutes: modelGateways.map(({ routesName, host }) => ({ name: routesName, host })),
  };
}

/** What instances stand on, and what lies ready: on each host once, whoever wants it. */
class Needs {
  readonly backendVersions = new Map<string, DesiredBackendVersion>();
  readonly models = new Map<string, DesiredModel>();
  readonly #lock: Decisions;
  readonly #references: Readonly<Record<string, HostReference>>;

  constructor(lock: Decisions, references: Readonly<Record<string, HostReference>>) {
    this.#lock = lock;
    this.#references = references;
  }

  engine(on: string, { backend, backendVersion: version, install }: LockedEngine): DesiredBackendVersion {
    const host = this.#host(on);
    const { indexUrl, downloadBaseUrl, hosts } = this.#lock.placement;
    const { pipxPath, retention, facts } = hosts[on] ?? {};
    // Deployments may have images of their own for one version.
    const suffix = install.method === "image" ? `.${install.digest.slice(7, 19)}` : "";
    const name = `${on}.${executableName(backend, version)}${suffix}`;
    const image = install.method === "image" ? imageSettings(install, on, this.#lock) : undefined;
    const settings = { image, pipxPath, retention, indexUrl, downloadBaseUrl };
    const desired = { name, host, backend, version, install: installOn(install, facts), ...settings };
    this.backendVersions.set(name, desired);
    return desired;
  }

  model(on: string, model: LockedModel, modelToken: string | undefined, user: string): DesiredModel {
    const host = this.#host(on);
    const { indexUrl, hubEndpoint } = this.#lock.placement;
    const name = `${on}.${model.sha256.slice(0, 12)}`;
    const before = this.models.get(name);
    // Of several that want the model any one's token will do.
    const token = modelToken ?? before?.token;
    const mirror = model.from.source === "huggingface" ? hubEndpoint : undefined;
    const users = [...(before?.users ?? []), user];
    const desired = { name, host, model, indexUrl, hubEndpoint: mirror, token, users };
    this.models.set(name, desired);
    return desired;
  }

  #host(name: string): HostReference {
    const host = this.#references[name];
    if (host === undefined) throw new Error(`the lock's parts do not fit: host ${name}`);
    return host;
  }
}

function referenceTo(
  name: string,
  { ssh, dataDir, binDir }: Omit<PlacedHost, "facts" | "usage">,
  projectRoot: string,
): HostReference {
  const own = binDir === undefined ? {} : { binDir: posix.resolve(projectRoot, binDir) };
  return { name, ...connectionOf({ ssh }), dataDir: posix.resolve(projectRoot, dataDir), ...own };
}

/**
 * What a host needs: of a release's files only its own, so that files for others change nothing there, and of packages
 * not what they were resolved from.
 */
function installOn(install: LockedInstall, facts: PlacedHost["facts"] | undefined): ProcessInstall | DesiredImage {
  if (install.method === "image") return imageOn(install, facts);
  if (install.method === "pipx") {
    const { request: _, ...packages } = install;
    return packages;
  }
  if (install.method !== "binary" || facts === undefined) return install;
  const { os, arch } = facts;
  return { ...install, artifacts: install.artifacts.filter((file) => file.os === os && file.arch === arch) };
}

/** By its public name: another mirror changes nothing of what runs. */
function imageOf({ install }: DesiredBackendVersion): string | undefined {
  return install.method === "image" ? imageName(install.reference, install.digest) : undefined;
}

function artifactSha256(install: ProcessInstall | DesiredImage): string {
  switch (install.method) {
    case "pipx":
      return install.requirements.sha256;
    case "binary":
      return install.artifacts[0]?.sha256 ?? "";
    case "manual":
      return install.sha256 ?? "";
    case "image":
      return install.digest.replace(/^sha256:/, "");
  }
}
