/** Who has which memory: now, at the worst moment of an `up`, and after it. */
import type { Accelerator, AcceleratorUsage, HostFacts, HostUsage } from "../../schema/facts.js";
import type { Occupant, Place, PlannedStrategy } from "../../schema/plan.js";
import { compareInstances } from "../replicas.js";
import { deviceBytes } from "./memory.js";
import type { Seen, SeenInstance, SeenReplica } from "./seen.js";

interface Replica extends SeenInstance {
  readonly name: string;
}

/** Devices of all hosts, and the memory of hosts on which something runs without any, by host and device. */
export function placesOf({ lock, hosts, objects }: Pick<Seen, "lock" | "hosts" | "objects">): Place[] {
  const replicas = objects
    .flatMap(({ name, instance }) => (instance === undefined ? [] : [{ name, ...instance }]))
    .sort((a, b) => compareInstances(a.name, b.name));
  const byHost = new Map<string, Replica[]>();
  for (const replica of replicas) {
    for (const host of new Set([replica.before?.host, replica.after?.host])) {
      if (host === undefined) continue;
      const there = byHost.get(host);
      if (there === undefined) byHost.set(host, [replica]);
      else there.push(replica);
    }
  }
  const names = [...new Set([...Object.keys(lock.placement.hosts), ...byHost.keys()])].sort();
  return names.flatMap((host) => {
    const live = hosts[host];
    const known = live?.reachable === true ? live : lock.placement.hosts[host];
    return placesOfHost(host, known, byHost.get(host) ?? []);
  });
}

interface Known {
  readonly facts: HostFacts;
  readonly usage: HostUsage;
}

interface Device {
  readonly label: string;
  readonly uuid: string;
  readonly title: string;
  readonly bytes: number;
}

function placesOfHost(host: string, known: Known | undefined, replicas: readonly Replica[]): Place[] {
  const devices = (known?.facts.accelerators ?? []).flatMap(devicesOf);
  const gone = new Set(replicas.flatMap(({ before, after }) => [before, after].flatMap((each) => usedOn(host, each))));
  for (const { uuid } of devices) gone.delete(uuid);
  const unseen = [...gone].sort().map((uuid) => ({ label: uuid, uuid, title: "not seen on the host", bytes: 0 }));
  const places = [...devices, ...unseen].map((device) =>
    occupy(host, device, replicas, usageOf(known, device.uuid), (replica) =>
      usedOn(host, replica).includes(device.uuid) ? { bytes: deviceBytes(replica?.memory, device.uuid) } : undefined,
    ),
  );
  const memory = occupy(
    host,
    { title: "memory of the host", bytes: known?.facts.ramBytes ?? 0 },
    replicas,
    undefined,
    (replica) => (usesHost(host, replica) ? { bytes: hostBytesOf(replica) } : undefined),
  );
  return memory.now.length + memory.after.length === 0 ? places : [...places, memory];
}

/** A GPU with MIG on is used by its parts. */
function devicesOf({ index, uuid, name, memoryBytes, mig }: Accelerator): Device[] {
  if (mig?.mode !== "enabled") return [{ label: String(index), uuid, title: name, bytes: memoryBytes }];
  return mig.devices.map((part) => ({
    label: `${index}/${part.index}`,
    uuid: part.uuid,
    title: `${name} ${part.profile ?? "MIG device"}`,
    bytes: part.memoryBytes,
  }));
}

function usedOn(host: string, replica: SeenReplica | undefined): readonly string[] {
  return replica?.host === host ? replica.devices : [];
}

/** Whether it takes memory of the host that is worth to be told: it has no device, or layers that are on none. */
function usesHost(host: string, replica: SeenReplica | undefined): boolean {
  if (replica?.host !== host) return false;
  return replica.devices.length === 0 || (replica.memory?.hostBytes ?? 0) > 0;
}

function hostBytesOf(replica: SeenReplica | undefined): number | undefined {
  const { hostBytes = 0 } = replica?.memory ?? {};
  return hostBytes === 0 ? undefined : hostBytes;
}

function usageOf(known: Known | undefined, uuid: string): AcceleratorUsage | undefined {
  return known?.usage.accelerators?.find((each) => each.uuid === uuid);
}

