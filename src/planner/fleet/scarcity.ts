/**
 * What is scarce in a fleet, in numbers: devices by kind, memory of hosts, instances. A way to run a replica takes some
 * of each.
 */
import type { Bank, Fleet, Shape, Spot, Want } from "./fleet.js";

/**
 * Measures of a part of a device. The first is its share. The others count halves, thirds, ... of the device that
 * nothing else can have: an item of more than a half leaves no room for another such item, whatever its share (dual
 * feasible functions, Lueker 1983). What fits on a device comes to at most 1 in each of them.
 */
export const measures = 5;

/** Devices of a bank that do not differ. */
export interface Slot {
  readonly first: number;
  readonly count: number;
}

/** Part of a replica on one bank: how much it takes of each of the devices that it may have. */
export interface Portion {
  readonly host: number;
  /** By group of devices that an instance may not leave. */
  readonly groups: readonly (readonly Use[])[];
}

export interface Use {
  readonly slot: number;
  readonly count: number;
  /** By measure. */
  readonly shares: readonly number[];
}

/** A way to run a replica: as many of the portions as hosts. */
export interface Column {
  readonly shape: Shape;
  readonly portions: readonly Portion[];
}

export interface Scarcity {
  readonly slots: readonly Slot[];
  /** By device. */
  readonly slotOf: Int32Array;
  /** By want. */
  readonly columns: readonly (readonly Column[])[];
}

export function findScarcity(fleet: Fleet): Scarcity {
  const { slots, slotOf } = findSlots(fleet);
  const columns = fleet.wants.map((want) => want.shapes.flatMap((shape) => columnsOf(fleet, slotOf, shape)));
  return { slots, slotOf, columns };
}

function findSlots({ devices, wants, bankOf }: Fleet): Pick<Scarcity, "slots" | "slotOf"> {
  const shapes = wants.flatMap((want) => want.shapes);
  const usable = [...new Set(shapes.map((shape) => shape.usable))];
  const known = new Map<string, number>();
  const slots: { first: number; count: number }[] = [];
  const slotOf = Int32Array.from(devices, (device, index) => {
    const { totalBytes, freeBytes, linkGroup, pcieGroup } = device;
    const uses = usable.map((each) => each[index]).join("");
    const key = [bankOf[index], totalBytes, freeBytes, linkGroup, pcieGroup, uses].join(" ");
    const slot = known.get(key) ?? slots.push({ first: index, count: 0 }) - 1;
    known.set(key, slot);
    const found = slots[slot];
    if (found !== undefined) found.count += 1;
    return slot;
  });
  return { slots, slotOf };
}

/** One for each bank, or for an instance on several hosts one for each type. */
function columnsOf(fleet: Fleet, slotOf: Int32Array, shape: Shape): Column[] {
  const portions = shape.banks.flatMap((bank) => {
    const portion = portionOf(fleet, slotOf, shape, bank);
    return portion === undefined ? [] : [{ bank, portion }];
  });
  if (shape.hosts === 1) return portions.map(({ portion }) => ({ shape, portions: [portion] }));
  return [...new Set(portions.map(({ bank }) => bank.type))].flatMap((type) => {
    const own = portions.filter(({ bank }) => bank.type === type).map(({ portion }) => portion);
    return own.length < shape.hosts ? [] : [{ shape, portions: own }];
  });
}

function portionOf({ devices, hosts }: Fleet, slotOf: Int32Array, shape: Shape, bank: Bank): Portion | undefined {
  if ((hosts[bank.host]?.ramBytes ?? 0) < shape.option.ramBytes) return undefined;
  const groups = new Map<number, Map<number, { slot: number; count: number; shares: number[] }>>();
  for (let index = bank.first; index < bank.end; index += 1) {
    const device = devices[index];
    const group = shape.groups?.[index] ?? 0;
    const claim = device === undefined ? Infinity : claimOf(shape, device);
    if (device === undefined || shape.usable[index] !== 1 || claim > device.freeBytes || group < 0) continue;
    const slot = slotOf[index] ?? 0;
    const uses = groups.get(group) ?? new Map<number, { slot: number; count: number; shares: number[] }>();
    groups.set(group, uses);
    const use = uses.get(slot) ?? { slot, count: 0, shares: sharesOf(claim, device.freeBytes) };
    use.count += 1;
    uses.set(slot, use);
  }
  const enough = [...groups.values()]
    .map((uses) => [...uses.values()])
    .filter((uses) => uses.reduce((sum, { count }) => sum + count, 0) >= shape.devices);
  if (shape.devices === 0) return { host: bank.host, groups: [[]] };
  return enough.length === 0 ? undefined : { host: bank.host, groups: enough };
}

/** What a replica takes of a device; more than there is where it may not have it. */
function claimOf({ bytes, option: { exclusive, share } }: Shape, device: Fleet["devices"][number]): number {
  const { totalBytes, freeBytes } = device;
  if (share !== undefined && Math.floor(totalBytes * share) < bytes) return Infinity;
  const claim = share === undefined ? bytes : Math.floor(totalBytes * share);
  return exclusive === true ? Math.max(claim, freeBytes) : claim;
}

function sharesOf(claim: number, bytes: number): number[] {
  const share = bytes === 0 ? 0 : claim / bytes;
  return Array.from({ length: measures }, (_, measure) => {
    const parts = share * (measure + 1);
    const isWhole = Math.abs(parts - Math.round(parts)) < 1e-9;
    return measure === 0 || isWhole ? share : Math.floor(parts) / measure;
  });
}

/** How much of each measure of each slot a place takes. */
export function usesOf({ columns, slotOf }: Scarcity, want: Want, { shape, parts }: Spot) {
  return parts.flatMap(({ bank, devices }) => {
    const column = columns[want.index]?.find(
      (each) => each.shape === shape && each.portions.some(({ host }) => host === bank.host),
    );
    const portion = column?.portions.find(({ host }) => host === bank.host);
    const uses = portion?.groups.flat() ?? [];
    return devices.flatMap((device) => uses.find(({ slot }) => slot === slotOf[device]) ?? []);
  });
}
