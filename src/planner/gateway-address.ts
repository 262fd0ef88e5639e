/** Where a gateway reaches a replica, and where clients reach a gateway. Pure. */
import type { PlacedGateway } from "../schema/gateway.js";
import type { PlacedInstance } from "../schema/lock.js";
import { isLoopback } from "./exposure.js";

const everywhere = new Map([
  ["0.0.0.0", "127.0.0.1"],
  ["::", "::1"],
]);

/** The address of a host, as its neighbours know it; undefined for this machine, which says none. */
export function addressOf(host: {
  readonly privateAddress?: string | undefined;
  readonly ssh?: { readonly address: string } | undefined;
}): string | undefined {
  return host.privateAddress ?? host.ssh?.address;
}

/**
 * The address at which a replica answers to a gateway; undefined when it does not answer there.
 *
 * @param here the gateway's host
 * @param there the replica's host: the machine that it is, and its address for its neighbours
 */
export function reachedAt(
  { bindAddress, host }: Pick<PlacedInstance, "bindAddress" | "host">,
  here: { readonly name: string; readonly machine: string },
  there: { readonly machine: string; readonly address: string | undefined },
): string | undefined {
  if (host === here.name || here.machine === there.machine) return everywhere.get(bindAddress) ?? bindAddress;
  if (isLoopback(bindAddress)) return undefined;
  return everywhere.has(bindAddress) ? there.address : bindAddress;
}

/**
 * Where clients ask a gateway: the base URL for OpenAI's clients. A certificate may have another name, which is not known
 * here.
 */
export function gatewayEndpoint(
  { listen, certFile }: Pick<PlacedGateway, "listen" | "certFile">,
  host: Parameters<typeof addressOf>[0],
): string {
  const here = everywhere.get(listen.address);
  const address = here === undefined ? listen.address : (addressOf(host) ?? here);
  const name = address.includes(":") ? `[${address}]` : address;
  return `${certFile === undefined ? "http" : "https"}://${name}:${listen.port}/v1`;
}
