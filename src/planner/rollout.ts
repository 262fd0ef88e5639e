/** Which updates have the new runner beside the old one. Pure. */
import { BerthError } from "../lib/errors.js";
import { formatBytes } from "../lib/format.js";
import type { HostFacts } from "../schema/facts.js";
import type { PlacedMemory } from "../schema/placement.js";
import type { DeploymentEntry, HostEntry } from "../schema/stack.js";

/** The replicas of a deployment on one host. */
export interface Rollout {
  readonly deployment: string;
  readonly entry: Pick<DeploymentEntry, "update">;
  readonly host: string;
  /** What each takes, where that is known. */
  readonly memories: readonly (PlacedMemory | undefined)[];
  /** What the stack says of the host's gateway. */
  readonly gateway: HostEntry["gateway"];
  readonly facts: Pick<HostFacts, "haproxy" | "ramBytes" | "accelerators">;
  /** What of the host's memory is not for the stack's runners: others have it, or the host is to keep it free. */
  readonly taken: Memory;
  /** Whether its last placement had two runners in an update. */
  readonly before: boolean;
}

/** The oldest HAProxy whose master answers all that a gateway asks. */
const leastVersion = [2, 4] as const;
/** The oldest that knows filters in Lua, by which engines are told their own names for models. */
const leastRoutingVersion = [2, 6] as const;

/** Memory of a host and of each of its devices, bytes. */
export interface Memory {
  readonly ram: number;
  readonly devices: ReadonlyMap<string, number>;
}

const nothing: Memory = { ram: 0, devices: new Map() };

/**
 * Those whose updates are blue/green: those that ask for it, then, while their host and their devices have room for as
 * many more runners of each as an update has at a time, those whose memory is known. What was so before comes first.
 * Where nothing tells that both runners fit, they do not.
 *
 * @throws BerthError when what a deployment asks for is not possible
 */
export function chooseBlueGreen(rollouts: readonly Rollout[]): ReadonlySet<Rollout> {
  const chosen = new Set<Rollout>();
  const used = new Map<string, Memory>();
  const take = (host: string, need: Memory) => used.set(host, add(used.get(host) ?? nothing, need));
  for (const { host, memories } of rollouts) for (const memory of memories) take(host, needOf(memory));
  for (const rollout of rollouts.toSorted(byPrecedence)) {
    const { host, entry } = rollout;
    const surge = surgeOf(rollout);
    const both = add(used.get(host) ?? nothing, surge);
    const fits = isWithin(both, capacityOf(rollout));
    if (entry.update.strategy === "recreate") continue;
    if (entry.update.strategy === "blueGreen") assertPossible(rollout, fits ? undefined : both);
    else if (!isKnown(rollout) || !fits || findHaproxy(rollout) === undefined) continue;
    chosen.add(rollout);
    take(host, surge);
  }
  return chosen;
}

/** The executable of a host's gateway; undefined where the stack wants none, or there is none that will do. */
export function findHaproxy({ gateway, facts }: Pick<Rollout, "gateway" | "facts">): string | undefined {
  if (gateway === "none" || facts.haproxy === undefined) return undefined;
  return isRecent(facts.haproxy.version) ? facts.haproxy.path : undefined;
}

/** @throws BerthError where the stack insists on a gateway and the host has no program for it */
export function assertGateway({ gateway, facts }: Pick<Rollout, "gateway" | "facts">, where: string): void {
  if (gateway !== "haproxy" || findHaproxy({ gateway, facts }) !== undefined) return;
  throw noHaproxy(where, facts, "leave `gateway` out");
}

function assertPossible(rollout: Rollout, tooMuch: Memory | undefined): void {
  const { deployment, host, gateway, facts } = rollout;
  const where = `deployment ${deployment}`;
  if (gateway === "none") {
    throw new BerthError("stack-inconsistent", {
      where,
      what: "an update of the strategy blueGreen needs a gateway, which its host is not to have",
      got: `gateway: none of host ${host}`,
      hint: "leave one of them out",
    });
  }
  if (findHaproxy(rollout) === undefined) throw noHaproxy(`${where} on host ${host}`, facts, "leave `strategy` out");
  if (tooMuch === undefined) return;
  const capacity = capacityOf(rollout);
  throw new BerthError("stack-inconsistent", {
    where,
    what: `host ${host} has not enough memory for two runners${rollout.memories.length === 1 ? "" : " of each replica that is updated at a time"}`,
    ...describeLack(tooMuch, capacity),
    hint: "leave `strategy` out, or give the deployment another host; `resources` says what it needs where the estimate is wrong",
  });
}

/**
 * The executable of a host of the gateway that routes by model.
 *
 * @throws BerthError `host-unsuitable` where it has none that will do, or is not to have one
 */
