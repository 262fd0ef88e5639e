/**
 * Looks for a place for one replica more by many small moves: a replica goes where it may be, and what is in its way there
 * goes elsewhere, or waits. A plan's value is what its replicas are worth, less a part of the prices of what they take, so
 * what takes little of what is scarce is rather placed, and where little is scarce; a worse one is followed less and less
 * often.
 */
import type { Bound } from "./bound.js";
import type { Chance } from "./chance.js";
import { findSpot, findSpotOn, type Manner } from "./choice.js";
import { clear } from "./clearing.js";
import type { Replica, SpotPart } from "./fleet.js";
import type { Occupancy } from "./occupancy.js";
import { countPlaced, holds, type Quest } from "./quest.js";
import type { Scarcity } from "./scarcity.js";
import { Ways, type Way } from "./ways.js";

export interface Jostling extends Quest {
  /** Counted, not timed, so that it is the same on every machine. */
  readonly moves: number;
  /** Replicas that no change could place. */
  readonly hopeless: ReadonlySet<Replica>;
}

export interface Jostled {
  readonly found: boolean;
  /** How many it took. */
  readonly moves: number;
}

interface Mood {
  /** How much worse a plan may be at first, on average, where a replica is worth 1. */
  readonly heat: number;
  /** What a replica of greater priority is worth more. */
  readonly respect: number;
  /** How much prices count beside worth: half of them finds more in most fleets. */
  readonly thrift: number;
}

/** One after the other: none of them is the best for all fleets. */
const moods: readonly Mood[] = [
  { heat: 0.04, respect: 0.5, thrift: 0.5 },
  { heat: 0.1, respect: 0.5, thrift: 0.5 },
  { heat: 0.2, respect: 0.1, thrift: 0.5 },
  { heat: 0.3, respect: 0.5, thrift: 1 },
];
/** How many deployments that wait are tried where a move has left room. */
const filledAtMost = 6;
const manners: readonly Manner[] = ["tight", "tight", "any", "wish"];

/** Places as many replicas as are sought, or leaves the occupancy as it was. */
export function jostle(
  occupancy: Occupancy,
  chance: Chance,
  scarcity: Scarcity,
  bound: Bound,
  jostling: Jostling,
): Jostled {
  const { rank, moves } = jostling;
  const start = [...occupancy.spots];
  for (const replica of occupancy.fleet.replicas) if (replica.want.rank > rank) occupancy.take(replica);
  const lower = [...occupancy.spots];
  const ways = new Ways(occupancy.fleet, scarcity, bound, jostling);
  const each = Math.floor(moves / moods.length);
  for (const [place, mood] of moods.entries()) {
    const found = new Jostler(occupancy, chance, ways, jostling, mood).run(each);
    if (found !== undefined) return { found: true, moves: place * each + found };
    occupancy.restore(lower);
  }
  occupancy.restore(start);
  return { found: false, moves };
}

class Jostler {
  private readonly players: readonly Replica[];
  private readonly plays: Uint8Array;
  /** Of the plan that is followed: by replica, what its place costs; and by rank, how many have one. */
  private readonly prices: Float64Array;
  private placed: readonly number[];
  private readonly isPlaced: Uint8Array;

  constructor(
    private readonly occupancy: Occupancy,
    private readonly chance: Chance,
    private readonly ways: Ways,
    private readonly jostling: Jostling,
    private readonly mood: Mood,
  ) {
    const { replicas, tenants } = occupancy.fleet;
    this.players = replicas.filter((each) => ways.of(each.want).length > 0 && !jostling.hopeless.has(each));
    this.plays = new Uint8Array(tenants.length);
    for (const { index } of this.players) this.plays[index] = 1;
    this.prices = Float64Array.from(tenants, (replica) => this.priceOf(replica));
    this.placed = countPlaced(occupancy);
    this.isPlaced = Uint8Array.from(tenants, ({ index }) => Number(occupancy.spots[index] !== undefined));
  }

  /** How many moves it took; undefined where that was not enough. */
  run(moves: number): number | undefined {
    const { occupancy, chance, mood } = this;
    for (let move = 0; move < moves; move += 1) {
      const waiting = occupancy.waiting.members.filter(({ index }) => this.plays[index] === 1);
      const target = chance.pick(chance.below(2) === 0 ? waiting : this.players);
      if (waiting.length === 0 || target === undefined) return undefined;
      const [left, luck] = [1 - move / moves, chance.below(1000) / 1000];
      const least = -mood.heat * left * left * 3 * luck * luck - 1e-9;
      const moved = occupancy.attempt(() => {
        const touched = this.shove(target, waiting);
        if (touched === undefined) return false;
        const placed = this.count(touched);
        const saved = touched.reduce((sum, each) => sum + (this.prices[each.index] ?? 0) - this.priceOf(each), 0);
        if (this.worthOf(placed) - this.worthOf(this.placed) + mood.thrift * saved < least) return false;
        for (const each of touched) this.note(each);
        this.placed = placed;
        return true;
      });
      if (moved && holds(this.placed, this.jostling)) return move + 1;
    }
    return undefined;
  }

