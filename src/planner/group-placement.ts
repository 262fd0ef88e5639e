/** Places of replicas that have several hosts, beside the plan of the fleet. Pure. */
import { z } from "zod";

import { lookUp } from "../lib/record.js";
import type { FleetHost, PlacedReplica, Refusal } from "./fleet/problem.js";
import { chooseGroup, keepGroup, type Group } from "./groups.js";
import { knownHost } from "./host-choice.js";
import { withoutTaken, type Taken } from "./leftovers.js";
import type { Candidate, ReplicaPlace, ReplicaPlan, ReplicaProblem } from "./replica-problem.js";
import { instanceName } from "./replicas.js";
import { foldNames } from "./report/names.js";
import { findHaproxy } from "./rollout.js";

type Places = ReadonlyMap<string, ReplicaPlace>;

/** Replicas that had several hosts, and keep them because they have room there still. */
export function keepGroups(problem: ReplicaProblem, hosts: readonly FleetHost[]): Places {
  const kept = new Map<string, ReplicaPlace>();
  for (const candidate of inPriority(problem.candidates)) {
    const { group } = candidate.ways;
    if (group === undefined || !candidate.deployment.placement.distributed) continue;
    for (const number of numbersOf(candidate)) {
      const name = instanceName(candidate.name, number);
      const before = lookUp(problem.previous?.instances ?? {}, name);
      if (before?.subordinates === undefined) continue;
      const others = before.subordinates.filter(({ ray }) => ray !== "head");
      const left = withoutTaken(hosts, [...kept.values()].flatMap(takenByGroup));
      const able = ableHosts(problem, candidate, left).filter(({ name: host }) => !isApart(candidate, host, kept));
      const members = [before, ...others];
      const found = hasOneFolder(problem, candidate, members) ? keepGroup(group, able, members) : undefined;
      const isAllowed = others.length < candidate.deployment.placement.maxHosts;
      if (found !== undefined && isAllowed) kept.set(name, placeOf(candidate, found));
    }
  }
  return kept;
}

/** Several hosts for replicas that the plan refuses, where their deployments may have them. */
export function placeGroups(
  problem: ReplicaProblem,
  { plan, groups: kept, left: before }: Omit<ReplicaPlan, "hosts">,
): Omit<ReplicaPlan, "hosts"> {
  const groups = new Map(kept);
  let left = [...before];
  const refusals = plan.refusals.flatMap((refusal) => {
    const candidate = problem.candidates.find(({ name }) => name === refusal.deployment);
    if (candidate === undefined || !candidate.deployment.placement.distributed) return [refusal];
    const rest = refusal.replicas.filter((number) => {
      const able = ableHosts(problem, candidate, left).filter(
        ({ name: host }) => !isApart(candidate, host, groups) && !isBeside(problem, candidate, host, plan.instances),
      );
      const found = choose(problem, candidate, able);
      if (found === undefined) return true;
      const place = placeOf(candidate, found);
      groups.set(instanceName(candidate.name, number), place);
      left = withoutTaken(left, takenByGroup(place));
      return false;
    });
    return rest.length === 0 ? [] : [{ ...refusal, replicas: rest }];
  });
  return { plan: { ...plan, refusals }, groups, left };
}

