/** Looks for a place for one replica more by ruin and recreate, led by the prices of what is scarce. */
import type { Bound } from "./bound.js";
import type { Chance } from "./chance.js";
import type { Replica, Spot } from "./fleet.js";
import type { Occupancy } from "./occupancy.js";
import { PriceList } from "./price-list.js";
import { countPlaced, holds, type Quest } from "./quest.js";
import { recreate, ruin } from "./renewal.js";
import type { Scarcity } from "./scarcity.js";

/** How much worse a plan may be at first, on average, where a replica is worth 1; and what one of greater priority is worth more. */
const [firstHeat, respect] = [0.5, 0.5];

/**
 * Places as many replicas as are sought, or leaves the occupancy as it was. A plan's value is what its replicas are
 * worth, less the prices of what they take; a worse one is followed less and less often.
 */
export function anneal(
  occupancy: Occupancy,
  chance: Chance,
  scarcity: Scarcity,
  bound: Bound,
  quest: Quest & { readonly rounds: number; readonly hopeless: ReadonlySet<Replica> },
): boolean {
  const { replicas } = occupancy.fleet;
  const { rank, rounds, hopeless } = quest;
  const start = [...occupancy.spots];
  for (const replica of replicas) if (replica.want.rank > rank) occupancy.take(replica);
  const priced = new PricedReplicas(occupancy, new PriceList(occupancy.fleet, scarcity, bound), bound.most, rank);
  const out = new Set(replicas.filter((replica) => hopeless.has(replica) || priced.isOut(replica, quest)));
  let value = priced.value();
  for (let round = 0; round < rounds; round += 1) {
    const target = chance.pick(occupancy.waiting.members.filter((replica) => !out.has(replica)));
    if (target === undefined) break;
    const [left, luck] = [1 - round / rounds, chance.below(1000) / 1000];
    const least = value - firstHeat * left * left * left * (3 * luck * luck);
    occupancy.attempt(() => {
      recreate(occupancy, chance, ruin(occupancy, chance, target), out);
      const next = priced.value();
      if (next < least - 1e-9) return false;
      value = next;
      return true;
    });
    if (holds(countPlaced(occupancy), quest)) return true;
  }
  occupancy.restore(start);
  return false;
}

class PricedReplicas {
  private readonly known: (Spot | undefined)[] = [];
  private readonly prices: number[] = [];

  constructor(
    private readonly occupancy: Occupancy,
    private readonly list: PriceList,
    private readonly most: number,
    private readonly rank: number,
  ) {}

  value(): number {
    const { fleet, spots } = this.occupancy;
    let value = 0;
    for (const replica of fleet.replicas) {
      const spot = spots[replica.index];
      if (spot === undefined) continue;
      const more = replica.want.rank === this.rank ? 0 : respect;
      value += this.list.worthOf(replica.want) + more - this.priceOf(replica, spot);
    }
    return value;
  }

  /** Whether no plan that is good enough has a place for it. */
  isOut({ want }: Replica, { rank, least }: Quest): boolean {
    const loss = this.list.costOf(want) - this.list.worthOf(want);
    return want.rank > rank || loss > this.most - (least[rank] ?? 0) + 1e-6;
  }

  private priceOf(replica: Replica, spot: Spot): number {
    const { index, want } = replica;
    if (this.known[index] === spot) return this.prices[index] ?? 0;
    const price = this.list.priceOf(want, spot);
    this.known[index] = spot;
    this.prices[index] = price;
    return price;
  }
}
