/** Which replicas there are, and on which hosts. Pure. */
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { Placement } from "../schema/lock.js";
import type { DeploymentEntry } from "../schema/stack.js";
import { findFitting, type HostChoice } from "./host-choice.js";

/** The name of a replica, counted from 0. */
export function instanceName(deployment: string, number: number): string {
  return `${deployment}-${number}`;
}

/** By deployment, then by number: `chat-10` comes after `chat-9`. */
export function compareInstances(one: string, other: string): number {
  const [deployment, number] = splitName(one);
  const [otherDeployment, otherNumber] = splitName(other);
  if (deployment !== otherDeployment) return deployment < otherDeployment ? -1 : 1;
  return number - otherNumber;
}

function splitName(name: string): [deployment: string, number: number] {
  const end = name.lastIndexOf("-");
  return [name.slice(0, end), Number(name.slice(end + 1))];
}

/**
 * The host of each replica of a deployment. A replica stays where it was while that host fits; the others go, one by
 * one, to the host that has the fewest, the first by name of several.
 *
 * @throws BerthError `stack-inconsistent` when no host fits, or several do and nothing tells that any will do
 */
export function chooseHosts(
  choice: HostChoice,
  name: string,
  deployment: DeploymentEntry,
  previous: Pick<Placement, "instances"> | undefined,
): string[] {
  const fitting = findFitting(choice, name, deployment);
  const { replicas } = deployment;
  if (replicas === undefined && fitting.length > 1) throw severalFit(name, fitting);
  const numbers = Array.from({ length: replicas ?? 1 }, (_, number) => number);
  const before = numbers.map((number) => lookUp(previous?.instances ?? {}, instanceName(name, number))?.host);
  return spread(fitting, before);
}

function spread(hosts: readonly string[], before: readonly (string | undefined)[]): string[] {
  const counts = new Map(hosts.map((host) => [host, 0]));
  const take = (host: string): string => {
    counts.set(host, (counts.get(host) ?? 0) + 1);
    return host;
  };
  const kept = before.map((host) => (host !== undefined && counts.has(host) ? take(host) : undefined));
  return kept.map((host) => host ?? take(leastOf(counts)));
}

function leastOf(counts: ReadonlyMap<string, number>): string {
  const [first, ...others] = counts;
  if (first === undefined) throw new Error("no host to choose from");
  return others.reduce((least, entry) => (entry[1] < least[1] ? entry : least), first)[0];
}

function severalFit(name: string, fitting: readonly string[]): BerthError {
  return new BerthError("stack-inconsistent", {
    where: `deployment ${name}`,
    what: "the stack has several hosts and the deployment names none",
    got: "no `host`",
    expected: fitting.join(", "),
    hint: "add `host`, or `replicas`, which are spread over all of them",
  });
}
