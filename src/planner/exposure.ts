import { BerthError } from "../lib/errors.js";
import type { LockedDeployment } from "../schema/lock.js";

const loopback = new Set(["127.0.0.1", "::1"]);

/** Whether nobody but the host itself reaches an address. */
export function isLoopback(address: string): boolean {
  return loopback.has(address);
}

/** The address to serve on, if it may be: one that others can reach needs a key, or the word that none is wanted. */
export function allowAddress(
  { bindAddress, insecure }: { bindAddress: string; insecure: boolean },
  hasKey: boolean,
  where: string,
): string {
  if (isLoopback(bindAddress) || insecure || hasKey) return bindAddress;
  throw new BerthError("stack-inconsistent", {
    where,
    what: "an address that others can reach needs a key",
    got: bindAddress,
    expected: "`apiKey`, or `insecure: true`",
    hint: "add `apiKey: { secret: NAME }`; with `insecure: true` anybody who reaches the address can use the model",
  });
}

/** The environment variable through which the engine takes its key. */
export function keyVariable({ backend, apiKeyVariable }: LockedDeployment, where: string): string {
  if (apiKeyVariable !== undefined) return apiKeyVariable;
  throw new BerthError("stack-inconsistent", {
    where,
    what: "the backend takes no API key from its environment",
    got: backend,
    expected: "a backend file with apiKeyVariable",
    hint: "remove `apiKey`, or add apiKeyVariable to the backend file",
  });
}