/** What several hosts would do for a replica that has no place, where they are not allowed or lack something. */
export function describeSeveral(problem: ReplicaProblem, candidate: Candidate, left: readonly FleetHost[]): string[] {
  const { name, deployment, hosts, ways } = candidate;
  const { distributed } = deployment.placement;
  if (distributed && ways.group === undefined)
    return [
      `deployment ${name} is not split over hosts: its backend version cannot be, or its memory is not known and its parameters say no pipeline parallel size`,
    ];
  const allowed = ableHosts(problem, candidate, left);
  const open = left.filter((host) => hosts.includes(host.name));
  const found = choose(problem, candidate, allowed) ?? chooseAmong(candidate, open);
  if (found === undefined) return [];
  const names = found.members.map(({ host }) => host);
  const lacks = names.filter((host) => allowed.every((each) => each.name !== host));
  const needs = [
    ...(distributed ? [] : ["`placement: { distributed: true }`"]),
    ...lacks.map((host) => whatIsMissing(problem, candidate, host)),
    ...(hasOneFolder(problem, candidate, found.members) ? [] : ["the same `dataDir` on all of them"]),
  ];
  if (needs.length === 0) return [];
  return [`deployment ${name} would fit over ${names.length} hosts, ${foldNames(names)}, with ${needs.join(" and ")}`];
}

/** The numbers of a deployment's replicas that keep no group. */
export function openNumbers(candidate: Candidate, kept: Places): number[] {
  return numbersOf(candidate).filter((number) => !kept.has(instanceName(candidate.name, number)));
}

/** Whether no single host will do, whatever it has. */
export function needsSeveral({ ways }: Candidate): boolean {
  return ways.group?.isNeeded === true;
}

/** The replicas that the fleet does not plan, because one host will not do. */
export function refuseAlone(candidates: readonly Candidate[], kept: Places): Refusal[] {
  return candidates.filter(needsSeveral).flatMap((candidate): Refusal[] => {
    const { name: deployment, ways, deployment: entry } = candidate;
    const replicas = openNumbers(candidate, kept);
    if (replicas.length === 0) return [];
    const { hosts = 2, devices = 0 } = ways.group?.even?.shapes[0] ?? {};
    const { ramBytes = 0, vramBytes = 0 } = entry.resources ?? {};
    const needs = { hosts, devices, bytesPerDevice: 0, ramBytes: ramBytes + vramBytes };
    return [{ deployment, replicas, option: `hosts${hosts}`, reason: "hosts", needs, fitsAlone: false, remedies: [] }];
  });
}

/** Whether a host has a group from which the deployment is to be apart. */
export function isApart({ name, deployment }: Candidate, host: string, groups: Places): boolean {
  if (groups.size === 0) return false;
  const own = apartOf(name, deployment);
  return [...groups.values()].some(
    (place) => own.has(place.deployment) && [place, ...(place.subordinates ?? [])].some((each) => each.host === host),
  );
}

export function takenByGroup({ host, memory, subordinates = [] }: ReplicaPlace): Taken[] {
  return [{ host, memory }, ...subordinates].map((part) => ({
    host: part.host,
    ramBytes: part.memory?.hostBytes ?? 0,
    devices: new Map((part.memory?.devices ?? []).map(({ device, takenBytes }) => [device, takenBytes])),
  }));
}

export function takenByPlan(
  { deployment, option: chosen, parts: [part] }: PlacedReplica,
  candidates: readonly Candidate[],
): Taken {
  const { ways } = candidates.find(({ name }) => name === deployment)?.ways ?? { ways: [] };
  const {
    bytesPerDevice = 0,
    ramBytes = 0,
    exclusive = false,
  } = ways.find(({ option }) => option.name === chosen)?.option ?? {};
  const bytes = exclusive ? Infinity : bytesPerDevice;
  return { host: part?.host ?? "", ramBytes, devices: new Map((part?.devices ?? []).map((id) => [id, bytes])) };
}

/** Where each loads the model by itself, among hosts on which it lies below one path: the fewest of them. */
function choose(problem: ReplicaProblem, candidate: Candidate, hosts: readonly FleetHost[]): Group | undefined {
  const folders = new Map<string, FleetHost[]>();
  for (const host of hosts) {
    const folder = modelFolder(problem, candidate, host.name);
    folders.set(folder, [...(folders.get(folder) ?? []), host]);
  }
  const groups = [...folders]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, alike]) => chooseAmong(candidate, alike) ?? []);
  const [fewest] = groups.toSorted((a, b) => a.members.length - b.members.length);
  return fewest;
}

