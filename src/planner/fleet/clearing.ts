/** Makes room for a replica where others are. */
import type { Chance } from "./chance.js";
import type { Bank, Replica, Shape, Want } from "./fleet.js";
import type { Occupancy } from "./occupancy.js";
import { allowsHost } from "./room.js";

/**
 * Removes from a host what is in the way of a replica, mostly no more than has to go.
 *
 * @returns the devices that it has room on now; undefined where there is none whatever goes
 */
export function clear(
  occupancy: Occupancy,
  chance: Chance,
  want: Want,
  { shape, bank }: { readonly shape: Shape; readonly bank: Bank },
  remove: (replica: Replica) => void,
): readonly number[] | undefined {
  const { fleet, spots } = occupancy;
  const there = () => occupancy.tenants[bank.host] ?? [];
  const { oncePerHost } = shape.option;
  for (const tenant of [...there()]) {
    const other = fleet.tenants[tenant];
    const isSame = oncePerHost !== undefined && spots[tenant]?.shape.option.oncePerHost === oncePerHost;
    if (other !== undefined && (isSame || want.apart.has(other.want.index))) remove(other);
  }
  const devices = chooseDevices(occupancy, chance, shape, bank);
  if (devices === undefined) return undefined;
  for (const device of devices)
    while (!occupancy.admits(shape, device)) {
      const user = fleet.tenants[chooseUser(occupancy, chance, shape, device, there())];
      if (user === undefined) return undefined;
      remove(user);
    }
  while (!allowsHost(occupancy, want, shape, bank.host)) {
    const tenant = fleet.tenants[chance.pick(there()) ?? -1];
    if (tenant === undefined) return undefined;
    remove(tenant);
  }
  return devices;
}

/** Some that an instance may have, whether they are free or not: rather those with much room. */
function chooseDevices(
  { free, fleet }: Occupancy,
  chance: Chance,
  shape: Shape,
  { first, end }: Bank,
): number[] | undefined {
  if (shape.devices === 0) return [];
  const usable: number[] = [];
  for (let device = first; device < end; device += 1)
    if (shape.usable[device] === 1 && (fleet.devices[device]?.freeBytes ?? 0) >= shape.bytes) usable.push(device);
  const one = chance.pick(usable);
  if (one === undefined) return undefined;
  const isRoomy = chance.below(2) === 0;
  if (shape.devices === 1) {
    const other = chance.pick(usable) ?? one;
    return [isRoomy && (free[other] ?? 0) > (free[one] ?? 0) ? other : one];
  }
  const { groups } = shape;
  const group = groups?.[one];
  if (group !== undefined && group < 0) return undefined;
  const own = usable
    .filter((device) => groups?.[device] === group)
    .map((device) => ({ device, key: isRoomy ? -(free[device] ?? 0) : chance.below(1 << 20) }))
    .sort((a, b) => a.key - b.key || a.device - b.device);
  if (own.length < shape.devices) return undefined;
  return own
    .slice(0, shape.devices)
    .map(({ device }) => device)
    .sort((a, b) => a - b);
}

/** Who is to leave a device: mostly the smallest that makes room enough, and rather one that has no other device. -1: nobody is there. */
function chooseUser(
  occupancy: Occupancy,
  chance: Chance,
  shape: Shape,
  device: number,
  tenants: readonly number[],
): number {
  const { spots, free } = occupancy;
  const users = tenants.filter((tenant) => spots[tenant]?.parts.some((part) => part.devices.includes(device)));
  let chosen = chance.pick(users) ?? -1;
  if (chance.below(4) === 0 || shape.option.exclusive === true) return chosen;
  const lacking = occupancy.claim(shape, device) - (free[device] ?? 0);
  let least = Infinity;
  for (const user of users) {
    const own = spots[user]?.shape;
    if (own === undefined) continue;
    const claim = occupancy.claim(own, device) * (own.devices > 1 ? 1.5 : 1);
    if (claim < lacking || claim >= least) continue;
    least = claim;
    chosen = user;
  }
  return chosen;
}
