/** Which replica goes on which host and devices, and what that means for it. Pure. */
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { PlacedMemory } from "../schema/placement.js";
import type { DeploymentEntry, StackFile } from "../schema/stack.js";
import { fleetHost } from "./fleet-hosts.js";
import { planFleet } from "./fleet/plan.js";
import type { Demand, FleetDevice, FleetHost, FleetPlan, PreviousReplica, Refusal } from "./fleet/problem.js";
import { describeRefusal } from "./fleet/refusal-text.js";
import { knownHost, type KnownHost } from "./host-choice.js";
import { instanceName } from "./replicas.js";
import { foldNames } from "./report/names.js";
import type { WayDetail, Ways } from "./way.js";

/** A deployment that is to be placed. */
export interface Candidate {
  readonly name: string;
  readonly deployment: DeploymentEntry;
  /** The hosts that come into question; they are of one kind. */
  readonly hosts: readonly string[];
  readonly ways: Ways;
  readonly modelSha256: string;
  /** Why hosts with the right labels do not come into question, by host. */
  readonly leftOut?: Readonly<Record<string, string>>;
}

export interface ReplicaProblem {
  /** Whose stack it is, as project/stack. */
  readonly owner: string;
  readonly stack: Pick<StackFile, "hosts">;
  readonly hosts: Readonly<Record<string, KnownHost>>;
  readonly candidates: readonly Candidate[];
  readonly previous: { readonly instances: Readonly<Record<string, PreviousInstance>> } | undefined;
  /** SHA-256 of the model of each deployment before. */
  readonly modelsBefore: Readonly<Record<string, string>>;
}

/** What counts of where a replica was. */
export interface PreviousInstance {
  readonly deployment: string;
  readonly host: string;
  readonly devices: readonly string[];
  readonly memory?: PlacedMemory | undefined;
}

/** Where a replica runs. */
export interface ReplicaPlace {
  readonly deployment: string;
  readonly host: string;
  readonly devices: readonly string[];
  readonly memory: PlacedMemory | undefined;
  /** What its engine has to be told. */
  readonly arguments: readonly string[];
}

/**
 * A place for every replica of every deployment, by the name of its instance, in the order of deployments and numbers.
 * What was placed before stays while it fits.
 *
 * @throws BerthError `does-not-fit` when one has none, with what it lacks; `stack-inconsistent` for devices by hand that
 * are not there
 */
export function placeReplicas(problem: ReplicaProblem): ReadonlyMap<string, ReplicaPlace> {
  const { candidates } = problem;
  const { hosts, plan } = planReplicas(problem);
  if (plan.refusals.length > 0) throw doesNotFit(plan.refusals, candidates);
  const byName = new Map(candidates.map((candidate) => [candidate.name, candidate]));
  const devices = new Map(hosts.map((host) => [host.name, host.devices]));
  return new Map(
    plan.instances.map(({ deployment, replica, option, parts: [part] }): [string, ReplicaPlace] => {
      const candidate = byName.get(deployment);
      if (candidate === undefined || part === undefined) throw new Error(`a plan for nothing: ${deployment}`);
      const detail = describePlace(candidate, option, part.devices, devices.get(part.host) ?? []);
      return [instanceName(deployment, replica), { deployment, ...part, ...detail }];
    }),
  );
}

/**
 * The plan of the fleet, with what it refuses.
 *
 * @throws BerthError `stack-inconsistent` for devices by hand that are not there
 */
export function planReplicas(problem: ReplicaProblem): { hosts: readonly FleetHost[]; plan: FleetPlan } {
  const { candidates, stack } = problem;
  const hosts = Object.keys(stack.hosts).map((name) => describeHost(problem, name));
  for (const candidate of candidates) assertDevices(candidate, hosts);
  return { hosts, plan: planFleet({ hosts, demands: candidates.map((each) => demandOf(problem, each)) }) };
}

