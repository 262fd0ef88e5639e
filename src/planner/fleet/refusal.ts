/** Why replicas have no place, in figures. */
import { findSpot, findWith } from "./choice.js";
import type { Bank, Replica, Shape, Want } from "./fleet.js";
import { compared, Occupancy } from "./occupancy.js";
import type { Refusal } from "./problem.js";
import { allowsHost } from "./room.js";

/** What comes closest to holding a replica. */
interface Nearest {
  readonly shape: Shape;
  readonly bank: Bank;
  /** How much of what it needs is there: at least 1 when only rules are in the way. */
  readonly share: number;
  readonly devices: number;
  readonly bytesPerDevice: number;
}

export function refuse(occupancy: Occupancy): Refusal[] {
  const byWant = new Map<Want, Replica[]>();
  const waiting = [...occupancy.waiting.members].sort((a, b) => a.index - b.index);
  for (const replica of waiting) byWant.set(replica.want, [...(byWant.get(replica.want) ?? []), replica]);
  if (byWant.size === 0) return [];
  const empty = new Occupancy(occupancy.fleet);
  return [...byWant].map(([want, replicas]) => refuseWant(occupancy, empty, want, replicas));
}

function refuseWant(occupancy: Occupancy, empty: Occupancy, want: Want, replicas: readonly Replica[]): Refusal {
  const { demand } = want;
  const [like] = replicas;
  const fitsAlone = like !== undefined && findSpot(empty, like, "any") !== undefined;
  const nearest = findNearest(occupancy, want);
  const shape = nearest?.shape ?? want.shapes[0];
  return {
    deployment: demand.deployment,
    replicas: replicas.map(({ number }) => number),
    option: shape?.option.name ?? "",
    reason:
      nearest === undefined
        ? hasHost(occupancy, want)
          ? "accelerator"
          : "selector"
        : reasonOf(occupancy, want, nearest),
    needs: {
      hosts: shape?.hosts ?? 1,
      devices: shape?.devices ?? 0,
      bytesPerDevice: shape === undefined ? 0 : leastBytes(shape),
      ramBytes: shape?.option.ramBytes ?? 0,
    },
    ...(nearest === undefined ? {} : { best: describeNearest(occupancy, nearest) }),
    fitsAlone,
    remedies: (demand.remedies ?? []).flatMap(({ change, option }) => {
      const helps = fitAll(occupancy, replicas, occupancy.fleet.shapeOf(demand, option));
      return helps ? [change] : [];
    }),
  };
}

function describeNearest({ fleet, ram }: Occupancy, { bank, devices, bytesPerDevice }: Nearest) {
  return { host: fleet.hosts[bank.host]?.name ?? "", devices, bytesPerDevice, ramBytes: ram[bank.host] ?? 0 };
}

/** Whether there is a host with the labels, whatever its accelerators. */
function hasHost({ fleet }: Occupancy, { demand }: Want): boolean {
  const option = { name: "", stage: 0, devices: 0, bytesPerDevice: 0, ramBytes: 0 };
  return fleet.shapeOf(demand, option).banks.length > 0;
}

/** In a large fleet, only hosts with the most room are looked at. */
function findNearest(occupancy: Occupancy, want: Want): Nearest | undefined {
  let best: Nearest | undefined;
  for (const shape of want.shapes)
    for (const bank of roomiest(occupancy, shape)) {
      const near = measure(occupancy, shape, bank);
      if (best === undefined || near.share > best.share) best = near;
    }
  return best;
}

function roomiest(occupancy: Occupancy, shape: Shape): readonly Bank[] {
  if (shape.banks.length <= compared || shape.devices === 0) return shape.banks;
  const found: Bank[] = [];
  occupancy.visitBanks(shape, "roomy", 0, (bank) => found.push(bank) >= compared);
  return found.length > 0 ? found.sort((a, b) => a.index - b.index) : shape.banks;
}

function measure({ free, users, ram }: Occupancy, shape: Shape, bank: Bank): Nearest {
  const rooms: number[] = [];
  for (let device = bank.first; device < bank.end; device += 1) {
    const isFree = shape.option.exclusive !== true || users[device] === 0;
    if (shape.usable[device] === 1 && isFree) rooms.push(free[device] ?? 0);
  }
  rooms.sort((a, b) => b - a);
  const bytesPerDevice = rooms[shape.devices - 1] ?? 0;
  const shares = [
    shape.devices === 0 ? 1 : Math.min(1, rooms.length / shape.devices),
    shape.bytes === 0 ? 1 : Math.min(1, bytesPerDevice / leastBytes(shape)),
    shape.option.ramBytes === 0 ? 1 : Math.min(1, (ram[bank.host] ?? 0) / shape.option.ramBytes),
  ];
  // As many as have so much: of others nothing is said.
  const devices = rooms.filter((bytes) => bytes >= bytesPerDevice).length;
  return { shape, bank, share: Math.min(...shares), devices, bytesPerDevice };
}

/** What has to be free on each device: of what is taken by a share, so much that the share is enough. */
function leastBytes({ bytes, option: { share = 1 } }: Shape): number {
  return Math.ceil(bytes / share);
}

function reasonOf(occupancy: Occupancy, want: Want, near: Nearest): Refusal["reason"] {
  const { shape, bank } = near;
  const { ram, tenants, fleet } = occupancy;
  if (near.devices < shape.devices) return shape.option.exclusive === true ? "whole" : "accelerator";
  if (near.bytesPerDevice < leastBytes(shape)) return "memory";
  if ((ram[bank.host] ?? 0) < shape.option.ramBytes) return "ram";
  if ((tenants[bank.host] ?? []).length >= (fleet.hosts[bank.host]?.maxInstances ?? Infinity)) return "instances";
  if (!allowsHost(occupancy, want, shape, bank.host)) return "apart";
  if (shape.groups !== undefined) return "group";
  return shape.hosts > 1 ? "hosts" : "memory";
}

function fitAll(occupancy: Occupancy, replicas: readonly Replica[], shape: Shape): boolean {
  let fits = false;
  occupancy.attempt(() => {
    fits = replicas.every((replica) => {
      const spot = findWith(occupancy, replica, shape, "tight");
      if (spot !== undefined) occupancy.put(replica, spot);
      return spot !== undefined;
    });
    return false;
  });
  return fits;
}
