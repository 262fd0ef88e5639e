import { Buckets } from "./buckets.js";
import { costLength, isHome, type Cost } from "./cost.js";
import { Crowd } from "./crowd.js";
import type { Bank, Fleet, Replica, Shape, Spot, SpotPart } from "./fleet.js";

/** How many places are compared in a large fleet. In one with no more banks than this, all are. */
export const compared = 48;
/** Numbers of devices that banks are found by: one with 3 free devices is found among those with 2. */
const counts = [1, 2, 4, 8] as const;

/** Who has what, at one moment of the search. */
export class Occupancy {
  readonly free: Float64Array;
  readonly users: Int32Array;
  readonly ram: Float64Array;
  readonly spots: (Spot | undefined)[];
  /** Replicas on each host. */
  readonly tenants: number[][];
  /** By bank: what is free of all its devices. */
  readonly bankFree: Float64Array;
  readonly bankTotal: Float64Array;
  private readonly tally: number[];
  /** Replicas without a place. */
  readonly waiting: Crowd;
  /** Replicas that have a place, but neither the one where they were nor, if they were nowhere, their best option. */
  readonly improvable: Crowd;
  /** In a small fleet, all banks are looked at. */
  private readonly isIndexed: boolean;
  private readonly byDevice: Buckets;
  private readonly byBank: readonly Buckets[];
  private attempts = 0;
  private readonly changes: { readonly replica: Replica; readonly before: Spot | undefined }[] = [];

  constructor(readonly fleet: Fleet) {
    const { devices, hosts, banks, replicas, tenants } = fleet;
    this.free = Float64Array.from(devices, ({ freeBytes }) => freeBytes);
    this.users = new Int32Array(devices.length);
    this.ram = Float64Array.from(hosts, ({ ramBytes }) => ramBytes);
    this.spots = Array.from(tenants, () => undefined);
    this.tenants = hosts.map(() => []);
    this.isIndexed = banks.length > compared;
    this.bankFree = Float64Array.from(banks, ({ first, end }) =>
      devices.slice(first, end).reduce((sum, { freeBytes }) => sum + freeBytes, 0),
    );
    this.bankTotal = Float64Array.from(banks, ({ first, end }) =>
      devices.slice(first, end).reduce((sum, { totalBytes }) => sum + totalBytes, 0),
    );
    const top = devices.reduce((most, { freeBytes }) => Math.max(most, freeBytes), 0);
    this.byDevice = new Buckets(devices.length, top);
    this.byBank = counts.map(() => new Buckets(banks.length, top));
    if (this.isIndexed) this.free.forEach((bytes, device) => this.byDevice.set(device, bytes));
    for (const bank of banks) this.rankBank(bank);
    this.tally = Array.from({ length: costLength(fleet) }, () => 0);
    this.waiting = new Crowd(tenants.length);
    this.improvable = new Crowd(tenants.length);
    for (const replica of replicas) this.count(replica, undefined, 1);
  }

  cost(): Cost {
    return [...this.tally];
  }

  put(replica: Replica, spot: Spot): void {
    this.move(replica, spot);
  }

  /** Where it was; a replica that was nowhere stays there. */
  take(replica: Replica): Spot | undefined {
    const before = this.spots[replica.index];
    if (before !== undefined) this.move(replica, undefined);
    return before;
  }

  /** Tries something: when it says that it failed, everything is as it was before. */
  attempt(action: () => boolean): boolean {
    const mark = this.changes.length;
    this.attempts += 1;
    const succeeded = action();
    this.attempts -= 1;
    if (!succeeded) this.rollBack(mark);
    if (this.attempts === 0) this.changes.length = 0;
    return succeeded;
  }

  /** Goes to another plan. */
  restore(spots: readonly (Spot | undefined)[]): void {
    const moved = this.fleet.replicas.filter(({ index }) => this.spots[index] !== spots[index]);
    for (const replica of moved) this.take(replica);
    for (const replica of moved) this.move(replica, spots[replica.index]);
  }

