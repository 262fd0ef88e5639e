/**
 * Fills device after device with all that may be on it (bin completion, Korf 2002). By the prices of a bound, every
 * choice loses something: room that is left, a place that is not the cheapest, a replica that is not placed. What is lost
 * may not come to more than lies between the bound and the plan that is looked for, so most choices end at once.
 */
import type { Bound } from "./bound.js";
import type { Chance } from "./chance.js";
import type { Bank, Replica, Shape, Want } from "./fleet.js";
import type { Occupancy } from "./occupancy.js";
import { PriceList } from "./price-list.js";
import { holds, type Quest } from "./quest.js";
import { allowsHost } from "./room.js";
import type { Scarcity } from "./scarcity.js";
import { orderStations, type Station } from "./stations.js";

export interface Packing extends Quest {
  /** Choices that are tried at most. */
  readonly nodes: number;
}

interface Way {
  readonly shape: Shape;
  /** By device: what it costs there; more than anything where it cannot be. */
  readonly prices: Float64Array;
  /** By host: what it costs beside its devices. */
  readonly beside: Float64Array;
}

interface Item {
  readonly want: Want;
  readonly left: Replica[];
  readonly ways: readonly Way[];
  /** What is lost with each replica that is not placed. */
  readonly gain: number;
  /** What a place costs at least, or none. */
  readonly base: number;
}

/** Replicas on several hosts stay where they are. */
export class Packer {
  private readonly list: PriceList;
  private readonly items: readonly Item[];
  private readonly order: readonly Station[];
  private readonly position: Int32Array;
  /** By place in the order: what can be nowhere after it. */
  private readonly ending: readonly (readonly Item[])[];
  /** By device: what it is worth, less what is on it. */
  private readonly rest: Float64Array;
  private readonly placed: number[];
  /** By what is left to do: the most that was still to lose when it failed. */
  private readonly failed = new Map<string, number>();
  private budget: number;
  private nodes: number;
  /** Whether every plan that is good enough is looked at. */
  private isComplete: boolean;

  constructor(
    private readonly occupancy: Occupancy,
    private readonly scarcity: Scarcity,
    bound: Bound,
    chance: Chance,
    private readonly packing: Packing,
  ) {
    const [{ fleet }, { rank, least }] = [occupancy, packing];
    this.nodes = packing.nodes;
    this.isComplete = fleet.wants.every((want) => want.rank > rank || want.shapes.every(({ hosts }) => hosts === 1));
    this.budget = bound.most + bound.apartLoss - (least[rank] ?? 0) + 1e-6;
    this.placed = least.map(() => 0);
    this.list = new PriceList(fleet, scarcity, bound);
    this.rest = Float64Array.from(fleet.devices, (_, device) => this.list.ofDevice(device));
    this.clear();
    this.items = fleet.wants
      .filter((want) => want.rank <= rank)
      .map((want) => this.itemOf(want))
      .filter(({ left, want }) => left.length > 0 && this.list.costOf(want) - this.list.worthOf(want) <= this.budget)
      .map((item) => ({
        item,
        key: Math.max(...item.want.shapes.map(({ bytes }) => bytes)) * (1 + chance.below(600) / 1000),
      }))
      .sort((a, b) => b.key - a.key)
      .map(({ item }) => item);
    this.order = orderStations(fleet, chance);
    this.position = new Int32Array(fleet.devices.length);
    this.order.forEach(({ device }, place) => {
      if (device >= 0) this.position[device] = place;
    });
    const last = this.items.map(({ ways }) =>
      this.order.findLastIndex((station) => ways.some((way) => this.isRight(way, station))),
    );
    this.ending = this.order.map((_, place) => this.items.filter((__, index) => last[index] === place));
  }

  /** `found`: the occupancy has the plan. Otherwise what had a place may have none; `none`: there is no such plan. */
  run(): "found" | "none" | "unknown" {
    if (this.fill(0, 0, -1, this.budget)) return "found";
    return this.nodes > 0 && this.isComplete ? "none" : "unknown";
  }

  private isRight({ shape, prices }: Way, { bank, device }: Station): boolean {
    if (shape.eligible[bank.index] !== 1) return false;
    return device < 0 ? shape.devices === 0 : (prices[device] ?? Infinity) < Infinity;
  }

  /** Takes everything off but what stays. */
  private clear(): void {
    const { occupancy } = this;
    for (const replica of occupancy.fleet.replicas) {
      const spot = occupancy.spots[replica.index];
      if (spot === undefined) continue;
      if (spot.shape.hosts === 1 || replica.want.rank > this.packing.rank) {
        occupancy.take(replica);
        continue;
      }
      const { want } = replica;
      this.placed[want.rank] = (this.placed[want.rank] ?? 0) + 1;
      for (const device of spot.parts.flatMap(({ devices }) => devices))
        this.rest[device] = (this.rest[device] ?? 0) - this.list.onDevice(want, spot.shape, device);
      this.budget -= this.list.priceOf(want, spot) - Math.min(this.list.worthOf(want), this.list.costOf(want));
    }
  }

  private itemOf(want: Want): Item {
    const { fleet, spots } = this.occupancy;
    const left = fleet.replicas.filter((each) => each.want === want && spots[each.index] === undefined);
    const [cost, worth] = [this.list.costOf(want), this.list.worthOf(want)];
    const ways = want.shapes
      .filter(({ hosts }) => hosts === 1)
      .map((shape) => ({
        shape,
        prices: Float64Array.from(fleet.devices, (_, device) => this.list.onDevice(want, shape, device)),
        beside: Float64Array.from(fleet.hosts, (_, host) => this.list.besideOf(shape, host)),
      }));
    return { want, left, ways, gain: Math.max(0, worth - cost), base: Math.min(cost, worth) };
  }

