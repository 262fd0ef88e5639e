import { findSpot } from "./choice.js";
import type { Want } from "./fleet.js";
import type { Occupancy } from "./occupancy.js";
import type { Surge } from "./problem.js";

/** Which updates have room to start new replicas before the old ones end, each deployment by itself. */
export function findSurges(occupancy: Occupancy): Surge[] {
  const guests = occupancy.fleet.tenants.filter(({ isGuest }) => isGuest);
  const byWant = new Map<Want, typeof guests>();
  for (const guest of guests) byWant.set(guest.want, [...(byWant.get(guest.want) ?? []), guest]);
  return [...byWant].map(([{ demand }, own]) => {
    let fits = 0;
    occupancy.attempt(() => {
      for (const guest of own) {
        const spot = findSpot(occupancy, guest, "tight");
        if (spot === undefined) break;
        occupancy.put(guest, spot);
        fits += 1;
      }
      return false;
    });
    return { deployment: demand.deployment, wanted: own.length, fits };
  });
}
