import { BerthError } from "../lib/errors.js";
import { registry } from "../schema/scalars.js";

/**
 * Whether a text names a registry, or a folder of it.
 *
 * @throws BerthError `usage`, which holds nothing of a login that somebody wrote into the name
 */
export function assertRegistry(name: string): void {
  if (registry.safeParse(name).success) return;
  const expected = "a registry, or a folder of it, such as registry.example.net:5000/hub";
  if (!name.includes("@")) throw new BerthError("usage", { what: "this is no registry", got: name, expected });
  throw new BerthError("usage", {
    what: "a registry is named without a login",
    got: name.replace(/^.*@/s, "[secret]@"),
    expected,
    hint: "log in with `docker login` on this machine, or name the login in the stack's `registryLogins` and the stack with --stack",
  });
}
