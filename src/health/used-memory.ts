/** What a runner really uses, beside what was estimated. Pure. */
import type { AcceleratorUsage } from "../schema/facts.js";
import type { ProcessMemory } from "../host/process-memory.js";
import type { PlacedMemory, UsedMemory } from "../schema/placement.js";

/**
 * The memory of a host that processes have together, bytes: the sum of their parts, and never less than the one has
 * that has most. A model that two runners map is not halved so, and one that a runner's processes share counts once.
 * Undefined where nothing is told of any.
 */
export function sumHostBytes(processes: readonly ProcessMemory[]): number | undefined {
  if (processes.length === 0) return undefined;
  const parts = processes.reduce((sum, each) => sum + (each.proportionalBytes ?? each.residentBytes), 0);
  return processes.reduce((most, { residentBytes }) => Math.max(most, residentBytes), parts);
}

/** What processes have of each device. Devices of which the tool does not tell it are left out. */
export function sumDeviceBytes(
  devices: readonly string[],
  usage: readonly AcceleratorUsage[],
  family: ReadonlySet<number>,
): UsedMemory["devices"] {
  return devices.flatMap((device) => {
    const { processes = [] } = usage.find(({ uuid }) => uuid === device) ?? {};
    const own = processes.filter(({ pid, memoryBytes }) => family.has(pid) && memoryBytes !== undefined);
    if (own.length === 0) return [];
    return [{ device, bytes: own.reduce((sum, { memoryBytes = 0 }) => sum + memoryBytes, 0) }];
  });
}

/** One place of an instance's memory: `host`, or a device. */
export interface MemoryComparison {
  readonly place: string;
  /** What was estimated, or stated; undefined where nothing was. */
  readonly expectedBytes?: number | undefined;
  readonly usedBytes: number;
  /** How much more is used than was expected, of what was expected; less is negative. */
  readonly error?: number | undefined;
}

/** Each place where it is known what is used. */
export function compareMemory(expected: PlacedMemory | undefined, used: UsedMemory): MemoryComparison[] {
  const { devices = [], hostBytes, basis } = expected ?? {};
  // Of a whole device nothing was estimated.
  const known = basis === "whole" ? [] : devices;
  const ofDevices = used.devices.map(({ device, bytes }) => {
    const place = known.find((each) => each.device === device);
    return compare(device, place && place.weightsBytes + place.cacheBytes + place.otherBytes, bytes);
  });
  const ofHost = used.hostBytes === undefined ? [] : [compare("host", hostBytes, used.hostBytes)];
  return [...ofDevices, ...ofHost];
}

/** All devices together; without devices the host. Undefined where nothing is known. */
export function summarizeMemory(comparisons: readonly MemoryComparison[]): MemoryComparison | undefined {
  const [first, ...others] = comparisons.filter(({ place }) => place !== "host");
  if (first === undefined) return comparisons[0];
  if (others.length === 0) return first;
  const all = [first, ...others];
  const isKnown = all.every(({ expectedBytes }) => expectedBytes !== undefined);
  const expectedBytes = all.reduce((sum, each) => sum + (each.expectedBytes ?? 0), 0);
  const usedBytes = all.reduce((sum, each) => sum + each.usedBytes, 0);
  return compare("devices", isKnown ? expectedBytes : undefined, usedBytes);
}

function compare(place: string, expectedBytes: number | undefined, usedBytes: number): MemoryComparison {
  if (expectedBytes === undefined || expectedBytes === 0) return { place, usedBytes };
  return { place, expectedBytes, usedBytes, error: usedBytes / expectedBytes - 1 };
}
