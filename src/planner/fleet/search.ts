/** Looks for the best plan: several starts, of which the best is mended. */
import { findSpot, type Manner } from "./choice.js";
import { Chance } from "./chance.js";
import { compareCosts } from "./cost.js";
import { isBest, renew, small } from "./renewal.js";
import { seek } from "./seeking.js";
import { settle } from "./settling.js";
import type { Fleet, Replica } from "./fleet.js";
import { Occupancy } from "./occupancy.js";
import { keepHomes, orderReplicas, placeInOrder, type Order } from "./start.js";

interface Start {
  readonly order: Order;
  readonly manner: Manner;
}

const starts: readonly [Start, ...Start[]] = [
  { order: "heavy", manner: "wish" },
  { order: "heavy", manner: "tight" },
  { order: "wide", manner: "tight" },
  { order: "heavy", manner: "first" },
  { order: "narrow", manner: "tight" },
  { order: "light", manner: "tight" },
];
/** Number of devices beyond which a fleet is large. */
const large = 2000;
/** Rounds for the root of the number of devices, in a large fleet. */
const forRoot = 160;
/** Beyond so many devices a plan may take some tenths of a second: so many rounds times devices. */
const [quick, roundsOfDevices] = [64, 2_000_000];
/** How many more rounds a replica more is sought than a plan is mended. */
const soughtFor = 8;
/** Small moves for a round, where it is not known whether there is a plan with one replica more. */
const movesForRound = 200;

/** The best plan that was found; the same for the same fleet. */
export function searchPlan(fleet: Fleet, rounds?: number): Occupancy {
  const [first, ...others] = startsFor(fleet);
  let best = runStart(fleet, first);
  const hopeless = findHopeless(fleet, best.waiting.members);
  if (isBest(best, hopeless)) return best;
  for (const start of others) {
    const found = runStart(fleet, start);
    if (compareCosts(found.cost(), best.cost()) < 0) best = found;
  }
  const wanders = fleet.replicas.length <= 300;
  renew(best, new Chance(1), { rounds: rounds ?? roundsFor(best), hopeless, wanders });
  if (fleet.devices.length <= small) seekMore(best, hopeless, rounds ?? roundsFor(best));
  settle(best);
  return best;
}

/** In a small fleet: more replicas, where it is not proven that there are no more. */
function seekMore(best: Occupancy, hopeless: ReadonlySet<Replica>, rounds: number): void {
  const refill = () => {
    placeInOrder(best, orderReplicas(best.fleet.replicas, "heavy"), "wish");
    renew(best, new Chance(1), { rounds, hopeless, wanders: true });
  };
  seek(best, new Chance(2), { rounds: soughtFor * rounds, moves: movesForRound * rounds, hopeless, refill });
}

/** In a large fleet, first fit would look at every host each time; where most replicas stay, a start changes little. */
function startsFor({ devices, replicas }: Fleet): readonly [Start, ...Start[]] {
  const [first, ...others] = starts;
  if (replicas.some(({ homes }) => homes.length > 0) && devices.length > small) return [first];
  return devices.length <= large ? starts : [first, ...others.filter(({ manner }) => manner !== "first")];
}

/** Small fleets are searched long, others as long as their size and what is left to mend allow. */
function roundsFor({ fleet: { devices, replicas }, waiting, improvable }: Occupancy): number {
  const count = devices.length;
  const bySize = 4000 * Math.min(1, (small / count) ** 2);
  const toMend = waiting.members.length + improvable.members.length;
  const isNew = replicas.every(({ homes }) => homes.length === 0);
  // A plan from nothing may take longer than one that is there and gets a few replicas more.
  const forNew = count <= quick ? count ** 2 / 16 : Math.max(forRoot * Math.sqrt(count), roundsOfDevices / count);
  const most = isNew ? forNew : replicas.length;
  const forEach = count <= quick ? 200 : 1000;
  const wanted = Math.max(200, (isNew ? forEach : 50) * toMend);
  return Math.max(bySize, Math.min(most, wanted));
}

/** What has a home stays there; the others come in order. */
function runStart(fleet: Fleet, { order, manner }: Start): Occupancy {
  const occupancy = new Occupancy(fleet);
  keepHomes(occupancy);
  placeInOrder(occupancy, orderReplicas(fleet.replicas, order), manner);
  return occupancy;
}

/** Replicas that would have no place in a fleet that had nothing else. */
export function findHopeless(fleet: Fleet, replicas: readonly Replica[]): Set<Replica> {
  const empty = new Occupancy(fleet);
  return new Set(replicas.filter((replica) => findSpot(empty, replica, "any") === undefined));
}
