import { sorted } from "../lib/record.js";
import { connectionOf, type HostConnection } from "../schema/hosts.js";
import type { PlacedSetup, PlacedVerification } from "../schema/commands.js";
import type { NetworkEntry, VolumeEntry } from "../schema/docker.js";
import type { PlacedInstance } from "../schema/lock.js";
import type { Decisions } from "./desired.js";

/** Where a command runs. */
export type CommandHost = HostConnection & { readonly name: string };

/** What a stack declares beside Berth's own resources: it is made by plugins of Pulumi. */
export interface DesiredExtras {
  readonly setups: readonly DesiredSetup[];
  readonly verifications: readonly DesiredVerification[];
  /** Hosts with networks or volumes. */
  readonly dockers: readonly DesiredDocker[];
}

export interface DesiredSetup {
  readonly name: string;
  readonly host: CommandHost;
  readonly placed: PlacedSetup;
}

export interface DesiredVerification {
  readonly name: string;
  /** Name of the instance that it checks. */
  readonly instance: string;
  readonly instancePlaced: Pick<PlacedInstance, "bindAddress" | "port">;
  /** The name that clients send. */
  readonly servedModel: string;
  /** Name of the secret that clients must send. */
  readonly apiKey: string | undefined;
  readonly host: CommandHost;
  readonly placed: PlacedVerification;
}

export interface DesiredDocker {
  /** Name of the provider. */
  readonly name: string;
  readonly host: CommandHost;
  readonly networks: readonly { readonly name: string; readonly key: string; readonly entry: NetworkEntry }[];
  readonly volumes: readonly { readonly name: string; readonly key: string; readonly entry: VolumeEntry }[];
}

/** Names of the plugins without which nothing of it can be made. */
export function neededPlugins({ setups, verifications, dockers }: DesiredExtras): ("command" | "docker")[] {
  return [
    ...(setups.length + verifications.length > 0 ? (["command"] as const) : []),
    ...(dockers.length > 0 ? (["docker"] as const) : []),
  ];
}

/** Pure. */
export function desiredExtras(lock: Decisions): DesiredExtras {
  const hosts = sorted(lock.placement.hosts).map(([name, placed]) => {
    const host: CommandHost = { name, ...connectionOf({ ssh: placed.ssh }) };
    return { host, placed };
  });
  const setups = hosts.flatMap(({ host, placed }) =>
    sorted(placed.setup ?? {}).map(([name, setup]) => ({ name: `${host.name}.setup.${name}`, host, placed: setup })),
  );
  const dockers = hosts.flatMap(({ host, placed: { networks = {}, volumes = {} } }) => {
    const named = <T>(kind: string, entries: Readonly<Record<string, T>>) =>
      sorted(entries).map(([key, entry]) => ({ name: `${host.name}.${kind}.${key}`, key, entry }));
    const found = { networks: named("network", networks), volumes: named("volume", volumes) };
    return found.networks.length + found.volumes.length === 0 ? [] : [{ name: `${host.name}.docker`, host, ...found }];
  });
  const byName = new Map(hosts.map(({ host }) => [host.name, host]));
  return { setups, verifications: desiredVerifications(lock, byName), dockers };
}

function desiredVerifications(lock: Decisions, hosts: ReadonlyMap<string, CommandHost>): DesiredVerification[] {
  return sorted(lock.placement.instances).flatMap(([instance, placed]) => {
    const release = lock.release[placed.deployment];
    const host = hosts.get(placed.host);
    if (release === undefined || host === undefined) throw new Error(`the lock's parts do not fit: ${instance}`);
    const { apiKeyVariable = "", servedModel = placed.deployment } = release;
    const { bindAddress, port } = placed;
    return sorted(placed.verify ?? {}).map(([name, verification]) => ({
      name: `${instance}.verify.${name}`,
      instance,
      instancePlaced: { bindAddress, port },
      servedModel,
      apiKey: placed.secretEnv[apiKeyVariable],
      host: verification.on === "host" ? host : ({ name: "local", connection: "local" } as const),
      placed: verification,
    }));
  });
}
