import type { FindRegistryLogin } from "../host/registry-login.js";
import { lookUp } from "../lib/record.js";
import type { StackFile } from "../schema/stack.js";
import { secretMissing } from "./secret.js";

/**
 * The logins that a stack names, before those that this machine has.
 *
 * @throws BerthError `secret-missing` when a login is asked for whose secret is found nowhere
 */
export function createStackLogins(
  logins: StackFile["registryLogins"],
  findSecret: (name: string) => Promise<string | undefined>,
  machine: FindRegistryLogin,
): FindRegistryLogin {
  return async (registry) => {
    const named = lookUp(logins ?? {}, registry === "registry-1.docker.io" ? "docker.io" : registry);
    if (named === undefined) return machine(registry);
    const { secret } = named.password;
    const password = await findSecret(secret);
    if (password === undefined) throw secretMissing(secret);
    return { username: named.username, password };
  };
}
