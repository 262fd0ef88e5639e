/**
 * How many replicas can have a place at most: a Lagrangian relaxation (Held and Karp 1971). Everything that is scarce has
 * a price; each replica takes the cheapest place, or none where that costs more than it is worth. Whatever the prices
 * are, no plan is better than that, and good prices are found step by step.
 */
import type { Fleet, Want } from "./fleet.js";
import { measures, type Column, type Portion, type Scarcity } from "./scarcity.js";

export interface Bound {
  /** No plan places more, as long as it places as many of each greater priority as was asked. */
  readonly most: number;
  readonly prices: Prices;
  /** By want: what the cheapest place for a replica costs. */
  readonly costs: readonly number[];
  /** What replicas that are to be apart lose by that, as far as the bound counts it. */
  readonly apartLoss: number;
}

export interface Prices {
  /** By slot and measure, for each device. */
  readonly devices: Float64Array;
  /** By host, for all of its RAM. */
  readonly ram: Float64Array;
  /** By host, for an instance. */
  readonly instances: Float64Array;
  /** By rank: what a replica is worth. */
  readonly worth: Float64Array;
}

export interface Question {
  readonly rank: number;
  /** How many replicas of each greater priority have a place. */
  readonly placed: readonly number[];
  /** Enough is known when no plan places as many. */
  readonly target: number;
  /** Counted, not timed, so that it is the same on every machine. */
  readonly steps: number;
}

/** Steps without a better bound until they get shorter. */
const patience = 20;
/** How much of the way of the last step is gone again (Camerini, Fratta and Maffioli 1975). */
const inertia = 0.85;

/** Prices one after the other in one list, so that a step is simple. */
class Ledger {
  readonly size: number;
  readonly ram: number;
  readonly instances: number;
  readonly worth: number;

  constructor(
    private readonly fleet: Fleet,
    { slots }: Scarcity,
  ) {
    this.ram = slots.length * measures;
    this.instances = this.ram + fleet.hosts.length;
    this.worth = this.instances + fleet.hosts.length;
    this.size = this.worth + fleet.ranks;
  }

  /** How much there is of everything; of what is worth something, as much as has to be placed, with a minus. */
  rooms({ slots }: Scarcity, { rank, placed }: Question): Float64Array {
    const { hosts, replicas } = this.fleet;
    const rooms = new Float64Array(this.size);
    slots.forEach(({ count }, slot) => rooms.fill(count, slot * measures, (slot + 1) * measures));
    hosts.forEach(({ maxInstances = replicas.length }, host) => {
      rooms[this.ram + host] = 1;
      rooms[this.instances + host] = maxInstances;
    });
    for (let each = 0; each < rank; each += 1) rooms[this.worth + each] = -(placed[each] ?? 0);
    return rooms;
  }

  describe(prices: Float64Array): Prices {
    return {
      devices: prices.slice(0, this.ram),
      ram: prices.slice(this.ram, this.instances),
      instances: prices.slice(this.instances, this.worth),
      worth: prices.slice(this.worth),
    };
  }
}

/** What the cheapest place with a column costs, and what it takes. */
interface Offer {
  readonly cost: number;
  readonly column: Column;
  readonly takes: readonly { readonly portion: Portion; readonly uses: readonly Taken[] }[];
}

interface Taken {
  readonly slot: number;
  readonly count: number;
  readonly shares: readonly number[];
}

export function boundPlaced(fleet: Fleet, scarcity: Scarcity, question: Question): Bound {
  const ledger = new Ledger(fleet, scarcity);
  const rooms = ledger.rooms(scarcity, question);
  let prices = firstPrices(ledger, rooms, question);
  const drift = new Float64Array(ledger.size);
  let best = { most: Infinity, prices };
  for (let step = 0, since = 0, length = 1; step < question.steps && best.most >= question.target; step += 1) {
    const { most, gradient } = relax(fleet, scarcity, ledger, rooms, prices, question.rank);
    since += 1;
    if (most < best.most - 1e-4) {
      best = { most, prices: prices.slice() };
      since = 0;
    } else if (since > patience) {
      since = 0;
      length = length < 1e-3 ? 0.5 : length / 2;
      prices = best.prices.slice();
    }
    let squares = 0;
    gradient.forEach((value, place) => {
      const way = value + inertia * (drift[place] ?? 0);
      drift[place] = way;
      gradient[place] = way > 0 && (prices[place] ?? 0) <= 0 ? 0 : way;
      squares += (gradient[place] ?? 0) ** 2;
    });
    if (squares < 1e-12) break;
    const far = (length * Math.max(most - question.target + 0.3, 0.1)) / squares;
    prices = prices.map((price, place) => Math.max(0, price - far * (gradient[place] ?? 0)));
  }
  const known = ledger.describe(best.prices);
  const costs: number[] = [];
  let apartLoss = 0;
  for (const want of fleet.wants) {
    const offers = (scarcity.columns[want.index] ?? []).flatMap((column) => offerOf(fleet, known, column) ?? []);
    const cost = offers.reduce((least, offer) => Math.min(least, offer.cost), Infinity);
    costs.push(cost);
    const worth = known.worth[want.rank] ?? 0;
    if (want.rank > question.rank || cost >= worth) continue;
    apartLoss += want.demand.replicas * (worth - cost);
    for (const { offer, count } of accept(want, offers)) apartLoss -= count * Math.max(0, worth - offer.cost);
  }
  return { most: best.most, prices: known, costs, apartLoss };
}

