/**
 * Mends a plan by ruin and recreate (Schrimpf et al. 2000; Christiaens and Vanden Berghe 2020): takes some replicas off
 * a few hosts, and places them and others anew; what comes out stays when it is no worse.
 */
import type { Chance } from "./chance.js";
import { findSpot, findSpotOn, type Manner } from "./choice.js";
import { compareCosts } from "./cost.js";
import type { Bank, Replica, Shape } from "./fleet.js";
import type { Occupancy } from "./occupancy.js";
import { findHome, weightOf } from "./start.js";

/** Number of devices up to which a fleet is small. */
export const small = 16;
/** How many replicas that wait are looked at in one round, and how many of them are tried. */
const [seenAtMost, triedAtMost] = [200, 24];
/** How many are tried in a small fleet where more than so many wait. */
const [triedOfMany, many] = [6, 60];
/** One of so many worse plans is followed, for so many rounds. */
const [wanderingOdds, patience] = [10, 50];
/** One of so many replicas tries its best options last: the most frugal one is not always in the best plan. */
const skippingOdds = 10;

export interface Renewal {
  /** Counted, not timed, so that it is the same on every machine. */
  readonly rounds: number;
  /** Replicas that no change could place. */
  readonly hopeless: ReadonlySet<Replica>;
  /** Whether a worse plan is followed for a while, to get out of a dead end. */
  readonly wanders: boolean;
}

/** The best plan found is the one that is left. */
export function renew(occupancy: Occupancy, chance: Chance, { rounds, hopeless, wanders }: Renewal): void {
  let best = { cost: occupancy.cost(), spots: [...occupancy.spots], round: 0 };
  for (let round = 0; round < rounds && !isBest(occupancy, hopeless); round += 1) {
    const target = pickTarget(occupancy, chance, hopeless);
    if (target === undefined) continue;
    occupancy.attempt(() => {
      const before = occupancy.cost();
      recreate(occupancy, chance, ruin(occupancy, chance, target), hopeless);
      return compareCosts(occupancy.cost(), before) <= 0 || (wanders && chance.below(wanderingOdds) === 0);
    });
    if (!wanders) continue;
    if (compareCosts(occupancy.cost(), best.cost) < 0)
      best = { cost: occupancy.cost(), spots: [...occupancy.spots], round };
    else if (round - best.round > patience) {
      occupancy.restore(best.spots);
      best.round = round;
    }
  }
  if (wanders) occupancy.restore(best.spots);
}

/** Whether nothing is left to mend: what could have a place has one, where it was or with its best option. */
export function isBest({ waiting, improvable }: Occupancy, hopeless: ReadonlySet<Replica>): boolean {
  return improvable.members.length === 0 && waiting.members.every((replica) => hopeless.has(replica));
}

/** A replica that waits, or one that could be placed better. */
function pickTarget({ waiting, improvable }: Occupancy, chance: Chance, hopeless: ReadonlySet<Replica>) {
  for (let tries = 0; tries < 4 && waiting.members.length > 0; tries += 1) {
    const replica = chance.pick(waiting.members);
    if (replica !== undefined && !hopeless.has(replica) && chance.below(8) > 0) return replica;
  }
  return chance.pick(improvable.members);
}

export interface Ruin {
  /** The target first. */
  readonly out: readonly Replica[];
  /** Hosts that have more room than before. */
  readonly opened: readonly number[];
}

/** Takes replicas off a host that the target could be on, and off one or two others. */
export function ruin(occupancy: Occupancy, chance: Chance, target: Replica): Ruin {
  const shape = chance.pick(target.want.shapes);
  if (shape === undefined) return { out: [], opened: [] };
  const out: Replica[] = [target];
  const opened = new Set<number>();
  const remove = (replica: Replica | undefined) => {
    const spot = replica === undefined ? undefined : occupancy.take(replica);
    if (replica === undefined || spot === undefined) return;
    if (replica !== target) out.push(replica);
    for (const { bank } of spot.parts) opened.add(bank.host);
  };
  remove(target);
  const hosts = shape.hosts + chance.below(3);
  for (let host = 0; host < hosts; host += 1) {
    const bank = pickBank(occupancy, chance, target, shape, host === 0);
    const tenants = [...(occupancy.tenants[bank?.host ?? -1] ?? [])];
    const share = 1 + chance.below(4);
    for (const tenant of tenants) if (chance.below(4) < share) remove(occupancy.fleet.replicas[tenant]);
  }
  return { out, opened: [...opened] };
}

