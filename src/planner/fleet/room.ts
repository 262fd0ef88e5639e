/** Whether a replica has room on a host, and on which of its devices. */
import type { Bank, Replica, Shape, Spot } from "./fleet.js";
import type { Occupancy } from "./occupancy.js";

/** Whether a host may have a replica, whatever its devices. */
export function allowsHost(
  { ram, tenants, spots, fleet }: Occupancy,
  want: Replica["want"],
  shape: Shape,
  host: number,
) {
  const { ramBytes, oncePerHost } = shape.option;
  if ((ram[host] ?? 0) < ramBytes) return false;
  const there = tenants[host] ?? [];
  if (there.length >= (fleet.hosts[host]?.maxInstances ?? Infinity)) return false;
  if (want.apart.size === 0 && oncePerHost === undefined) return true;
  return !there.some(
    (tenant) =>
      want.apart.has(fleet.tenants[tenant]?.want.index ?? -1) ||
      (oncePerHost !== undefined && spots[tenant]?.shape.option.oncePerHost === oncePerHost),
  );
}

/** Whether a replica that is nowhere may be put there. */
export function fitsAt(occupancy: Occupancy, want: Replica["want"], { shape, parts }: Spot): boolean {
  return parts.every(({ bank, devices }) => {
    const [first = -1] = devices;
    const group = shape.groups?.[first];
    const together = group === undefined || (group >= 0 && devices.every((each) => shape.groups?.[each] === group));
    return (
      together &&
      allowsHost(occupancy, want, shape, bank.host) &&
      devices.every((device) => occupancy.admits(shape, device))
    );
  });
}

/**
 * The devices of a bank that a part of an instance takes: those with the least room that is enough, or those with the
 * most. Undefined when there are too few.
 */
export function pickDevices(
  occupancy: Occupancy,
  shape: Shape,
  bank: Bank,
  order: "tight" | "roomy",
  groups = shape.groups,
): number[] | undefined {
  const { free } = occupancy;
  const found: number[] = [];
  for (let device = bank.first; device < bank.end; device += 1) if (occupancy.admits(shape, device)) found.push(device);
  if (found.length < shape.devices) return undefined;
  const sign = order === "tight" ? 1 : -1;
  found.sort((a, b) => sign * ((free[a] ?? 0) - (free[b] ?? 0)) || a - b);
  if (groups === undefined) return found.slice(0, shape.devices);
  return pickGroup(occupancy, shape, groups, found, sign);
}

function pickGroup(
  { free }: Occupancy,
  { devices: count }: Shape,
  groups: Int32Array,
  sorted: readonly number[],
  sign: 1 | -1,
): number[] | undefined {
  const byGroup = new Map<number, number[]>();
  for (const device of sorted) {
    const group = groups[device] ?? -1;
    const members = byGroup.get(group);
    if (members !== undefined) members.push(device);
    else if (group >= 0) byGroup.set(group, [device]);
  }
  let best: { devices: number[]; room: number } | undefined;
  for (const members of byGroup.values()) {
    if (members.length < count) continue;
    const devices = members.slice(0, count);
    const room = sign * devices.reduce((sum, device) => sum + (free[device] ?? 0), 0);
    if (best === undefined || room < best.room) best = { devices, room };
  }
  return best?.devices;
}
