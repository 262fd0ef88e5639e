/** A first plan, replica by replica. */
import { findSpot, type Manner } from "./choice.js";
import type { Replica } from "./fleet.js";
import type { Occupancy } from "./occupancy.js";
import { fitsAt } from "./room.js";

/** Which comes first among those of one priority. */
export type Order = "heavy" | "wide" | "narrow" | "light";

/** Places what it can, in order. What has a place keeps it; a replica goes home where it can. */
export function placeInOrder(occupancy: Occupancy, ordered: readonly Replica[], manner: Manner): void {
  for (const replica of ordered) {
    if (occupancy.spots[replica.index] !== undefined) continue;
    const spot = findHome(occupancy, replica) ?? findSpot(occupancy, replica, manner);
    if (spot !== undefined) occupancy.put(replica, spot);
  }
}

/** Puts replicas where they were, as far as they still fit; those of greater priority first. */
export function keepHomes(occupancy: Occupancy): void {
  const atHome = occupancy.fleet.replicas.filter(({ homes }) => homes.length > 0);
  for (const replica of orderReplicas(atHome, "heavy")) {
    const home = findHome(occupancy, replica);
    if (home !== undefined) occupancy.put(replica, home);
  }
}

export function findHome(occupancy: Occupancy, { want, homes }: Replica) {
  return homes.find((home) => fitsAt(occupancy, want, home));
}

export function orderReplicas(replicas: readonly Replica[], order: Order): Replica[] {
  const keys = new Map(replicas.map(({ want }) => [want, keyOf(want, order)]));
  const compare = (a: Replica, b: Replica) => {
    const [left = [], right = []] = [keys.get(a.want), keys.get(b.want)];
    const place = left.findIndex((value, index) => value !== right[index]);
    return place < 0 ? a.index - b.index : (left[place] ?? 0) - (right[place] ?? 0);
  };
  return [...replicas].sort(compare);
}

function keyOf({ rank, shapes }: Replica["want"], order: Order): number[] {
  const weight = weightOf({ shapes });
  const widest = Math.max(0, ...shapes.map(({ bytes }) => bytes));
  if (order === "light") return [rank, weight];
  if (order === "wide") return [rank, -widest, -weight];
  if (order === "narrow") return [rank, Math.max(0, ...shapes.map(({ banks }) => banks.length)), -weight];
  return [rank, -weight];
}

/** The memory of devices that a replica takes at least. */
export function weightOf({ shapes }: Pick<Replica["want"], "shapes">): number {
  return shapes.reduce((least, { weightBytes }) => Math.min(least, weightBytes), Infinity);
}
