/** Which places may be in a plan that is good enough, by the prices of a bound. */
import type { Bound } from "./bound.js";
import type { Bank, Fleet, Shape, Spot, Want } from "./fleet.js";
import { PriceList } from "./price-list.js";
import type { Quest } from "./quest.js";
import type { Scarcity } from "./scarcity.js";

/** An option on a host, or on this and others. */
export interface Way {
  readonly shape: Shape;
  readonly bank: Bank;
}

export class Ways {
  private readonly list: PriceList;
  private readonly prices = new Map<Shape, Float64Array>();
  private readonly byWant = new Map<Want, readonly Way[]>();

  constructor(
    private readonly fleet: Fleet,
    scarcity: Scarcity,
    private readonly bound: Bound,
    { rank, least }: Quest,
  ) {
    this.list = new PriceList(fleet, scarcity, bound);
    const budget = bound.most + bound.apartLoss - (least[rank] ?? 0) + 1e-6;
    for (const want of fleet.wants) if (want.rank <= rank) this.byWant.set(want, this.find(want, budget));
  }

  /** None where no plan that is good enough has a place for it. */
  of(want: Want): readonly Way[] {
    return this.byWant.get(want) ?? [];
  }

  /** What a replica of a priority is worth that has a place. */
  worthOf(rank: number): number {
    return this.bound.prices.worth[rank] ?? 0;
  }

  priceOf({ shape, parts }: Spot): number {
    const prices = this.prices.get(shape);
    let price = 0;
    for (const { bank, devices } of parts) {
      price += this.list.besideOf(shape, bank.host);
      for (const device of devices) price += prices?.[device] ?? 0;
    }
    return price;
  }

  private find(want: Want, budget: number): Way[] {
    const base = Math.min(this.list.costOf(want), this.list.worthOf(want));
    return want.shapes.flatMap((shape) => {
      const prices = Float64Array.from(this.fleet.devices, (_, device) => this.list.onDevice(want, shape, device));
      this.prices.set(shape, prices);
      return shape.banks.flatMap((bank) => {
        const cheapest = prices.slice(bank.first, bank.end).sort().slice(0, shape.devices);
        const cost = cheapest.reduce((sum, price) => sum + price, this.list.besideOf(shape, bank.host));
        const isRight = cheapest.length === shape.devices && cost < Infinity;
        // What lies on several hosts is not all on one that costs too much.
        return isRight && (shape.hosts > 1 || cost - base <= budget) ? [{ shape, bank }] : [];
      });
    });
  }
}
