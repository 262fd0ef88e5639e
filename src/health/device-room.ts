/** Whether a device has the memory that a runner is to take, before it starts. Pure. */
import type { AcceleratorUse } from "../host/accelerators/use.js";
import { familyOf, type ProcessTable } from "../host/process-table.js";
import { formatMemory } from "../lib/format.js";
import type { AcceleratorUsage } from "../schema/facts.js";

/** An instance that has a part of the device. */
export interface Tenant {
  /** Whose it is, for people. */
  readonly name: string;
  /** What it claims. */
  readonly bytes: number;
  /** The first processes of its runners. */
  readonly pids: readonly number[];
}

export interface RoomQuestion {
  readonly device: string;
  readonly needBytes: number;
  /** All the memory of the device; undefined where it is not known. */
  readonly totalBytes: number | undefined;
  readonly use: Pick<AcceleratorUse, "usage" | "processes">;
  /** First processes of runners that end before it starts, its own and others. */
  readonly leaving: readonly number[];
  /** Those that go on beside it. */
  readonly staying: readonly number[];
  readonly tenants: readonly Tenant[];
}

export type RoomVerdict =
  | { readonly kind: "enough" }
  /** It cannot be told, and why. */
  | { readonly kind: "unknown"; readonly reason: string }
  | {
      readonly kind: "short";
      readonly freeBytes: number;
      readonly totalBytes: number;
      /** Who has the rest, in words. */
      readonly users: readonly string[];
    };

type Processes = NonNullable<AcceleratorUsage["processes"]>;

/**
 * What is free is what nobody uses and nobody claims: an instance that was placed may have loaded nothing yet, and one
 * that runs may have more than it claims. What certainly is somebody else's counts beside the claims.
 */
export function judgeRoom({ device, needBytes, totalBytes, use, ...others }: RoomQuestion): RoomVerdict {
  const { memoryUsedBytes, processes = [] } = use.usage.find(({ uuid }) => uuid === device) ?? {};
  if (totalBytes === undefined) return { kind: "unknown", reason: `${device}: how much memory it has is not known` };
  if (memoryUsedBytes === undefined)
    return { kind: "unknown", reason: `${device}: its tool does not tell how much of its memory is in use` };
  const { tenants } = others;
  const leaving = familiesOf(others.leaving, use.processes);
  const staying = familiesOf(others.staying, use.processes);
  const ofTenants = familiesOf(
    tenants.flatMap(({ pids }) => pids),
    use.processes,
  );
  const known = new Set([...leaving, ...staying, ...ofTenants]);
  const foreign = processes.filter(({ pid }) => use.processes.has(pid) && !known.has(pid));
  const unusedBytes = totalBytes - memoryUsedBytes + bytesOf(processes, leaving);
  const unclaimedBytes = totalBytes - sum(foreign) - tenants.reduce((all, { bytes }) => all + bytes, 0);
  const freeBytes = Math.max(0, Math.min(unusedBytes, unclaimedBytes));
  if (freeBytes >= needBytes) return { kind: "enough" };
  // What a runner gives back that the tool does not show is not known.
  const isHidden = leaving.size > 0 && bytesOf(processes, leaving) === 0;
  if (isHidden && unclaimedBytes >= needBytes)
    return { kind: "unknown", reason: `${device}: its tool does not tell what the runner before it holds` };
  const users = [
    ...tenants.map((tenant) => describeTenant(tenant, processes, use.processes)),
    ...describeOwn(bytesOf(processes, staying)),
    ...foreign.map(({ pid, name, memoryBytes }) => `${formatMemory(memoryBytes ?? 0)} ${name} (pid ${pid})`),
  ];
  return { kind: "short", freeBytes, totalBytes, users };
}

function describeTenant({ name, bytes, pids }: Tenant, processes: Processes, table: ProcessTable): string {
  return `${formatMemory(Math.max(bytes, bytesOf(processes, familiesOf(pids, table))))} ${name}`;
}

function describeOwn(bytes: number): string[] {
  return bytes === 0 ? [] : [`${formatMemory(bytes)} the runner before it`];
}

function familiesOf(pids: readonly number[], table: ProcessTable): ReadonlySet<number> {
  return new Set(pids.flatMap((pid) => [...familyOf(pid, table)]));
}

function bytesOf(processes: Processes, family: ReadonlySet<number>): number {
  return sum(processes.filter(({ pid }) => family.has(pid)));
}

function sum(processes: Processes): number {
  return processes.reduce((all, { memoryBytes = 0 }) => all + memoryBytes, 0);
}
