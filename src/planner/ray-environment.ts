/** What an engine over several hosts, and each of its cluster's nodes, finds the others by. Pure. */
import type { PlacedInstance } from "../schema/lock.js";

/** Ray's and vLLM's variables that are Berth's to set. */
export const clusterVariables: ReadonlySet<string> = new Set([
  ...["RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "VLLM_HOST_IP"],
]);

/** Private addresses by host. */
type Addresses = Readonly<Record<string, { readonly privateAddress?: string | undefined } | undefined>>;

/** Where the control store of an instance's cluster is, as `ADDRESS:PORT`; undefined where it has no cluster. */
export function headAddress({ subordinates = [] }: PlacedInstance, hosts: Addresses): string | undefined {
  const head = subordinates.find(({ ray }) => ray === "head");
  return head === undefined ? undefined : `${hosts[head.host]?.privateAddress ?? head.host}:${head.port}`;
}

/**
 * Of the engine. `ray.init()` without an address takes RAY_ADDRESS (vllm/v1/executor/ray_utils.py calls it so), and
 * identifies itself with a token where RAY_AUTH_MODE says so (Ray 2.52 and later; the token's place is the host's to
 * tell). Empty where it has no cluster.
 */
export function engineEnvironment(placed: PlacedInstance, hosts: Addresses): Record<string, string> {
  const address = headAddress(placed, hosts);
  if (address === undefined) return {};
  return { RAY_ADDRESS: address, RAY_AUTH_MODE: "token", ...ownAddress(hosts[placed.host]?.privateAddress) };
}

/**
 * What vLLM's processes on a host take for its address (`get_ip` in vllm/utils/network_utils.py), else that of the way
 * to the internet. It is not copied from the engine to its workers (`WORKER_SPECIFIC_ENV_VARS`): they have it of their node.
 */
export function ownAddress(address: string | undefined): Record<string, string> {
  return address === undefined ? {} : { VLLM_HOST_IP: address };
}