function chooseAmong({ ways, deployment }: Candidate, hosts: readonly FleetHost[]): Group | undefined {
  return ways.group === undefined ? undefined : chooseGroup(ways.group, hosts, deployment.placement.maxHosts);
}

function hasOneFolder(
  problem: ReplicaProblem,
  candidate: Candidate,
  members: readonly { readonly host: string }[],
): boolean {
  return new Set(members.map(({ host }) => modelFolder(problem, candidate, host))).size <= 1;
}

/** What the path of the model begins with, where all members of a group need it. A file of the hosts has its own path. */
function modelFolder({ hosts }: ReplicaProblem, { ways, deployment }: Candidate, host: string): string {
  const isShared = ways.group?.needs.model === true && deployment.model.source !== "file";
  return isShared ? knownHost(hosts, host).dataDir : "";
}

function placeOf({ name }: Candidate, { members, share }: Group): ReplicaPlace {
  const [primary, ...others] = members;
  const subordinates = others.map((member, index) => ({ ...member, memory: share.others[index] }));
  return { deployment: name, ...primary, memory: share.primary, arguments: share.arguments, subordinates };
}

/** The hosts that others may reach, and no stranger. */
function ableHosts(problem: ReplicaProblem, candidate: Candidate, hosts: readonly FleetHost[]): FleetHost[] {
  return hosts.filter(({ name }) => candidate.hosts.includes(name) && lackOf(problem, candidate, name) === undefined);
}

function lackOf(
  { stack, hosts }: ReplicaProblem,
  { deployment, ways }: Candidate,
  name: string,
): "address" | "number" | "haproxy" | undefined {
  const { guard, numericAddress } = ways.group?.needs ?? { guard: true, numericAddress: false };
  const address = stack.hosts[name]?.privateAddress;
  if (address === undefined) return "address";
  const isNumber = z.ipv4().safeParse(address).success;
  if (numericAddress && !isNumber) return "number";
  const facts = hosts[name]?.facts;
  if (!guard || facts === undefined || findHaproxy({ gateway: undefined, facts }) !== undefined) return undefined;
  if (!deployment.placement.insecure) return "haproxy";
  // Without HAProxy the server itself listens there, which llama.cpp's does at a number alone.
  return isNumber ? undefined : "number";
}

function whatIsMissing(problem: ReplicaProblem, candidate: Candidate, host: string): string {
  switch (lackOf(problem, candidate, host)) {
    case "address":
      return `a \`privateAddress\` of host ${host}`;
    case "number":
      return `an IPv4 address as \`privateAddress\` of host ${host}`;
    default:
      return `HAProxy 2.4 or later on host ${host}`;
  }
}

/** Whether a replica of one host is there from which the deployment is to be apart. */
function isBeside(
  { candidates }: ReplicaProblem,
  { name, deployment }: Candidate,
  host: string,
  instances: readonly PlacedReplica[],
): boolean {
  const own = apartOf(name, deployment);
  return instances.some((each) => {
    if (each.parts.every((part) => part.host !== host)) return false;
    const other = candidates.find((candidate) => candidate.name === each.deployment);
    return own.has(each.deployment) || (other !== undefined && apartOf(other.name, other.deployment).has(name));
  });
}

/** A port of the stack's own is one on each host. */
function apartOf(name: string, { port, placement }: Candidate["deployment"]): ReadonlySet<string> {
  return new Set([...placement.apartFrom, ...(port === undefined ? [] : [name])]);
}

function numbersOf({ deployment: { replicas = 1 } }: Candidate): number[] {
  return Array.from({ length: replicas }, (_, number) => number);
}

function inPriority(candidates: readonly Candidate[]): Candidate[] {
  return candidates.toSorted(
    (a, b) => b.deployment.placement.priority - a.deployment.placement.priority || (a.name < b.name ? -1 : 1),
  );
}
