/** Where a gateway reaches a replica. Pure. */
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
