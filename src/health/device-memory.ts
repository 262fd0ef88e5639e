/** Whether a runner has its model where it was placed. Pure. */
import type { AcceleratorUse } from "../host/accelerators/use.js";
import { familyOf } from "../host/process-table.js";
import { formatBytes } from "../lib/format.js";
import type { Accelerator, AcceleratorUsage } from "../schema/facts.js";

/**
 * What each device holds at least is an eighth of its share: engines may make 4 bits of 16 as they load, and a
 * repository may have its weights twice. A runner that fell back to the processor holds nothing.
 */
const leastPart = 1 / 8;

export interface ModelShare {
  /** Bytes of the model's files; undefined where they are not known. */
  readonly modelBytes: number | undefined;
  /** Identities of the devices that the runner was given. */
  readonly devices: readonly string[];
  /** Whether the parameters themselves place the model otherwise than evenly on the devices. */
  readonly isPlacedByHand: boolean;
  readonly accelerators: AcceleratorUse["accelerators"];
}

export type LeastMemory =
  { readonly kind: "bytes"; readonly bytes: number } | { readonly kind: "unknown"; readonly reason: string };

/** What each of a runner's devices has to hold of its model. */
export function leastMemory({ modelBytes, devices, isPlacedByHand, accelerators }: ModelShare): LeastMemory {
  const unknown = (reason: string) => ({ kind: "unknown", reason }) as const;
  if (modelBytes === undefined) return unknown("the size of the model is not known");
  if (isPlacedByHand) return unknown("the parameters say what of the model is where");
  const share = modelBytes / devices.length;
  for (const device of devices) {
    const { unifiedMemory = false, memoryBytes } = findMemory(device, accelerators) ?? {};
    if (unifiedMemory) return unknown(`${device} works in the memory of the host`);
    if (memoryBytes !== undefined && memoryBytes < share)
      return unknown(`${device} is smaller than the model's share, so a part of that is elsewhere`);
  }
  return { kind: "bytes", bytes: Math.ceil(share * leastPart) };
}

function findMemory(
  device: string,
  accelerators: AcceleratorUse["accelerators"],
): Pick<Accelerator, "memoryBytes" | "unifiedMemory"> | undefined {
  const parts = accelerators.flatMap(({ mig }) => mig?.devices ?? []);
  return [...accelerators, ...parts].find(({ uuid }) => uuid === device);
}

export interface HeldQuestion {
  /** Identities of the devices that the runner was given. */
  readonly devices: readonly string[];
  readonly leastBytes: number;
  /** The runner's first process. */
  readonly pid: number;
  readonly use: AcceleratorUse;
}

export type HeldVerdict =
  | { readonly kind: "held" }
  /** It cannot be told, and why. */
  | { readonly kind: "unknown"; readonly reason: string }
  /** What was seen instead, on which device. */
  | { readonly kind: "missing"; readonly seen: string };

/**
 * Whether a runner's processes hold at least so much of each of its devices, and of no others. "missing" is said only
 * where nobody who could be the runner holds that much: tools may not see, or not know, the processes of containers.
 */
export function judgeHeld(question: HeldQuestion): HeldVerdict {
  const { devices, leastBytes, pid, use } = question;
  const family = familyOf(pid, use.processes);
  if (family.size === 0) return { kind: "unknown", reason: `the host does not know the runner's process ${pid}` };
  const verdicts = devices.map((device) => judgeDevice(device, question, family));
  const elsewhere = use.usage.filter(
    ({ uuid, processes = [] }) => !devices.includes(uuid) && bytesOf(processes, family) >= leastBytes,
  );
  const wrong = elsewhere.map(({ uuid, processes = [] }) => `${uuid}: ${describe(processes, family)}, not its device`);
  const missing = verdicts.flatMap((verdict) => (verdict.kind === "missing" ? [verdict.seen] : []));
  if (missing.length + wrong.length > 0) return { kind: "missing", seen: [...missing, ...wrong].join("; ") };
  return verdicts.find(({ kind }) => kind === "unknown") ?? { kind: "held" };
}

type Processes = NonNullable<AcceleratorUsage["processes"]>;

function judgeDevice(device: string, { leastBytes, use }: HeldQuestion, family: ReadonlySet<number>): HeldVerdict {
  const { processes, memoryUsedBytes } = use.usage.find(({ uuid }) => uuid === device) ?? {};
  const isToldOf = processes !== undefined && (processes.length > 0 || !isPart(device));
  if (!isToldOf) return { kind: "unknown", reason: `${device}: its tool does not tell which process holds what` };
  const own = bytesOf(processes, family);
  if (own >= leastBytes) return { kind: "held" };
  if (mostBytes(processes, memoryUsedBytes, family, use) >= leastBytes)
    return { kind: "unknown", reason: `${device}: its tool does not tell whose all of its memory is` };
  const inAll = memoryUsedBytes === undefined ? "" : `, ${formatBytes(memoryUsedBytes)} in use in all`;
  return { kind: "missing", seen: `${device}: ${describe(processes, family)}${inAll}` };
}

/** A MIG device: without root's rights nothing is told of its processes. */
function isPart(device: string): boolean {
  return device.startsWith("MIG-");
}

/** What the runner may hold at most: its own, and all that is not certainly somebody else's. */
function mostBytes(
  processes: Processes,
  used: number | undefined,
  family: ReadonlySet<number>,
  { processes: table }: AcceleratorUse,
): number {
  const others = processes.filter(({ pid }) => table.has(pid) && !family.has(pid));
  const own = bytesOf(processes, family);
  if (used !== undefined) return Math.max(own, used - sum(others));
  const isClear =
    processes.length > 0 && processes.every(({ pid, memoryBytes }) => table.has(pid) && memoryBytes !== undefined);
  return isClear ? own : Infinity;
}

function bytesOf(processes: Processes, family: ReadonlySet<number>): number {
  return sum(processes.filter(({ pid }) => family.has(pid)));
}

function sum(processes: Processes): number {
  return processes.reduce((all, { memoryBytes = 0 }) => all + memoryBytes, 0);
}

function describe(processes: Processes, family: ReadonlySet<number>): string {
  const own = processes.filter(({ pid }) => family.has(pid));
  const names = own.map(({ pid, name }) => `${name} ${pid}`).join(", ");
  return own.length === 0 ? "no process of the runner" : `${formatBytes(sum(own))} of the runner (${names})`;
}