  /** Banks with as many devices of `least` bytes, or nearly: those with the least room first, or the most. */
  visitBanks(shape: Shape, order: "tight" | "roomy", least: number, visit: (bank: Bank) => boolean): void {
    const { banks } = this.fleet;
    const index = this.byBank[counts.findLastIndex((count) => count <= shape.devices)];
    const each = (entry: number) => {
      const bank = banks[entry];
      return bank !== undefined && shape.eligible[entry] === 1 && visit(bank);
    };
    if (order === "tight") index?.ascend(least, each);
    else index?.descend(least, each);
  }

  /** Devices of `least` bytes, or nearly, the fullest first. */
  visitDevices(least: number, visit: (device: number) => boolean): void {
    this.byDevice.ascend(least, visit);
  }

  /** What a replica takes of a device: all of it, a share, or what it needs. */
  claim(shape: Shape, device: number): number {
    const known = this.fleet.devices[device];
    if (known === undefined) return Infinity;
    if (shape.option.exclusive === true) return known.freeBytes;
    return shape.option.share === undefined ? shape.bytes : Math.floor(known.totalBytes * shape.option.share);
  }

  /** Whether a device has room for one part of a replica. */
  admits(shape: Shape, device: number): boolean {
    const free = this.free[device] ?? 0;
    if (shape.usable[device] !== 1 || free < shape.bytes) return false;
    const { exclusive = false, share } = shape.option;
    const shareBytes = Math.floor((this.fleet.devices[device]?.totalBytes ?? 0) * (share ?? 1));
    if (share !== undefined && (shareBytes < shape.bytes || free < shareBytes)) return false;
    return !exclusive || this.users[device] === 0;
  }

  private rollBack(mark: number): void {
    for (const { replica, before } of this.changes.splice(mark).reverse()) this.set(replica, before);
  }

  private move(replica: Replica, spot: Spot | undefined): void {
    if (this.attempts > 0) this.changes.push({ replica, before: this.spots[replica.index] });
    this.set(replica, spot);
  }

  private set(replica: Replica, spot: Spot | undefined): void {
    const before = this.spots[replica.index];
    this.count(replica, before, -1);
    if (before !== undefined) for (const part of before.parts) this.change(replica, before.shape, part, -1);
    this.spots[replica.index] = spot;
    if (spot !== undefined) for (const part of spot.parts) this.change(replica, spot.shape, part, 1);
    this.count(replica, spot, 1);
  }

  private count(replica: Replica, spot: Spot | undefined, sign: 1 | -1): void {
    if (replica.isGuest) return;
    const { rank, shapes } = replica.want;
    const add = (place: number, value: number) => (this.tally[place] = (this.tally[place] ?? 0) + sign * value);
    const { ranks } = this.fleet;
    const moved = replica.homes.length > 0 && !isHome(replica, spot);
    if (moved) add(ranks, 1);
    if (sign === 1) {
      this.waiting.set(replica, spot === undefined);
      this.improvable.set(
        replica,
        spot !== undefined && (moved || (replica.homes.length === 0 && spot.shape !== shapes[0])),
      );
    }
    if (spot === undefined) {
      add(rank, 1);
      return;
    }
    add(ranks + 1, spot.shape.option.stage);
    add(ranks + 2, spot.shape.hosts * spot.shape.devices);
  }

  private change({ index }: Replica, shape: Shape, { bank, devices }: SpotPart, sign: 1 | -1): void {
    this.ram[bank.host] = (this.ram[bank.host] ?? 0) - sign * shape.option.ramBytes;
    const tenants = this.tenants[bank.host] ?? [];
    if (sign === 1) tenants.push(index);
    else tenants.splice(tenants.indexOf(index), 1);
    for (const device of devices) {
      const claim = this.claim(shape, device);
      const free = (this.free[device] ?? 0) - sign * claim;
      this.free[device] = free;
      this.users[device] = (this.users[device] ?? 0) + sign;
      if (this.isIndexed) this.byDevice.set(device, free);
      this.bankFree[bank.index] = (this.bankFree[bank.index] ?? 0) - sign * claim;
    }
    if (devices.length > 0) this.rankBank(bank);
  }

  private rankBank({ index, first, end }: Bank): void {
    if (!this.isIndexed) return;
    const ranked = this.free.slice(first, end).sort();
    counts.forEach((count, place) => this.byBank[place]?.set(index, ranked[ranked.length - count] ?? -1));
  }
}