function pickBank(
  { fleet }: Occupancy,
  chance: Chance,
  { homes: [home] }: Replica,
  { banks }: Shape,
  first: boolean,
): Bank | undefined {
  if (first && home !== undefined && chance.below(2) === 0) return chance.pick(home.parts)?.bank;
  return chance.pick(banks) ?? chance.pick(fleet.banks);
}

/** Places what was taken off and some of what waits, in one of several orders. In a large fleet, what waits had no place before. */
export function recreate(
  occupancy: Occupancy,
  chance: Chance,
  { out, opened }: Ruin,
  hopeless: ReadonlySet<Replica>,
): void {
  const isSmall = occupancy.fleet.devices.length <= small;
  const any = isSmall ? pickAny(occupancy, chance, out, hopeless) : undefined;
  const order = orders[chance.below(orders.length)] ?? (() => 0);
  const others = any ?? pickWaiting(occupancy, chance, { out, opened }, hopeless);
  const keyed = [...out, ...others].map((replica) => {
    return { replica, key: order(replica, chance) };
  });
  keyed.sort((a, b) => rankOf(a) - rankOf(b) || a.key - b.key || a.replica.index - b.replica.index);
  const frugal = chance.below(2) === 0;
  const [target] = out;
  const off = new Set(out);
  const ordered = keyed.map(({ replica }) => replica);
  for (const replica of chance.below(2) === 0 && target !== undefined ? [target, ...ordered] : ordered) {
    if (occupancy.spots[replica.index] !== undefined) continue;
    const home = chance.below(8) === 0 ? undefined : findHome(occupancy, replica);
    const { frugal: cheapest, shapes } = replica.want;
    const manner = manners[chance.below(manners.length)] ?? "tight";
    const list = frugal && chance.below(4) > 0 ? cheapest : shapes;
    const skipped = list.length > 1 && chance.below(skippingOdds) === 0 ? chance.below(list.length) : 0;
    const turned = skipped === 0 ? list : [...list.slice(skipped), ...list.slice(0, skipped)];
    const spot =
      home ??
      (isSmall || off.has(replica)
        ? findSpot(occupancy, replica, manner, turned)
        : findSpotOn(occupancy, replica, manner, opened, turned));
    if (spot !== undefined) occupancy.put(replica, spot);
  }
}

function rankOf({ replica }: { readonly replica: Replica }): number {
  return replica.want.rank;
}

/** Some of those that wait: in a small fleet, where the search also takes off what has a place elsewhere. */
function pickAny(
  { waiting: { members } }: Occupancy,
  chance: Chance,
  out: readonly Replica[],
  hopeless: ReadonlySet<Replica>,
): Replica[] {
  const from = members.length <= triedAtMost ? 0 : chance.below(members.length);
  const tried = members.length > many ? triedOfMany : triedAtMost;
  return members.slice(from, from + tried).filter((each) => !hopeless.has(each) && !out.includes(each));
}

/** Some of those that waited before and may have room now. */
function pickWaiting(
  occupancy: Occupancy,
  chance: Chance,
  { out, opened }: Ruin,
  hopeless: ReadonlySet<Replica>,
): Replica[] {
  const waiting = occupancy.waiting.members;
  const found: Replica[] = [];
  const from = waiting.length <= seenAtMost ? 0 : chance.below(waiting.length);
  const seen = Math.min(waiting.length, seenAtMost);
  for (let place = from; place < from + seen && found.length < triedAtMost; place += 1) {
    const replica = waiting[place < waiting.length ? place : place - waiting.length];
    if (replica === undefined || hopeless.has(replica) || out.includes(replica)) continue;
    if (replica.want.shapes.some((shape) => mayFit(occupancy, shape, opened))) found.push(replica);
  }
  return found;
}

function mayFit({ bankFree, fleet }: Occupancy, shape: Shape, hosts: readonly number[]): boolean {
  if (shape.hosts > 1) return true;
  const least = shape.bytes * shape.devices;
  for (const host of hosts)
    for (const { index } of fleet.banksOf[host] ?? [])
      if (shape.eligible[index] === 1 && (bankFree[index] ?? 0) >= least) return true;
  return false;
}

/** How places are chosen, the more often written the more often. */
const manners: readonly Manner[] = ["tight", "tight", "tight", "any", "wish"];

/** What is placed first of what has the same priority. */
const orders: readonly ((replica: Replica, chance: Chance) => number)[] = [
  ({ want }) => -weightOf(want),
  ({ want }) => weightOf(want),
  (_replica, chance) => chance.below(1 << 20),
  ({ want }, chance) => -weightOf(want) * (1 + chance.below(1000) / 1000),
];
