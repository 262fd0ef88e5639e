import { findWith } from "./choice.js";
import { isHome } from "./cost.js";
import type { Replica, Spot } from "./fleet.js";
import type { Occupancy } from "./occupancy.js";
import { wishOf } from "./wish.js";

/** Moves replicas to places that their deployments would rather have, where no rule has anything against it. */
export function settle(occupancy: Occupancy): void {
  for (const replica of occupancy.fleet.replicas) {
    const before = occupancy.spots[replica.index];
    if (before === undefined || isHome(replica, before)) continue;
    occupancy.take(replica);
    const found = findWith(occupancy, replica, before.shape, "wish");
    const isBetter = found !== undefined && wishesOf(occupancy, replica, found) < wishesOf(occupancy, replica, before);
    occupancy.put(replica, isBetter ? found : before);
  }
}

function wishesOf(occupancy: Occupancy, replica: Replica, { parts }: Spot): number {
  return parts.reduce((sum, part) => sum + wishOf(occupancy, replica, part), 0);
}
