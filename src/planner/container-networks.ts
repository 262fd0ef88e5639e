import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { HostEntry } from "../schema/hosts.js";
import { dockerName } from "./docker-name.js";

export interface NetworkProblem {
  /** Whose stack it is, as project/stack. */
  readonly owner: string;
  readonly host: string;
  /** Networks that the stack declares on the host. */
  readonly declared: HostEntry["networks"];
  /** Names of those that the container is to join. */
  readonly asked: readonly string[] | undefined;
  /** What names the deployment, for errors. */
  readonly where: string;
}

/**
 * Docker's names of the networks that a container joins. Pure.
 *
 * @throws BerthError `stack-inconsistent` for one that its host does not declare, and where all of them are internal,
 *   because an engine publishes no port of a container that has no other way out
 */
export function placeNetworks({ owner, host, declared = {}, asked = [], where }: NetworkProblem): string[] {
  const unknown = asked.filter((key) => lookUp(declared, key) === undefined);
  if (unknown.length > 0) {
    const known = Object.keys(declared).sort();
    throw new BerthError("stack-inconsistent", {
      where,
      what: `its container is to join a network that the stack does not declare on host ${host}`,
      got: `container.networks: ${unknown.join(", ")}`,
      expected: known.length === 0 ? `\`networks\` of host ${host}; it has none` : `one of ${known.join(", ")}`,
      hint: `declare it under \`networks\` of host ${host}, or correct the name`,
    });
  }
  if (asked.length > 0 && asked.every((key) => lookUp(declared, key)?.internal === true)) {
    throw new BerthError("stack-inconsistent", {
      where,
      what: "its container is to join internal networks alone, and of such a container no port is published",
      got: `container.networks: ${asked.join(", ")}`,
      expected: "one that is not internal among them",
      hint: "let it join a second network, or take `internal` off one of them",
    });
  }
  const [project = "", stack = ""] = owner.split("/");
  return asked.map((key) => dockerName({ project, stack, host, key }));
}
