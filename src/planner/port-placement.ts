/** Which replicas have a gateway before them, and which ports they have. Pure. */
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { PlacedInstance, Placement } from "../schema/lock.js";
import type { PlacedMemory } from "../schema/placement.js";
import type { DeploymentEntry, HostEntry, StackFile } from "../schema/stack.js";
import { fleetHost } from "./fleet-hosts.js";
import { knownHost, type KnownHost } from "./host-choice.js";
import { assignPorts, takenPort, type PortClaim, type PortRequest } from "./ports.js";
import { chooseBlueGreen, type Memory, type Rollout } from "./rollout.js";

/** What ports are chosen by. */
export interface PortProblem {
  /** Whose stack it is, as project/stack. */
  readonly owner: string;
  readonly stack: StackFile;
  readonly hosts: Readonly<Record<string, KnownHost>>;
  readonly previous: Placement | undefined;
}

/** One replica of a deployment, and where it runs. */
export interface Replica {
  readonly name: string;
  readonly deployment: string;
  readonly entry: DeploymentEntry;
  readonly host: string;
  /** What it takes, where that is known. */
  readonly memory: PlacedMemory | undefined;
  /** Whether it has other hosts too: their memory is no room for a second one. */
  readonly hasSeveral?: boolean;
}

export type Ports = Pick<PlacedInstance, "port" | "slots">;

/** A port for each replica, and two more for the runners of those that have a gateway before them. */
export function placePorts(problem: PortProblem, replicas: readonly Replica[]): ReadonlyMap<string, Ports> {
  const requests = replicas.map((replica, index) => requestPort(problem, replica, index));
  const stable = assignPorts(requests);
  const taken = new Set(requests.map(({ name, machine }) => takenPort(machine, stable.get(name) ?? 0)));
  const behind = chooseBehindGateway(problem, replicas);
  const slotName = (name: string, slot: number) => `${name}, slot ${slot + 1}`;
  const ofSlots = replicas.flatMap((replica, index) => {
    if (!behind.has(replica)) return [];
    const request = requestPort(problem, replica, index);
    return [0, 1].map((slot) => {
      const before = request.before === undefined ? undefined : slotsBefore(problem, replica.name)?.[slot];
      return { ...request, name: slotName(replica.name, slot), asked: undefined, before };
    });
  });
  const assigned = assignPorts(ofSlots, taken);
  const slot = (name: string, index: number) => assigned.get(slotName(name, index)) ?? 0;
  return new Map(
    replicas.map((replica): [string, Ports] => {
      const { name } = replica;
      const port = stable.get(name) ?? 0;
      return [name, behind.has(replica) ? { port, slots: [slot(name, 0), slot(name, 1)] } : { port }];
    }),
  );
}

/** Replicas of a deployment that share a host are all updated in the same way. */
function chooseBehindGateway(problem: PortProblem, replicas: readonly Replica[]): Set<Replica> {
  const groups = new Map<string, Replica[]>();
  for (const replica of replicas) {
    if (replica.hasSeveral === true) {
      assertRecreate(replica);
      continue;
    }
    const key = `${replica.deployment} ${replica.host}`;
    groups.set(key, [...(groups.get(key) ?? []), replica]);
  }
  const rollouts = [...groups.values()].flatMap((group) => rolloutOf(problem, group));
  const chosen = chooseBlueGreen(rollouts.map(({ rollout }) => rollout));
  return new Set(rollouts.flatMap(({ rollout, group }) => (chosen.has(rollout) ? group : [])));
}

function assertRecreate({ deployment, entry }: Replica): void {
  if (entry.update.strategy !== "blueGreen") return;
  throw new BerthError("stack-inconsistent", {
    where: `deployment ${deployment}`,
    what: "a replica that has several hosts is updated by stopping the old runner first",
    got: "strategy: blueGreen",
    expected: "strategy: recreate, or none",
    hint: "leave `strategy` out, or `placement: { distributed: true }`",
  });
}

function rolloutOf(problem: PortProblem, group: readonly Replica[]): { rollout: Rollout; group: readonly Replica[] }[] {
  const [first] = group;
  if (first === undefined) return [];
  const { deployment, entry, host } = first;
  const { gateway } = problem.stack.hosts[host] ?? {};
  const { facts } = knownHost(problem.hosts, host);
  const before = group.some(({ name }) => slotsBefore(problem, name) !== undefined);
  const memories = group.map(({ memory }) => memory);
  const taken = takenOn(problem, host);
  return [{ rollout: { deployment, entry, host, memories, gateway, facts, taken, before }, group }];
}

/** What a placement gives to none of the stack's replicas is no room for their updates either. */
function takenOn({ owner, stack, hosts, previous }: PortProblem, name: string): Memory {
  const known = knownHost(hosts, name);
  const { ramBytes, devices } = fleetHost({ owner, name, entry: stack.hosts[name] ?? {}, known, previous, models: [] });
  const parts = devices.map(({ id, totalBytes, freeBytes }) => [id, totalBytes - freeBytes] as const);
  return { ram: known.facts.ramBytes - ramBytes, devices: new Map(parts) };
}

function slotsBefore({ previous }: PortProblem, instance: string): PlacedInstance["slots"] {
  return lookUp(previous?.instances ?? {}, instance)?.slots;
}

function requestPort(problem: PortProblem, { name, deployment, entry, host }: Replica, order: number): PortRequest {
  const { stack, hosts, previous } = problem;
  const before = lookUp(previous?.instances ?? {}, name);
  return {
    name,
    order,
    deployment,
    host,
    machine: machineOf(stack.hosts[host]),
    range: stack.hosts[host]?.portRange ?? [1, 0],
    asked: entry.port,
    before: before?.host === host ? before.port : undefined,
    listening: knownHost(hosts, host).usage.listeningPorts,
    claims: claimsOfOthers(problem, host, name),
  };
}

/** Ports that other instances have on the machine of a host, by whatever name the stack knows it. */
export function claimsOfOthers(
  { stack, hosts, owner }: PortProblem,
  host: string,
  own: string | undefined,
): PortClaim[] {
  const machine = machineOf(stack.hosts[host]);
  const alike = Object.keys(stack.hosts).filter((name) => machineOf(stack.hosts[name]) === machine);
  const claims = alike.flatMap((name) => knownHost(hosts, name).usage.claims ?? []);
  return claims.flatMap((claim) => {
    if (!("port" in claim) || (claim.owner === owner && claim.instance === own)) return [];
    return [{ ...claim, foreign: claim.owner !== owner }];
  });
}

/** What holds ports: hosts by the connection `local` are all this machine, and two names may lead to one ssh server. */
export function machineOf(host: Pick<HostEntry, "connection" | "ssh"> | undefined): string {
  const { address, port = 22 } = host?.ssh ?? {};
  return address === undefined ? "local" : `${address} ${port}`;
}
