/** Which hosts a replica has that no single one has room for: the fewest. Pure. */
import type { FleetDevice, FleetHost } from "./fleet/problem.js";
import type { EvenSplit, GroupShare, GroupWay, MemberRoom } from "./group-way.js";

/** A host of a group, with what it gives. */
export interface GroupMember {
  readonly host: string;
  readonly devices: readonly string[];
}

/** The primary first, then the others in the order in which it names them. */
export interface Group {
  readonly members: readonly [GroupMember, ...GroupMember[]];
  readonly share: GroupShare;
}

/**
 * The fewest of the hosts, and of them the fewest devices, that have room together: those with the most come first, the
 * first is the primary. The order of the hosts says nothing. Where all are to give equally much, each of them has room for
 * its part.
 *
 * @param hosts with the room that is left
 */
export function chooseGroup(way: GroupWay, hosts: readonly FleetHost[], maxHosts: number): Group | undefined {
  const able = hosts
    .map((host): Able => ({ host, devices: usable(way, host) }))
    .filter(({ devices }) => way.acceleratorType === undefined || devices.length > 0)
    .sort((a, b) => roomOf(way, b) - roomOf(way, a) || (a.host.name < b.host.name ? -1 : 1));
  if (way.even !== undefined) return chooseEven(way, way.even, able, maxHosts);
  for (let count = 2; count <= Math.min(maxHosts, able.length); count += 1) {
    const found = shareAmong(way, able.slice(0, count));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The first shape for which enough hosts have room. */
function chooseEven(way: GroupWay, even: EvenSplit, able: readonly Able[], maxHosts: number): Group | undefined {
  for (const shape of even.shapes) {
    if (shape.hosts > Math.min(maxHosts, able.length)) continue;
    const fitting = able.flatMap(({ host, devices }): Able[] => {
      const part = even.part(shape, { ramBytes: host.ramBytes, devices });
      const ids = new Set(part?.devices.map(({ id }) => id));
      return part === undefined ? [] : [{ host, devices: devices.filter(({ id }) => ids.has(id)) }];
    });
    if (fitting.length < shape.hosts) continue;
    const found = groupOf(way, fitting.slice(0, shape.hosts));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The same hosts and devices as before, if they have room still. */
export function keepGroup(
  way: GroupWay,
  hosts: readonly FleetHost[],
  members: readonly GroupMember[],
): Group | undefined {
  const chosen = members.flatMap(({ host: name, devices }) => {
    const host = hosts.find((each) => each.name === name);
    const known = devices.flatMap((id) => host?.devices.filter((device) => device.id === id) ?? []);
    return host === undefined || known.length < devices.length ? [] : [{ host, devices: known }];
  });
  const needsDevices = way.acceleratorType !== undefined;
  if (chosen.length < members.length || chosen.length < 2) return undefined;
  if (chosen.some(({ devices }) => devices.length > 0 !== needsDevices)) return undefined;
  return groupOf(way, chosen);
}

interface Able {
  readonly host: FleetHost;
  readonly devices: readonly FleetDevice[];
}

/** A part of a GPU takes no part in an instance of several devices. */
function usable({ acceleratorType }: GroupWay, { devices }: FleetHost): FleetDevice[] {
  if (acceleratorType === undefined) return [];
  return devices
    .filter(({ type, isSlice = false, freeBytes }) => type === acceleratorType && !isSlice && freeBytes > 0)
    .toSorted((a, b) => b.freeBytes - a.freeBytes || (a.id < b.id ? -1 : 1));
}

function roomOf({ acceleratorType }: GroupWay, { host, devices }: Able): number {
  if (acceleratorType === undefined) return host.ramBytes;
  return devices.reduce((total, { freeBytes }) => total + freeBytes, 0);
}

function shareAmong(way: GroupWay, members: readonly Able[]): Group | undefined {
  if (way.acceleratorType === undefined) return groupOf(way, members);
  const all = members
    .flatMap(({ host, devices }) => devices.map((device, rank) => ({ host: host.name, device, rank })))
    .toSorted(
      (a, b) =>
        Number(a.rank > 0) - Number(b.rank > 0) ||
        b.device.freeBytes - a.device.freeBytes ||
        (`${a.host} ${a.device.id}` < `${b.host} ${b.device.id}` ? -1 : 1),
    );
  for (let count = members.length; count <= Math.min(all.length, way.mostDevices); count += 1) {
    const taken = all.slice(0, count);
    const found = groupOf(
      way,
      members.map(({ host }) => ({
        host,
        devices: taken.filter((each) => each.host === host.name).map(({ device }) => device),
      })),
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

function groupOf(way: GroupWay, members: readonly Able[]): Group | undefined {
  const rooms = members.map(({ host, devices }): MemberRoom => ({ ramBytes: host.ramBytes, devices }));
  const [primary, ...others] = rooms;
  const [first, ...rest] = members.map(({ host, devices }): GroupMember => ({
    host: host.name,
    devices: devices.map(({ id }) => id),
  }));
  const share = primary === undefined ? undefined : way.share(primary, others);
  return first === undefined || share === undefined ? undefined : { members: [first, ...rest], share };
}
