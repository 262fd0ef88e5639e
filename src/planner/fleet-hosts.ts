/** Hosts as a placement over the fleet sees them. Pure. */
import type { Accelerator, AcceleratorUsage, HostFacts } from "../schema/facts.js";
import type { HostEntry } from "../schema/stack.js";
import type { FleetDevice, FleetHost, PlacedPart } from "./fleet/problem.js";
import type { KnownHost } from "./host-choice.js";
import type { DeviceStock } from "./way.js";

/** What drivers hold where nobody uses a device; their tools do not tell whose it is. */
const idleBytes = 2 ** 30;

export interface FleetHostProblem {
  /** Whose stack it is, as project/stack. */
  readonly owner: string;
  readonly name: string;
  readonly entry: Pick<HostEntry, "reserved">;
  readonly known: Pick<KnownHost, "facts" | "usage">;
  /** Where the stack's replicas were. */
  readonly previous:
    | {
        readonly instances: Readonly<Record<string, PlacedPart & { subordinates?: readonly PlacedPart[] | undefined }>>;
      }
    | undefined;
  /** SHA-256 of models that lie on it. */
  readonly models: readonly string[];
}

/** Its only label is its name, as `host`: which hosts a deployment may have is decided before. */
export function fleetHost(problem: FleetHostProblem): FleetHost {
  const { name, entry, known, models, previous } = problem;
  const { reserved = { ramBytes: 0 } } = entry;
  const parts = Object.values(previous?.instances ?? {}).flatMap((each) => [each, ...(each.subordinates ?? [])]);
  const before = parts.filter(({ host }) => host === name);
  const own = new Set(before.flatMap(({ devices }) => devices));
  return {
    name,
    labels: { host: name },
    ramBytes: Math.max(0, known.facts.ramBytes - reserved.ramBytes),
    devices: partsOf(known.facts).map((part) => fleetDevice(problem, part, own.has(part.id))),
    models,
  };
}

/** What a placement gives out: a whole accelerator, or a part of one that is divided. */
interface Part {
  readonly id: string;
  readonly totalBytes: number;
  readonly accelerator: Accelerator;
  readonly isSlice: boolean;
}

function partsOf({ accelerators }: Pick<HostFacts, "accelerators">): Part[] {
  return accelerators.filter(isPlaceable).flatMap((accelerator): Part[] => {
    const { mig, uuid, memoryBytes } = accelerator;
    if (mig?.mode !== "enabled") return [{ id: uuid, totalBytes: memoryBytes, accelerator, isSlice: false }];
    return mig.devices.map((part) => {
      return { id: part.uuid, totalBytes: part.memoryBytes, accelerator, isSlice: true };
    });
  });
}

/** What works in the host's memory is counted there. */
function isPlaceable({ type, unifiedMemory = false }: Accelerator): boolean {
  return type !== "cpu" && !unifiedMemory;
}

function fleetDevice({ owner, entry, known }: FleetHostProblem, part: Part, isOwn: boolean): FleetDevice {
  const { id, totalBytes, accelerator, isSlice } = part;
  const { linkGroup, pcieGroup } = accelerator;
  const capability = accelerator.computeCapability ?? accelerator.llvmTarget ?? accelerator.soc;
  const seen = known.usage.accelerators?.find(({ uuid }) => uuid === id);
  const claims = (known.usage.claims ?? []).flatMap((claim) =>
    "device" in claim && claim.device === id && claim.owner !== owner ? [claim] : [],
  );
  const foreign = foreignUse(seen, isOwn);
  // A claim without a size is of the whole device.
  const claimed = claims.reduce((sum, { bytes = totalBytes }) => sum + bytes, 0);
  // Whose the use is can be told by processes alone; without them what is claimed may be what is used.
  const taken = seen?.processes === undefined ? Math.max(foreign.bytes, claimed) : foreign.bytes + claimed;
  const reserved = entry.reserved?.vramBytes ?? 0;
  return {
    id,
    type: accelerator.type,
    ...(capability === undefined ? {} : { capability }),
    totalBytes,
    freeBytes: Math.max(0, totalBytes - reserved - taken),
    ...(linkGroup === undefined ? {} : { linkGroup }),
    ...(pcieGroup === undefined ? {} : { pcieGroup }),
    ...(isSlice ? { isSlice } : {}),
    ...(claims.length > 0 || foreign.isThere ? { hasOthers: true } : {}),
  };
}

/** What is in use of a device and not by the stack's own instances, as far as the vendor's tool tells. */
function foreignUse(
  seen: AcceleratorUsage | undefined,
  isOwn: boolean,
): { readonly bytes: number; readonly isThere: boolean } {
  const { memoryUsedBytes: used = 0, processes } = seen ?? {};
  if (processes === undefined) {
    const bytes = isOwn ? 0 : used;
    return { bytes, isThere: bytes > idleBytes };
  }
  const own = processes.filter(({ instance }) => instance !== undefined);
  const isThere = processes.length > own.length;
  const others = processes.filter(({ instance }) => instance === undefined);
  if (own.some(({ memoryBytes }) => memoryBytes === undefined)) return { bytes: sumOf(others), isThere };
  return { bytes: Math.max(sumOf(others), used - sumOf(own)), isThere };
}

function sumOf(processes: NonNullable<AcceleratorUsage["processes"]>): number {
  return processes.reduce((sum, { memoryBytes = 0 }) => sum + memoryBytes, 0);
}

/** What hosts of one kind have for a deployment that runs on accelerators of a type. */
export function stockOf(type: Accelerator["type"], hosts: readonly Pick<HostFacts, "accelerators">[]): DeviceStock {
  const all = hosts.map((facts) => partsOf(facts).filter(({ accelerator }) => accelerator.type === type));
  const totals = [...new Set(all.flat().map(({ totalBytes }) => totalBytes))].sort((a, b) => b - a);
  const isUnified = hosts.some(({ accelerators }) => accelerators.some(({ unifiedMemory }) => unifiedMemory === true));
  const mostPerHost = Math.max(0, ...all.map((parts) => parts.length));
  return mostPerHost === 0 ? { kind: "none", isUnified } : { kind: "devices", type, mostPerHost, totals };
}