  /** Fills the devices from one on; on the first of them, only with items from one on. */
  private fill(place: number, from: number, first: number, budget: number): boolean {
    if (holds(this.placed, this.packing)) return true;
    const station = this.order[place];
    if (station === undefined || this.nodes <= 0) return false;
    const { bank, device } = station;
    this.nodes -= 1;
    for (let index = from; index < this.items.length; index += 1) {
      const item = this.items[index];
      if (item === undefined || item.left.length === 0) continue;
      for (const way of item.ways) {
        if (!this.isRight(way, station)) continue;
        if (device >= 0 && !this.occupancy.admits(way.shape, device)) continue;
        if (!allowsHost(this.occupancy, item.want, way.shape, bank.host)) continue;
        for (const devices of this.choose(way.shape, device, bank))
          if (
            this.tryOn(
              item,
              way,
              bank,
              devices,
              (rest) => this.fill(place, index, first < 0 ? index : first, rest),
              budget,
            )
          )
            return true;
        if (this.nodes <= 0) return false;
      }
    }
    return this.close(place, station, first, budget);
  }

  private tryOn(
    { want, left, base }: Item,
    { shape, prices, beside }: Way,
    bank: Bank,
    devices: readonly number[],
    next: (budget: number) => boolean,
    budget: number,
  ): boolean {
    let loss = (beside[bank.host] ?? 0) - base;
    for (const device of devices) loss += prices[device] ?? Infinity;
    const replica = left.at(-1);
    if (replica === undefined || loss > budget) return false;
    this.occupancy.put(replica, { shape, parts: [{ bank, devices }] });
    left.pop();
    for (const device of devices) this.rest[device] = (this.rest[device] ?? 0) - (prices[device] ?? 0);
    this.placed[want.rank] = (this.placed[want.rank] ?? 0) + 1;
    if (next(budget - loss)) return true;
    this.placed[want.rank] = (this.placed[want.rank] ?? 0) - 1;
    for (const device of devices) this.rest[device] = (this.rest[device] ?? 0) + (prices[device] ?? 0);
    left.push(replica);
    this.occupancy.take(replica);
    return false;
  }

  /** Nothing more goes on a device. */
  private close(place: number, { bank, device }: Station, first: number, budget: number): boolean {
    let rest = budget - (device < 0 ? this.restOf(bank.host) : (this.rest[device] ?? 0));
    for (const item of this.ending[place] ?? []) rest -= item.gain * item.left.length;
    if (rest < 0) return false;
    const next = this.order[place + 1];
    if (next === undefined) return false;
    const key = this.keyOf(place + 1, next);
    if ((this.failed.get(key) ?? -Infinity) >= rest) return false;
    // Devices that do not differ are filled in one order only.
    const { slotOf } = this.scarcity;
    const { free, fleet } = this.occupancy;
    const other = next.device;
    const alike =
      device >= 0 && other >= 0 && slotOf[device] === slotOf[other] && free[other] === fleet.devices[other]?.freeBytes;
    if (this.fill(place + 1, alike ? (first < 0 ? this.items.length : first) : 0, -1, rest)) return true;
    if (this.nodes > 0) this.failed.set(key, rest);
    return false;
  }

  /** What is left of a host beside its devices. */
  private restOf(host: number): number {
    const { fleet, ram, tenants } = this.occupancy;
    const { maxInstances } = fleet.hosts[host] ?? {};
    const instances = maxInstances === undefined ? 0 : maxInstances - (tenants[host]?.length ?? 0);
    return this.list.ofHost(host, ram[host] ?? 0, instances);
  }

  private keyOf(place: number, { bank }: Station): string {
    const { occupancy, order } = this;
    const before = order[place - 1]?.bank;
    let key = `${place}`;
    for (const { left } of this.items) key += ` ${left.length}`;
    if (before?.host !== bank.host) return key;
    const { tenants, fleet } = occupancy;
    for (let each = place; each < order.length; each += 1) key += ` ${occupancy.free[order[each]?.device ?? -1]}`;
    const there = (tenants[bank.host] ?? []).map((tenant) => fleet.tenants[tenant]?.want.index ?? -1);
    return `${key} ${occupancy.ram[bank.host]} ${there.sort((a, b) => a - b).join(" ")}`;
  }

  /** A device with others that are filled after it: those with the most room, or with the least. */
  private choose(shape: Shape, device: number, bank: Bank): number[][] {
    if (shape.devices < 2) return [device < 0 ? [] : [device]];
    const { free } = this.occupancy;
    const others: number[] = [];
    for (let other = bank.first; other < bank.end; other += 1) {
      const isLater = (this.position[other] ?? 0) > (this.position[device] ?? 0);
      if (isLater && shape.groups?.[other] === shape.groups?.[device] && this.occupancy.admits(shape, other))
        others.push(other);
    }
    if (others.length < shape.devices - 1) return [];
    others.sort((a, b) => (free[b] ?? 0) - (free[a] ?? 0) || a - b);
    const roomy = [device, ...others.slice(0, shape.devices - 1)].sort((a, b) => a - b);
    const tight = [device, ...others.slice(others.length - shape.devices + 1)].sort((a, b) => a - b);
    if (others.length >= shape.devices) this.isComplete = false;
    const isSame = free[others[0] ?? -1] === free[others.at(-1) ?? -1];
    return isSame ? [roomy] : [roomy, tight];
  }
}
