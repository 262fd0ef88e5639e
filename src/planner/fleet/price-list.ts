import type { Bound } from "./bound.js";
import type { Fleet, Shape, Spot, Want } from "./fleet.js";
import { measures, usesOf, type Scarcity } from "./scarcity.js";

/** What places cost, by the prices of a bound. */
export class PriceList {
  constructor(
    private readonly fleet: Fleet,
    private readonly scarcity: Scarcity,
    private readonly bound: Bound,
  ) {}

  /** What a replica is worth that has a place. */
  worthOf({ rank }: Want): number {
    return this.bound.prices.worth[rank] ?? 0;
  }

  /** What the cheapest place costs. */
  costOf({ index }: Want): number {
    return this.bound.costs[index] ?? Infinity;
  }

  priceOf(want: Want, spot: Spot): number {
    let price = 0;
    for (const { bank } of spot.parts) price += this.besideOf(spot.shape, bank.host);
    for (const use of usesOf(this.scarcity, want, spot)) price += this.sum(use.slot, use.shares);
    return price;
  }

  /** What a place costs on a host beside its devices. */
  besideOf({ option }: Shape, host: number): number {
    const { ram, instances } = this.bound.prices;
    const total = this.fleet.hosts[host]?.ramBytes ?? 0;
    return (instances[host] ?? 0) + (total === 0 ? 0 : ((ram[host] ?? 0) * option.ramBytes) / total);
  }

  /** What one device of a place costs; more than anything where it cannot be. */
  onDevice(want: Want, shape: Shape, device: number): number {
    const bank = this.fleet.banks[this.fleet.bankOf[device] ?? -1];
    if (bank === undefined || shape.eligible[bank.index] !== 1 || (shape.groups?.[device] ?? 0) < 0) return Infinity;
    const [use] = usesOf(this.scarcity, want, { shape, parts: [{ bank, devices: [device] }] });
    return use === undefined ? Infinity : this.sum(use.slot, use.shares);
  }

  /** What a device is worth that has nothing on it. */
  ofDevice(device: number): number {
    return this.sum(
      this.scarcity.slotOf[device] ?? 0,
      Array.from({ length: measures }, () => 1),
    );
  }

  /** What is worth something of a host beside its devices, where so much is left. */
  ofHost(host: number, ramBytes: number, instances: number): number {
    const { prices } = this.bound;
    const total = this.fleet.hosts[host]?.ramBytes ?? 0;
    return (total === 0 ? 0 : ((prices.ram[host] ?? 0) * ramBytes) / total) + instances * (prices.instances[host] ?? 0);
  }

  private sum(slot: number, shares: readonly number[]): number {
    const { devices } = this.bound.prices;
    let price = 0;
    for (let measure = 0; measure < measures; measure += 1)
      price += (shares[measure] ?? 0) * (devices[slot * measures + measure] ?? 0);
    return price;
  }
}
