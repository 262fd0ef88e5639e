import type { ContainerBody } from "./container-body.js";
import type { DockerFault } from "./docker-fault.js";

interface Networked {
  readonly NetworkingConfig?: { readonly EndpointsConfig: Readonly<Record<string, object>> };
}

/**
 * Engines before API 1.44 make a container in one network at most: a body for that, and those that it is to be connected
 * to afterwards.
 */
export function splitNetworks(body: ContainerBody): {
  readonly first: ContainerBody;
  readonly others: readonly (readonly [name: string, endpoint: object])[];
} {
  const { NetworkingConfig } = body as Networked;
  const [one, ...others] = Object.entries(NetworkingConfig?.EndpointsConfig ?? {});
  if (one === undefined || others.length === 0) return { first: body, others: [] };
  const [name, endpoint] = one;
  const first: ContainerBody & Networked = { ...body, NetworkingConfig: { EndpointsConfig: { [name]: endpoint } } };
  return { first, others };
}

/** A container's place in a network that an engine has kept of a start in which it was ended itself. */
export interface LeftEndpoint {
  readonly endpoint: string;
  readonly network: string;
}

/** What keeps a container from being started, where that is it. */
export function findLeftEndpoint({ reason }: DockerFault): LeftEndpoint | undefined {
  if (reason.kind !== "refused") return undefined;
  const [, endpoint, network] = /endpoint with name (\S+) already exists in network (\S+)/.exec(reason.message) ?? [];
  return endpoint === undefined || network === undefined ? undefined : { endpoint, network };
}
