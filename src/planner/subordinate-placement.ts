/** What instances have on other hosts, as a lock says it. Pure. */
import { assertSameDevices } from "./device-variables.js";
import { knownHost } from "./host-choice.js";
import { machineOf, type Ports, type Replica } from "./port-placement.js";
import { takenPort } from "./ports.js";
import type { ReplicaPlace, SubordinatePlace } from "./replica-problem.js";
import { findHaproxy } from "./rollout.js";
import { chooseRuntime } from "./runtime-choice.js";
import { placeSubordinatePorts, type SubordinatePortProblem, type SubordinateRequest } from "./subordinate-ports.js";
import type { LockedDeployment, PlacedInstance, PlacedSubordinate } from "../schema/lock.js";

export interface SubordinateProblem extends SubordinatePortProblem {
  readonly release: Readonly<Record<string, LockedDeployment>>;
  /** Where each replica runs, by the name of its instance, in the order of deployments and numbers. */
  readonly places: ReadonlyMap<string, ReplicaPlace>;
}

/** By the names of instances that have subordinates. */
export function placeSubordinates(
  problem: SubordinateProblem,
  taken: ReadonlySet<string>,
): ReadonlyMap<string, readonly PlacedSubordinate[]> {
  const wanted = [...problem.places].flatMap(([instance, { deployment, subordinates = [] }]) =>
    subordinates.map((place) => ({ place, haproxy: haproxyOf(problem, place), instance, deployment })),
  );
  const requests = wanted.map(({ place: { host, devices }, haproxy, instance, deployment }): SubordinateRequest => {
    return { instance, deployment, host, devices, isGuarded: haproxy !== undefined };
  });
  const ports = placeSubordinatePorts(problem, requests, taken);
  const placed = new Map<string, PlacedSubordinate[]>();
  for (const [index, { instance, deployment, place, haproxy }] of wanted.entries()) {
    const { host, devices, memory } = place;
    const { facts } = knownHost(problem.hosts, host);
    assertSameDevices(problem.release[deployment]?.env ?? {}, devices, facts, `deployment ${deployment}`);
    const own: PlacedSubordinate = {
      ...{ host, devices: [...devices], memory },
      runtime: processRuntime(problem, host),
      ...(ports[index] ?? { port: 0 }),
      ...(haproxy === undefined ? {} : { haproxy }),
    };
    placed.set(instance, [...(placed.get(instance) ?? []), own]);
  }
  return placed;
}

/** The instance with its subordinates, and with their addresses among its arguments. */
export function withSubordinates(
  { stack }: SubordinateProblem,
  placed: PlacedInstance,
  subordinates: readonly PlacedSubordinate[],
): PlacedInstance {
  const addresses = subordinates.map(({ host, port }) => `${stack.hosts[host]?.privateAddress ?? host}:${port}`);
  const words = ["--rpc", addresses.join(","), ...(placed.arguments ?? [])];
  return { ...placed, arguments: words, subordinates: [...subordinates] };
}

/** The ports that instances and their runners have got. */
export function takenPorts(
  { stack }: SubordinateProblem,
  replicas: readonly Replica[],
  ports: ReadonlyMap<string, Ports>,
): ReadonlySet<string> {
  return new Set(
    replicas.flatMap(({ name, host }) => {
      const { port, slots = [] } = ports.get(name) ?? { port: 0 };
      return [port, ...slots].map((each) => takenPort(machineOf(stack.hosts[host]), each));
    }),
  );
}

/** Undefined where there is none, which the stack has to allow. */
function haproxyOf({ hosts }: SubordinateProblem, { host }: SubordinatePlace): string | undefined {
  return findHaproxy({ gateway: undefined, facts: knownHost(hosts, host).facts });
}

function processRuntime({ stack, hosts }: SubordinateProblem, host: string): PlacedSubordinate["runtime"] {
  return chooseRuntime(host, stack.hosts[host]?.runtime, knownHost(hosts, host).facts.initSystem);
}
