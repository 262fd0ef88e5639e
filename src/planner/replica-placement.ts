/** Which replica goes on which host and devices, and what that means for it. Pure. */
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { fleetHost } from "./fleet-hosts.js";
import { planFleet } from "./fleet/plan.js";
import type { Demand, FleetDevice, FleetHost, FleetPlan, PreviousReplica, Refusal } from "./fleet/problem.js";
import { describeRefusal } from "./fleet/refusal-text.js";
import {
  describeSeveral,
  isApart,
  keepGroups,
  needsSeveral,
  openNumbers,
  placeGroups,
  refuseAlone,
  takenByGroup,
  takenByPlan,
} from "./group-placement.js";
import { knownHost } from "./host-choice.js";
import { withoutTaken } from "./leftovers.js";
import type { Candidate, ReplicaPlace, ReplicaPlan, ReplicaProblem } from "./replica-problem.js";
import { instanceName } from "./replicas.js";
import { foldNames } from "./report/names.js";
import type { WayDetail } from "./way.js";

/** Of so many refusals it is told whether several hosts would do: each is worked out anew. */
const mostSplit = 3;

/**
 * A place for every replica of every deployment, by the name of its instance, in the order of deployments and numbers.
 * What was placed before stays while it fits.
 *
 * @throws BerthError `does-not-fit` when one has none, with what it lacks; `stack-inconsistent` for devices by hand that
 * are not there
 */
export function placeReplicas(problem: ReplicaProblem): ReadonlyMap<string, ReplicaPlace> {
  const { candidates } = problem;
  const planned = planReplicas(problem);
  const { hosts, plan, groups } = planned;
  if (plan.refusals.length > 0) throw doesNotFit(plan.refusals, problem, planned);
  const byName = new Map(candidates.map((candidate) => [candidate.name, candidate]));
  const devices = new Map(hosts.map((host) => [host.name, host.devices]));
  const alone = plan.instances.map(({ deployment, replica, option, parts: [part] }): [string, ReplicaPlace] => {
    const candidate = byName.get(deployment);
    if (candidate === undefined || part === undefined) throw new Error(`a plan for nothing: ${deployment}`);
    const detail = describePlace(candidate, option, part.devices, devices.get(part.host) ?? []);
    return [instanceName(deployment, replica), { deployment, ...part, ...detail }];
  });
  if (groups.size === 0) return new Map(alone);
  return inOrder(candidates, new Map([...alone, ...groups]));
}

function inOrder(
  candidates: readonly Candidate[],
  places: ReadonlyMap<string, ReplicaPlace>,
): ReadonlyMap<string, ReplicaPlace> {
  const names = candidates.flatMap(({ name, deployment: { replicas = 1 } }) =>
    Array.from({ length: replicas }, (_, number) => instanceName(name, number)),
  );
  return new Map(
    names.flatMap((name) => {
      const place = places.get(name);
      return place === undefined ? [] : [[name, place] as const];
    }),
  );
}

/**
 * The plan of the fleet, with what it refuses. Replicas that had several hosts keep them first; what has no place on one
 * host gets several where that is allowed.
 *
 * @throws BerthError `stack-inconsistent` for devices by hand that are not there
 */
export function planReplicas(problem: ReplicaProblem): ReplicaPlan {
  const { candidates, stack } = problem;
  const hosts = Object.keys(stack.hosts).map((name) => describeHost(problem, name));
  for (const candidate of candidates) assertDevices(candidate, hosts);
  const kept = keepGroups(problem, hosts);
  const open = withoutTaken(hosts, [...kept.values()].flatMap(takenByGroup));
  const demands = candidates.flatMap((each) => demandOf(problem, each, kept));
  const planned = planFleet({ hosts: open, demands });
  const alone = kept.size === 0 ? planned : renumbered(planned, candidates, kept);
  const plan = { ...alone, refusals: [...alone.refusals, ...refuseAlone(candidates, kept)] };
  if (kept.size === 0 && plan.refusals.length === 0) return { hosts, plan, groups: kept, left: hosts };
  const left = withoutTaken(
    open,
    plan.instances.map((each) => takenByPlan(each, candidates)),
  );
  return { hosts, ...placeGroups(problem, { plan, groups: kept, left }) };
}

