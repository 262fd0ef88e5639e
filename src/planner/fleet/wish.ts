/** What a deployment would rather have, where several places are as good by all that counts more. */
import type { Replica, SpotPart } from "./fleet.js";
import type { Occupancy } from "./occupancy.js";

/**
 * How little a place is what the deployment asks for; the least is the best. `spread`: few replicas of its own on the
 * host, then a host with little on it. `binpack`: devices in use already, then a host with much on it. Then a host that
 * has the model, then devices that are linked, then the rest of the room.
 */
export function wishOf(occupancy: Occupancy, replica: Replica, part: SpotPart): number {
  const { bankFree, bankTotal, users, fleet } = occupancy;
  const { bank, devices } = part;
  const { demand } = replica.want;
  const total = bankTotal[bank.index] ?? 0;
  const room = total === 0 ? 0 : (bankFree[bank.index] ?? 0) / total;
  const spread = demand.strategy === "spread";
  const crowd = spread
    ? siblingsOn(occupancy, replica, bank.host)
    : devices.reduce((fresh, device) => fresh + Number(users[device] === 0), 0);
  const level = Math.min(3, Math.floor((spread ? 1 - room : room) * 4));
  const away = demand.model !== undefined && fleet.hosts[bank.host]?.models?.includes(demand.model) !== true;
  const rest = (spread ? 1 - room : room) * 0.999;
  return ((crowd * 4 + level) * 2 + Number(away)) * 2 + Number(!areLinked(occupancy, devices)) + rest;
}

/** Replicas of the same deployment on a host, but for this one. */
export function siblingsOn({ tenants, fleet }: Occupancy, { index, want }: Replica, host: number): number {
  const there = tenants[host] ?? [];
  return there.filter((tenant) => tenant !== index && fleet.tenants[tenant]?.want === want).length;
}

function areLinked({ fleet }: Occupancy, devices: readonly number[]): boolean {
  const [first = -1] = devices;
  const group = fleet.devices[first]?.linkGroup;
  return (
    devices.length < 2 || (group !== undefined && devices.every((each) => fleet.devices[each]?.linkGroup === group))
  );
}
