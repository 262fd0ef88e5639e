/** What a lock asks for of the gateway that routes by model, host by host. Pure. */
import type { HostReference } from "../host/host.js";
import { defined, mapValues, sorted } from "../lib/record.js";
import type { PlacedGateway } from "../schema/gateway.js";
import type { LockedDeployment, PlacedHost, PlacedInstance } from "../schema/lock.js";
import { addressOf, gatewayEndpoint, reachedAt } from "./gateway-address.js";
import { machineOf } from "./port-placement.js";

/** Where a gateway asks a replica. */
export interface GatewayServer {
  readonly instance: string;
  readonly address: string;
  readonly port: number;
}

/** A deployment, as a gateway knows it. */
export interface GatewayTarget {
  /** Name by which its engine knows the model. */
  readonly servedModel: string;
  readonly servers: GatewayServer[];
  /** Answers 2xx when the engine is up. */
  readonly healthPath: string;
  readonly concurrency?: number;
  readonly queue?: number;
  /** How long a replica must be healthy before it is asked, seconds. */
  readonly minHealthySeconds: number;
  /** How long requests in progress may take to end at a replica that goes, seconds. */
  readonly drainSeconds: number;
}

export interface DesiredModelGateway extends Omit<PlacedGateway, "hosts" | "keys" | "limits"> {
  /** Of its process. */
  readonly name: string;
  /** Of what it serves. */
  readonly routesName: string;
  readonly host: HostReference;
  /** Where clients ask it: the base URL for OpenAI's clients. */
  readonly endpoint: string;
  readonly haproxy: string;
  readonly runtime: string;
  readonly targets: Readonly<Record<string, GatewayTarget>>;
  readonly keys: Readonly<Record<string, { models?: string[]; requestsPerMinute?: number }>>;
  /** Names of the secrets that are clients' keys, by the names of the keys. */
  readonly keySecrets: Readonly<Record<string, string>>;
  /** Names of the secrets that engines ask for, by deployment. */
  readonly apiKeySecrets: Readonly<Record<string, string>>;
}

export interface GatewayDecisions {
  readonly release: Readonly<Record<string, Pick<LockedDeployment, "healthPath" | "apiKeyVariable" | "servedModel">>>;
  readonly placement: {
    readonly gateway?: PlacedGateway | undefined;
    readonly hosts: Readonly<Record<string, Pick<PlacedHost, "ssh" | "connection" | "privateAddress">>>;
    readonly instances: Readonly<
      Record<
        string,
        Pick<
          PlacedInstance,
          "deployment" | "host" | "bindAddress" | "port" | "secretEnv" | "drainSeconds" | "minHealthySeconds"
        >
      >
    >;
  };
}

/** How long requests in progress may take to end at a replica that goes, when the stack says nothing of it. */
const drainSeconds = 60;

export function desiredModelGateways(
  { release, placement }: GatewayDecisions,
  references: Readonly<Record<string, HostReference>>,
): DesiredModelGateway[] {
  const { gateway } = placement;
  if (gateway === undefined) return [];
  const { hosts, keys, limits, ...rest } = gateway;
  const deployments = [...new Set(Object.values(placement.instances).map(({ deployment }) => deployment))].toSorted();
  const shared = {
    ...rest,
    keys: mapValues(keys, ({ secret: _, ...key }) => defined(key)),
    keySecrets: mapValues(keys, ({ secret }) => secret),
    apiKeySecrets: Object.fromEntries(deployments.flatMap((name) => apiKeySecret(name, { release, placement }))),
  };
  return sorted(hosts).flatMap(([on, { haproxy, runtime }]) => {
    const host = references[on];
    if (host === undefined) throw new Error(`the lock's parts do not fit: host ${on}`);
    const target = (name: string): GatewayTarget => {
      const { concurrency, queue } = limits[name] ?? {};
      const own = Object.entries(placement.instances).filter(([, { deployment }]) => deployment === name);
      return {
        servers: sorted(Object.fromEntries(own)).map(([instance, placed]) => serverOf(instance, placed, on, placement)),
        servedModel: release[name]?.servedModel ?? name,
        healthPath: release[name]?.healthPath ?? "/health",
        ...defined({ concurrency, queue }),
        minHealthySeconds: Math.max(...own.map(([, placed]) => placed.minHealthySeconds)),
        drainSeconds: Math.max(...own.map(([, placed]) => placed.drainSeconds ?? drainSeconds)),
      };
    };
    const targets = Object.fromEntries(deployments.map((name) => [name, target(name)]));
    const endpoint = gatewayEndpoint(gateway, placement.hosts[on] ?? {});
    return [{ name: `${on}.models`, routesName: `${on}.routes`, host, endpoint, haproxy, runtime, targets, ...shared }];
  });
}

function serverOf(
  instance: string,
  placed: Pick<PlacedInstance, "host" | "bindAddress" | "port">,
  on: string,
  { hosts }: GatewayDecisions["placement"],
): GatewayServer {
  const there = hosts[placed.host] ?? {};
  const here = { name: on, machine: machineOf(hosts[on]) };
  const address = reachedAt(placed, here, { machine: machineOf(hosts[placed.host]), address: addressOf(there) });
  if (address === undefined) throw new Error(`the lock's parts do not fit: instance ${instance}`);
  return { instance, address, port: placed.port };
}

/** The name of the secret that a deployment's engine asks for. */
function apiKeySecret(name: string, { release, placement }: GatewayDecisions): [string, string][] {
  const { apiKeyVariable = "" } = release[name] ?? {};
  const placed = Object.values(placement.instances).find(({ deployment }) => deployment === name);
  const secret = placed?.secretEnv[apiKeyVariable];
  return secret === undefined ? [] : [[name, secret]];
}
