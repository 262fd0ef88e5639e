/** What instances have on other hosts, as a lock says it. Pure. */
import { BerthError } from "../lib/errors.js";
import { defined, lookUp } from "../lib/record.js";
import { assertSameDevices } from "./device-variables.js";
import { knownHost } from "./host-choice.js";
import { machineOf, type Ports, type Replica } from "./port-placement.js";
import { takenPort } from "./ports.js";
import { clusterVariables } from "./ray-environment.js";
import type { ReplicaPlace, SubordinatePlace } from "./replica-problem.js";
import { findHaproxy } from "./rollout.js";
import { chooseRuntime } from "./runtime-choice.js";
import {
  clusterOf,
  placeSubordinatePorts,
  type SubordinatePortProblem,
  type SubordinateRequest,
} from "./subordinate-ports.js";
import type { LockedDeployment, PlacedInstance, PlacedSubordinate } from "../schema/lock.js";

export interface SubordinateProblem extends SubordinatePortProblem {
  readonly release: Readonly<Record<string, LockedDeployment>>;
  /** Where each replica runs, by the name of its instance, in the order of deployments and numbers. */
  readonly places: ReadonlyMap<string, ReplicaPlace>;
}

/** Something that a replica has on a host beside its engine. */
type Wanted = Omit<SubordinateRequest, "isGuarded"> & Pick<PlacedSubordinate, "memory" | "haproxy">;

/** By the names of instances that have subordinates. */
export function placeSubordinates(
  problem: SubordinateProblem,
  taken: ReadonlySet<string>,
): ReadonlyMap<string, readonly PlacedSubordinate[]> {
  const wanted = [...problem.places].flatMap(([instance, place]) => listWanted(problem, instance, place));
  const requests = wanted.map((each): SubordinateRequest => ({ ...each, isGuarded: each.haproxy !== undefined }));
  const ports = placeSubordinatePorts(problem, requests, taken);
  const placed = new Map<string, PlacedSubordinate[]>();
  for (const [index, { instance, deployment, host, devices, ray, memory, haproxy }] of wanted.entries()) {
    const { facts } = knownHost(problem.hosts, host);
    const { env = {} } = problem.release[deployment] ?? {};
    assertSameDevices(env, devices, facts, `deployment ${deployment}`);
    const own: PlacedSubordinate = {
      ...{ host, ...defined({ ray }), devices: [...devices], ...defined({ memory }) },
      runtime: processRuntime(problem, host),
      ...(ports[index] ?? { port: 0 }),
      ...defined({ haproxy }),
    };
    placed.set(instance, [...(placed.get(instance) ?? []), own]);
  }
  return placed;
}

/** RPC servers on the other hosts; or a node of Ray on each, the head on the primary's, where its engine finds it. */
function listWanted(problem: SubordinateProblem, instance: string, place: ReplicaPlace): Wanted[] {
  const { deployment, host, subordinates } = place;
  if (subordinates === undefined) return [];
  const named = { instance, deployment };
  if (problem.release[deployment]?.distributed?.method !== "ray")
    return subordinates.map((each) => ({ ...named, ...each, haproxy: haproxyOf(problem, each) }));
  assertOwnCluster(problem, deployment);
  const cluster = clusterOf(place);
  return [
    // The instance itself has the devices of its host.
    { ...named, host, devices: [], ray: "head", cluster },
    ...subordinates.map((each): Wanted => ({ ...named, ...each, ray: "member", cluster })),
  ];
}

/** A cluster of somebody's own would count more than the instance's. */
function assertOwnCluster({ stack, release }: SubordinateProblem, deployment: string): void {
  const { secretEnv = {} } = lookUp(stack.deployments, deployment) ?? {};
  const given = Object.keys({ ...release[deployment]?.env, ...secretEnv }).filter((name) => clusterVariables.has(name));
  if (given.length === 0) return;
  throw new BerthError("stack-inconsistent", {
    where: `deployment ${deployment}`,
    what: "Berth itself sets what an engine finds its Ray cluster by",
    got: given.join(", "),
    hint: "remove it from the environment",
  });
}

/** The instance with its subordinates. The primary of RPC servers is told their addresses by its arguments. */
export function withSubordinates(
  { stack }: SubordinateProblem,
  placed: PlacedInstance,
  subordinates: readonly PlacedSubordinate[],
): PlacedInstance {
  if (subordinates.some(({ ray }) => ray !== undefined)) return { ...placed, subordinates: [...subordinates] };
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
