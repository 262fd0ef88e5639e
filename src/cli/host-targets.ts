import { BerthError } from "../lib/errors.js";
import type { DesiredExtras } from "../planner/desired-commands.js";
import type { DesiredStack } from "../planner/desired.js";
import { hostState } from "./host-state.js";
import type { StackState } from "./state.js";

export interface TargetProblem {
  readonly stack: string;
  readonly project: string;
  /** The hosts that are meant. */
  readonly hosts: readonly string[];
  readonly desired: DesiredStack;
  readonly extras: DesiredExtras;
  readonly state: Pick<StackState, "resources" | "extras">;
}

/**
 * All that a lock wants on some hosts and all that a state has there, as Pulumi's `--target` takes it. Pure.
 *
 * @throws BerthError `usage` for a host that nobody knows, or an instance that moves from or to a host that is not meant
 */
export function hostTargets(problem: TargetProblem): string[] {
  const { stack, project, hosts, state } = problem;
  assertKnown(problem);
  assertWhole(problem);
  const wanted = wantedNames(problem).map((name) => `urn:pulumi:${stack}::${project}::**${name}`);
  const present = hosts.flatMap((host) => {
    const found = hostState(host, state);
    return [...found.resources, ...found.extras].map(({ urn }) => urn);
  });
  return [...new Set([...wanted, ...present])].sort();
}

/** Names with as much of their types as tells them apart: what is to be made has no URN yet. */
function wantedNames({ hosts, desired, extras }: TargetProblem): string[] {
  const isMeant = ({ host }: { host: { name: string } }) => hosts.includes(host.name);
  const named = (kind: string, things: readonly { name: string; host: { name: string } }[]) =>
    things.filter(isMeant).map(({ name }) => `berth:${kind}::${name}`);
  const instances = new Set(desired.instances.filter(isMeant).map(({ name }) => name));
  const docker = extras.dockers
    .filter(isMeant)
    .flatMap(({ name, networks, volumes }) => [name, ...[...networks, ...volumes].map((each) => each.name)]);
  const commands = [
    ...extras.setups.filter(isMeant),
    ...extras.verifications.filter(({ instance }) => instances.has(instance)),
  ].map(({ name }) => name);
  return [
    // What stands below it is not made without it.
    "berth:index:Stack::*",
    ...named("Host", desired.hosts),
    ...named("Gateway", desired.gateways),
    ...named("BackendVersion", desired.backendVersions),
    ...named("ModelFiles", desired.models),
    ...named("Subordinate", desired.subordinates),
    ...named("Instance", desired.instances),
    ...modelGatewayNames(desired.modelGateways),
    ...[...docker, ...commands].map((name) => `::${name}`),
  ];
}

/**
 * On whatever hosts they are, gateways learn of replicas that come. What they serve is told when all hosts are as wanted:
 * it wants every replica.
 */
function modelGatewayNames(gateways: DesiredStack["modelGateways"]): string[] {
  return gateways.flatMap(({ name, host }) => [`berth:Host::${host.name}`, `berth:ModelGateway::${name}`]);
}

function assertKnown({ stack, hosts, desired, state }: TargetProblem): void {
  const known = new Set([...desired.hosts.map(({ name }) => name), ...hostState("", state).known]);
  const unknown = hosts.find((host) => !known.has(host));
  if (unknown === undefined) return;
  throw new BerthError("usage", {
    where: `stack ${stack}`,
    what: "neither its lock nor its state has such a host",
    got: unknown,
    expected: [...known].sort().join(", "),
  });
}

/** Half a move would leave an instance on both hosts, or on none. */
function assertWhole({ hosts, desired, state }: TargetProblem): void {
  const before = new Map(
    state.resources
      .filter(({ kind }) => kind === "Instance")
      .map(({ outputs }) => [String(outputs.name), (outputs.host as { name: string }).name]),
  );
  for (const { name, host } of desired.instances) {
    const from = before.get(name);
    if (from === undefined || from === host.name || hosts.includes(from) === hosts.includes(host.name)) continue;
    throw new BerthError("usage", {
      where: `instance ${name}`,
      what: "it moves from one host to another, and only one of them is named",
      got: `--host ${hosts.join(" ")}`,
      expected: `${from} and ${host.name}, or neither`,
    });
  }
}