function describeHost({ owner, stack, hosts, previous, modelsBefore }: ReplicaProblem, name: string): FleetHost {
  const entry = stack.hosts[name];
  if (entry === undefined) throw new Error(`no host ${name}`);
  const own = Object.values(previous?.instances ?? {}).filter(({ host }) => host === name);
  const models = own.flatMap(({ deployment }) => lookUp(modelsBefore, deployment) ?? []);
  return fleetHost({ owner, name, entry, known: knownHost(hosts, name), previous, models: [...new Set(models)] });
}

/** None where all of its replicas have their places already. */
function demandOf({ previous }: ReplicaProblem, candidate: Candidate, kept: ReplicaPlan["groups"]): Demand[] {
  const { name, deployment, hosts, ways, modelSha256 } = candidate;
  const { placement, port } = deployment;
  const { strategy, priority, apartFrom, devices } = placement;
  const numbers = openNumbers(candidate, kept);
  if (numbers.length === 0 || needsSeveral(candidate)) return [];
  const demand: Demand = {
    deployment: name,
    replicas: numbers.length,
    priority,
    hostSelector: { host: hosts.filter((host) => !isApart(candidate, host, kept)) },
    // A port of the stack's own is one on each host.
    apartFrom: port === undefined ? apartFrom : [...new Set([...apartFrom, name])],
    strategy,
    model: modelSha256,
    ...(devices === undefined ? {} : { devices }),
    options: ways.ways.map(({ option }) => option),
    previous: numbers.flatMap((number, index) => previousReplica(previous, instanceName(name, number), index)),
    get remedies() {
      return ways.remedies();
    },
  };
  return [demand];
}

/** One that had several hosts and keeps them no more is as good as new. */
function previousReplica(previous: ReplicaProblem["previous"], name: string, replica: number): PreviousReplica[] {
  const before = lookUp(previous?.instances ?? {}, name);
  if (before === undefined || before.subordinates !== undefined) return [];
  const { host, devices, memory } = before;
  return [{ replica, ...(memory && { option: memory.option }), parts: [{ host, devices }] }];
}

/** Replicas are counted without those that keep their groups; here they get their own numbers again. */
function renumbered(plan: FleetPlan, candidates: readonly Candidate[], kept: ReplicaPlan["groups"]): FleetPlan {
  const numbers = new Map(candidates.map((candidate) => [candidate.name, openNumbers(candidate, kept)]));
  const numberOf = (deployment: string, index: number) => numbers.get(deployment)?.[index] ?? index;
  return {
    ...plan,
    instances: plan.instances.map((each) => ({ ...each, replica: numberOf(each.deployment, each.replica) })),
    refusals: plan.refusals.map((refusal) => ({
      ...refusal,
      replicas: refusal.replicas.map((index) => numberOf(refusal.deployment, index)),
    })),
  };
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

function doesNotFit(refusals: readonly Refusal[], problem: ReplicaProblem, { left }: ReplicaPlan): BerthError {
  const { candidates } = problem;
  const [first, ...others] = refusals.map(describeRefusal);
  if (first === undefined) throw new Error("a refusal without one");
  const notes = refusals.flatMap(({ deployment }, index) => {
    const { ways, leftOut = {} } = candidates.find(({ name }) => name === deployment) ?? {};
    const alone = ways?.note === undefined ? [] : [`deployment ${deployment} has its devices alone: ${ways.note}`];
    const reasons = [...new Set(Object.values(leftOut))];
    const others = reasons.map((why) => {
      const hosts = Object.keys(leftOut).filter((host) => leftOut[host] === why);
      return `deployment ${deployment}: not on ${foldNames(hosts)}: ${why}`;
    });
    const candidate = candidates.find(({ name }) => name === deployment);
    return [
      ...alone,
      ...others,
      ...(candidate === undefined || index >= mostSplit ? [] : describeSeveral(problem, candidate, left)),
    ];
  });
  const lines = [...notes, ...others.map((parts) => new BerthError("does-not-fit", parts).message)];
  return new BerthError("does-not-fit", { ...first, ...(lines.length === 0 ? {} : { detail: lines.join("\n") }) });
}