export function requireHaproxy({ gateway, facts }: Pick<Rollout, "gateway" | "facts">, where: string): string {
  if (gateway === "none")
    throw new BerthError("stack-inconsistent", {
      where,
      what: "the host is to have no HAProxy",
      got: "gateway: none",
      expected: "a host that may have one",
      hint: "leave `gateway: none` out, or put the gateway on another host",
    });
  const { haproxy } = facts;
  if (haproxy !== undefined && isRecent(haproxy.version, leastRoutingVersion)) return haproxy.path;
  throw new BerthError("host-unsuitable", {
    where,
    what: "the host has no HAProxy that can route by model",
    got: haproxy === undefined ? "none" : `${haproxy.path} ${haproxy.version}`,
    expected: `HAProxy ${leastRoutingVersion.join(".")} or later, with Lua`,
    hint: "install the package `haproxy` there and lock again, or put the gateway on another host",
  });
}

function noHaproxy(where: string, { haproxy }: Rollout["facts"], otherwise: string): BerthError {
  return new BerthError("host-unsuitable", {
    where,
    what: "the host has no HAProxy that can be its gateway",
    got: haproxy === undefined ? "none" : `${haproxy.path} ${haproxy.version}`,
    expected: `HAProxy ${leastVersion.join(".")} or later`,
    hint: `install the package \`haproxy\` there and lock again, or ${otherwise}; updates then stop the old runner first`,
  });
}

function isRecent(version: string, [leastMajor, leastMinor]: readonly [number, number] = leastVersion): boolean {
  const [, major = "0", minor = "0"] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > leastMajor || (Number(major) === leastMajor && Number(minor) >= leastMinor);
}

function byPrecedence(a: Rollout, b: Rollout): number {
  const rank = ({ entry, before }: Rollout) => (entry.update.strategy === "blueGreen" ? 0 : before ? 1 : 2);
  return rank(a) - rank(b) || (nameOf(a) < nameOf(b) ? -1 : 1);
}

/** Names have no blanks. */
function nameOf({ deployment, host }: Rollout): string {
  return `${deployment} ${host}`;
}

/** What is taken whole may be so because nobody knows what it needs. */
function isKnown({ memories }: Rollout): boolean {
  return memories.every((memory) => memory !== undefined && memory.basis !== "whole");
}

/** What the runners take that an update has at a time beside those that are there, at most. */
function surgeOf({ memories, entry }: Rollout): Memory {
  const needs = memories.map((memory) => (memory?.basis === "whole" ? nothing : needOf(memory)));
  const count = Math.min(needs.length, entry.update.maxSurge);
  // Whichever of them come first: on each device the largest.
  const devices = new Map<string, number>();
  for (const device of new Set(needs.flatMap((need) => [...need.devices.keys()]))) {
    const sizes = needs.map((need) => need.devices.get(device) ?? 0).sort((a, b) => b - a);
    devices.set(device, sum(sizes.slice(0, count)));
  }
  const rams = needs.map(({ ram }) => ram).sort((a, b) => b - a);
  return { ram: sum(rams.slice(0, count)), devices };
}

function needOf(memory: PlacedMemory | undefined): Memory {
  if (memory === undefined) return nothing;
  return { ram: memory.hostBytes, devices: new Map(memory.devices.map((each) => [each.device, each.takenBytes])) };
}

function capacityOf({ facts: { ramBytes, accelerators }, taken }: Rollout): Memory {
  const parts = accelerators.flatMap(({ uuid, memoryBytes, mig }) => [{ uuid, memoryBytes }, ...(mig?.devices ?? [])]);
  const left = parts.map(({ uuid, memoryBytes }) => {
    return [uuid, Math.max(0, memoryBytes - (taken.devices.get(uuid) ?? 0))] as const;
  });
  return { ram: Math.max(0, ramBytes - taken.ram), devices: new Map(left) };
}

function add(a: Memory, b: Memory): Memory {
  const devices = new Map(a.devices);
  for (const [device, bytes] of b.devices) devices.set(device, (devices.get(device) ?? 0) + bytes);
  return { ram: a.ram + b.ram, devices };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function isWithin(need: Memory, capacity: Memory): boolean {
  return need.ram <= capacity.ram && findFull(need, capacity) === undefined;
}

/** A device of which more is needed than it has. */
function findFull(need: Memory, capacity: Memory): string | undefined {
  return [...need.devices].find(([device, bytes]) => bytes > (capacity.devices.get(device) ?? 0))?.[0];
}

function describeLack(need: Memory, capacity: Memory): { got: string; expected: string } {
  const device = need.ram > capacity.ram ? undefined : findFull(need, capacity);
  const [got, most] =
    device === undefined ? [need.ram, capacity.ram] : [need.devices.get(device), capacity.devices.get(device)];
  const whose = device === undefined ? "of the host's memory" : `of device ${device}`;
  return {
    got: `${formatBytes(got ?? 0)} ${whose} with the other deployments there`,
    expected: `at most ${formatBytes(most ?? 0)}`,
  };
}