function describeHost({ owner, stack, hosts, previous, modelsBefore }: ReplicaProblem, name: string): FleetHost {
  const entry = stack.hosts[name];
  if (entry === undefined) throw new Error(`no host ${name}`);
  const own = Object.values(previous?.instances ?? {}).filter(({ host }) => host === name);
  const models = own.flatMap(({ deployment }) => lookUp(modelsBefore, deployment) ?? []);
  return fleetHost({ owner, name, entry, known: knownHost(hosts, name), previous, models: [...new Set(models)] });
}

function demandOf({ previous }: ReplicaProblem, { name, deployment, hosts, ways, modelSha256 }: Candidate): Demand {
  const { replicas = 1, placement, port } = deployment;
  const { strategy, priority, apartFrom, devices } = placement;
  const numbers = Array.from({ length: replicas }, (_, number) => number);
  return {
    deployment: name,
    replicas,
    priority,
    hostSelector: { host: [...hosts] },
    // A port of the stack's own is one on each host.
    apartFrom: port === undefined ? apartFrom : [...new Set([...apartFrom, name])],
    strategy,
    model: modelSha256,
    ...(devices === undefined ? {} : { devices }),
    options: ways.ways.map(({ option }) => option),
    previous: numbers.flatMap((number) => previousReplica(previous, name, number)),
    get remedies() {
      return ways.remedies();
    },
  };
}

function previousReplica(previous: ReplicaProblem["previous"], deployment: string, number: number): PreviousReplica[] {
  const before = lookUp(previous?.instances ?? {}, instanceName(deployment, number));
  if (before === undefined) return [];
  const { host, devices, memory } = before;
  return [{ replica: number, ...(memory && { option: memory.option }), parts: [{ host, devices }] }];
}

function describePlace(
  { ways }: Candidate,
  option: string,
  devices: readonly string[],
  known: readonly FleetDevice[],
): WayDetail {
  const way = ways.ways.find((each) => each.option.name === option);
  if (way === undefined) throw new Error(`a plan with an unknown option: ${option}`);
  const chosen = devices.map((id) => {
    return { id, totalBytes: known.find((device) => device.id === id)?.totalBytes ?? 0 };
  });
  return way.describe(chosen);
}

/** Devices that somebody names have to be there. */
function assertDevices({ name, deployment, hosts: allowed }: Candidate, hosts: readonly FleetHost[]): void {
  for (const [host, devices] of Object.entries(deployment.placement.devices ?? {})) {
    const known = hosts.find((each) => each.name === host && allowed.includes(host));
    const missing = devices.filter((device) => known?.devices.every(({ id }) => id !== device) !== false);
    if (missing.length === 0) continue;
    throw new BerthError("stack-inconsistent", {
      where: `deployment ${name}`,
      what: `\`placement.devices\` names what host ${host} does not have for it`,
      got: missing.join(", "),
      expected: known === undefined ? `a host of ${allowed.join(", ")}` : listDevices(known),
      hint: "`berth facts` lists the devices of each host",
    });
  }
}

function listDevices({ devices }: FleetHost): string {
  if (devices.length === 0) return "no device: the host has none that is placed";
  return devices.map(({ id }) => id).join(", ");
}

function doesNotFit(refusals: readonly Refusal[], candidates: readonly Candidate[]): BerthError {
  const [first, ...others] = refusals.map(describeRefusal);
  if (first === undefined) throw new Error("a refusal without one");
  const notes = refusals.flatMap(({ deployment }) => {
    const { ways, leftOut = {} } = candidates.find(({ name }) => name === deployment) ?? {};
    const alone = ways?.note === undefined ? [] : [`deployment ${deployment} has its devices alone: ${ways.note}`];
    const reasons = [...new Set(Object.values(leftOut))];
    const others = reasons.map((why) => {
      const hosts = Object.keys(leftOut).filter((host) => leftOut[host] === why);
      return `deployment ${deployment}: not on ${foldNames(hosts)}: ${why}`;
    });
    return [...alone, ...others];
  });
  const lines = [...notes, ...others.map((parts) => new BerthError("does-not-fit", parts).message)];
  return new BerthError("does-not-fit", { ...first, ...(lines.length === 0 ? {} : { detail: lines.join("\n") }) });
}