function startsAnew(kind: PlannedStrategy["kind"] | undefined): boolean {
  return kind === "blueGreen" || kind === "recreate" || kind === "replace";
}

/** What a replica has of the place, if it has any. */
type Share = (replica: SeenReplica | undefined) => { readonly bytes: number | undefined } | undefined;

function occupy(
  host: string,
  { label, uuid, title, bytes }: Omit<Device, "label" | "uuid"> & Partial<Device>,
  replicas: readonly Replica[],
  usage: AcceleratorUsage | undefined,
  share: Share,
): Place {
  const have = (replica: Replica, which: "before" | "after"): Occupant[] => {
    const found = share(replica[which]);
    if (found === undefined) return [];
    const isNew = which === "after" && replica.before !== undefined && startsAnew(replica.strategy?.kind);
    const deployment = replica[which]?.deployment ?? "";
    return [
      { instance: replica.name, deployment, isNew, ...(found.bytes === undefined ? {} : { bytes: found.bytes }) },
    ];
  };
  const now = replicas.flatMap((replica) => have(replica, "before"));
  const after = replicas.flatMap((replica) => have(replica, "after"));
  const during = worstMoment(replicas, have);
  const foreign = foreignUse(usage, now);
  const taken = Math.max(...[during, after].map((occupants) => sumOf(occupants) + foreign.foreignBytes));
  return {
    ...{ host, ...(label === undefined ? {} : { device: label, uuid }), title },
    ...(bytes === 0 ? {} : { bytes }),
    ...foreign,
    ...{ now, during, after, isOverfull: bytes > 0 && taken > bytes },
  };
}

/**
 * Both runners of an update that has them beside each other, of as many replicas as the deployment's pace lets change at
 * a time; of others the greater. What is deleted goes last, when all that is new is there.
 */
function worstMoment(
  replicas: readonly Replica[],
  have: (replica: Replica, which: "before" | "after") => Occupant[],
): Occupant[] {
  const surged = new Map<string, number>();
  const sorted = replicas.toSorted((a, b) => sumOf(have(b, "after")) - sumOf(have(a, "after")));
  const both = new Set<Replica>();
  for (const replica of sorted) {
    if (replica.strategy?.kind !== "blueGreen" || have(replica, "after").length === 0) continue;
    const deployment = replica.after?.deployment ?? "";
    const count = surged.get(deployment) ?? 0;
    if (count >= paceOf(replica)) continue;
    surged.set(deployment, count + 1);
    both.add(replica);
  }
  return replicas.flatMap((replica) => {
    const [before, after] = [have(replica, "before"), have(replica, "after")];
    if (both.has(replica)) return [...before, ...after];
    return after.length > 0 && sumOf(after) >= sumOf(before) ? after : before;
  });
}

function paceOf({ strategy }: Replica): number {
  const count = Number.parseInt(strategy?.pace ?? "", 10);
  return Number.isNaN(count) ? Infinity : count;
}

/** Memory that is in use and that no instance of Berth has. */
function foreignUse(
  usage: AcceleratorUsage | undefined,
  now: readonly Occupant[],
): Pick<Place, "foreign" | "foreignBytes"> {
  if (usage === undefined) return { foreign: [], foreignBytes: 0 };
  const { memoryUsedBytes = 0, processes } = usage;
  // Without a list of processes, all beyond what the instances are counted with is taken as foreign.
  if (processes === undefined) return { foreign: [], foreignBytes: Math.max(0, memoryUsedBytes - sumOf(now)) };
  const others = processes.filter(({ instance }) => instance === undefined);
  const foreign = others.map(({ pid, name, memoryBytes }) => ({
    ...{ pid, name },
    ...(memoryBytes === undefined ? {} : { bytes: memoryBytes }),
  }));
  if (others.every(({ memoryBytes }) => memoryBytes !== undefined))
    return { foreign, foreignBytes: others.reduce((sum, { memoryBytes = 0 }) => sum + memoryBytes, 0) };
  return { foreign, foreignBytes: Math.max(0, memoryUsedBytes - sumOf(now)) };
}

/** As far as it is known. */
export function sumOf(occupants: readonly Occupant[]): number {
  return occupants.reduce((sum, { bytes = 0 }) => sum + bytes, 0);
}
