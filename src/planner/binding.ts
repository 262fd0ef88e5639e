import { z } from "zod";

import { BerthError } from "../lib/errors.js";
import type { HostSelector } from "../schema/selector.js";
import type { DeploymentEntry } from "../schema/stack.js";

/** What binds the placement of a deployment beside what the stack says. */
export interface Binding {
  /** The labels that its hosts have to have. */
  readonly selector: HostSelector;
  /** What the parameters say about the address. */
  readonly address?: string | undefined;
  /** What the parameters say about the port. */
  readonly port?: number | undefined;
  /** What the parameters say about the devices of one instance. */
  readonly tensorParallelSize?: number | undefined;
  /** How many accelerators each of its hosts has. */
  readonly accelerators: ReadonlyMap<string, number>;
}

const loopback = "127.0.0.1";
const ipAddress = z.union([z.ipv4(), z.ipv6()]);

/**
 * A deployment with all that binds it in its own fields. Pure.
 *
 * @throws BerthError `stack-inconsistent` when its parameters say something else than its fields
 */
export function bindDeployment(name: string, deployment: DeploymentEntry, binding: Binding): DeploymentEntry {
  const { selector, address, port, tensorParallelSize = 1, accelerators } = binding;
  for (const [host, count] of accelerators) {
    // Without any it is the number of processors' groups.
    if (count === 0 || tensorParallelSize <= count) continue;
    throw new BerthError("host-unsuitable", {
      where: `deployment ${name}`,
      what: `the parameters ask for more devices than the host ${host} has`,
      got: `tensor parallel size ${tensorParallelSize}`,
      expected: `at most ${count}`,
      hint: "lower it, or choose another host",
    });
  }
  if (port !== undefined && deployment.port !== undefined && port !== deployment.port)
    throw contradiction(name, "port", String(port), String(deployment.port));
  if (address !== undefined && !ipAddress.safeParse(address).success)
    throw inconsistent(name, "the parameters give an address that is none", address, "an IP address");
  // The default address is as good as none.
  if (address !== undefined && ![loopback, address].includes(deployment.bindAddress))
    throw contradiction(name, "bindAddress", address, deployment.bindAddress);
  const bound = port ?? deployment.port;
  return {
    ...deployment,
    hostSelector: selector,
    bindAddress: address ?? deployment.bindAddress,
    ...(bound === undefined ? {} : { port: bound }),
  };
}

function contradiction(name: string, field: string, got: string, expected: string): BerthError {
  return inconsistent(name, `the parameters and \`${field}\` say different things`, got, expected, field);
}

function inconsistent(name: string, what: string, got: string, expected: string, field = "bindAddress"): BerthError {
  const hint = `give it once: as \`${field}\``;
  return new BerthError("stack-inconsistent", { where: `deployment ${name}`, what, got, expected, hint });
}