function firstPrices({ size, ram, worth }: Ledger, rooms: Float64Array, { rank, target }: Question): Float64Array {
  const prices = new Float64Array(size);
  const devices = rooms.slice(0, ram).reduce((sum, room) => sum + room, 0) / measures;
  for (let place = 0; place < ram; place += measures) prices[place] = target / devices;
  prices.fill(1, worth, worth + rank + 1);
  return prices;
}

/** The bound that prices give, and how much of everything is left over. */
function relax(
  fleet: Fleet,
  { columns }: Scarcity,
  ledger: Ledger,
  rooms: Float64Array,
  prices: Float64Array,
  rank: number,
): { most: number; gradient: Float64Array } {
  const gradient = rooms.slice();
  let most = rooms.reduce((sum, room, place) => sum + room * (prices[place] ?? 0), 0);
  const known = ledger.describe(prices);
  for (const want of fleet.wants) {
    if (want.rank > rank) continue;
    const worth = known.worth[want.rank] ?? 0;
    const offers = (columns[want.index] ?? []).flatMap((column) => offerOf(fleet, known, column) ?? []);
    for (const { offer, count } of accept(want, offers)) {
      if (offer.cost >= worth) break;
      most += count * (worth - offer.cost);
      take(fleet, ledger, gradient, offer, count);
      if (want.rank < rank) gradient[ledger.worth + want.rank] = (gradient[ledger.worth + want.rank] ?? 0) + count;
    }
  }
  return { most, gradient };
}

/** The cheapest place for each replica; those that are to be apart have hosts of their own. */
function accept({ index, apart, demand }: Want, offers: readonly Offer[]): { offer: Offer; count: number }[] {
  const sorted = [...offers].sort((a, b) => a.cost - b.cost);
  const [cheapest] = sorted;
  if (cheapest === undefined) return [];
  if (!apart.has(index)) return [{ offer: cheapest, count: demand.replicas }];
  const taken = new Set<number>();
  const accepted = sorted.filter(({ takes: [first, second] }) => {
    if (first === undefined || second !== undefined) return true;
    const isNew = !taken.has(first.portion.host);
    taken.add(first.portion.host);
    return isNew;
  });
  return accepted.slice(0, demand.replicas).map((offer) => ({ offer, count: 1 }));
}

function offerOf({ hosts }: Fleet, prices: Prices, column: Column): Offer | undefined {
  const { ramBytes } = column.shape.option;
  const portions = column.portions.map((portion) => {
    const { host, groups } = portion;
    const total = hosts[host]?.ramBytes ?? 0;
    const beside = (prices.instances[host] ?? 0) + (total === 0 ? 0 : ((prices.ram[host] ?? 0) * ramBytes) / total);
    let best = { cost: Infinity, uses: [] as Taken[] };
    for (const group of groups) {
      const offer = cheapestOf(prices, group, column.shape.devices);
      if (offer.cost < best.cost) best = offer;
    }
    return { portion, uses: best.uses, cost: best.cost + beside };
  });
  if (column.shape.hosts > 1) portions.sort((a, b) => a.cost - b.cost);
  const takes = portions.slice(0, column.shape.hosts);
  return { cost: takes.reduce((sum, { cost }) => sum + cost, 0), column, takes };
}

function cheapestOf({ devices }: Prices, group: Portion["groups"][number], count: number) {
  const priced = group.map((use) => {
    const each = use.shares.reduce(
      (sum, share, measure) => sum + share * (devices[use.slot * measures + measure] ?? 0),
      0,
    );
    return { use, each };
  });
  if (priced.length > 1) priced.sort((a, b) => a.each - b.each);
  const uses: Taken[] = [];
  let [cost, left] = [0, count];
  for (const { use, each } of priced) {
    const taken = Math.min(left, use.count);
    if (taken === 0) break;
    uses.push({ slot: use.slot, count: taken, shares: use.shares });
    cost += taken * each;
    left -= taken;
  }
  return { cost, uses };
}

function take({ hosts }: Fleet, ledger: Ledger, left: Float64Array, { column, takes }: Offer, count: number): void {
  const add = (place: number, value: number) => (left[place] = (left[place] ?? 0) - count * value);
  for (const { portion, uses } of takes) {
    const total = hosts[portion.host]?.ramBytes ?? 0;
    if (total > 0) add(ledger.ram + portion.host, column.shape.option.ramBytes / total);
    add(ledger.instances + portion.host, 1);
    for (const { slot, count: devices, shares } of uses)
      shares.forEach((share, measure) => add(slot * measures + measure, devices * share));
  }
}