  private priceOf({ index }: Replica): number {
    const spot = this.occupancy.spots[index];
    return spot === undefined ? 0 : this.ways.priceOf(spot);
  }

  private note(replica: Replica): void {
    this.prices[replica.index] = this.priceOf(replica);
    this.isPlaced[replica.index] = Number(this.occupancy.spots[replica.index] !== undefined);
  }

  /** By rank, how many have a place now, where only some may have another than before. */
  private count(touched: readonly Replica[]): number[] {
    const placed = [...this.placed];
    for (const { index, want } of touched) {
      const more = Number(this.occupancy.spots[index] !== undefined) - Number(this.isPlaced[index] === 1);
      placed[want.rank] = (placed[want.rank] ?? 0) + more;
    }
    return placed;
  }

  /** More of a greater priority than is sought is worth nothing. */
  private worthOf(placed: readonly number[]): number {
    const { rank, least } = this.jostling;
    let worth = 0;
    for (let each = 0; each <= rank; each += 1) {
      const counted = each === rank ? (placed[each] ?? 0) : Math.min(placed[each] ?? 0, least[each] ?? 0);
      worth += counted * (this.ways.worthOf(each) + (each === rank ? 0 : this.mood.respect));
    }
    return worth;
  }

  /** Puts a replica somewhere. Tells which ones may be placed differently now; undefined where it cannot be there. */
  private shove(target: Replica, waiting: readonly Replica[]): Replica[] | undefined {
    const { occupancy, chance } = this;
    const way = this.pickWay(target);
    const banks = way === undefined ? undefined : this.pickBanks(target, way);
    if (way === undefined || banks === undefined) return undefined;
    const touched = [target];
    const opened = new Set<number>();
    const remove = (replica: Replica) => {
      const spot = occupancy.take(replica);
      if (replica !== target) touched.push(replica);
      for (const { bank } of spot?.parts ?? []) opened.add(bank.host);
    };
    remove(target);
    const parts: SpotPart[] = [];
    for (const bank of banks) {
      const devices = clear(occupancy, chance, target.want, { shape: way.shape, bank }, remove);
      if (devices === undefined) return undefined;
      parts.push({ bank, devices });
    }
    occupancy.put(target, { shape: way.shape, parts });
    const frugal = chance.below(2) === 0;
    this.rehouse(touched.slice(1), frugal);
    return [...touched, ...this.fill(waiting, [...opened], frugal)];
  }

  private pickWay({ want }: Replica): Way | undefined {
    const ways = this.ways.of(want);
    const way = this.chance.pick(ways);
    const again = way?.shape !== want.frugal[0] && this.chance.below(2) === 0;
    return again ? this.chance.pick(ways) : way;
  }

  private pickBanks({ want }: Replica, { shape, bank }: Way) {
    const banks = [bank];
    while (banks.length < shape.hosts) {
      const others = this.ways.of(want).filter((each) => each.shape === shape && each.bank.type === bank.type);
      const other = this.chance.pick(others.filter((each) => !banks.includes(each.bank)));
      if (other === undefined) return undefined;
      banks.push(other.bank);
    }
    return banks.sort((a, b) => a.host - b.host);
  }

  private rehouse(out: Replica[], frugal: boolean): void {
    const { occupancy, chance } = this;
    while (out.length > 0) {
      const [replica] = out.splice(chance.below(out.length), 1);
      if (replica === undefined) continue;
      const shapes = frugal ? replica.want.frugal : replica.want.shapes;
      const turn = chance.below(3) === 0 ? chance.below(shapes.length) : 0;
      const turned = turn === 0 ? shapes : [...shapes.slice(turn), ...shapes.slice(0, turn)];
      const spot = findSpot(occupancy, replica, chance.pick(manners) ?? "tight", turned);
      if (spot !== undefined) occupancy.put(replica, spot);
    }
  }

  /** Places some of what waited where room was left. */
  private fill(waiting: readonly Replica[], hosts: readonly number[], frugal: boolean): Replica[] {
    const { occupancy, chance } = this;
    const from = chance.below(waiting.length);
    const tried = new Set<Replica["want"]>();
    const placed: Replica[] = [];
    for (let place = 0; place < waiting.length && tried.size < filledAtMost; place += 1) {
      const replica = waiting[(from + place) % waiting.length];
      if (replica === undefined || tried.has(replica.want)) continue;
      if (occupancy.spots[replica.index] !== undefined) continue;
      tried.add(replica.want);
      const spot = findSpotOn(occupancy, replica, "tight", hosts, frugal ? replica.want.frugal : replica.want.shapes);
      if (spot === undefined) continue;
      occupancy.put(replica, spot);
      placed.push(replica);
    }
    return placed;
  }
}
