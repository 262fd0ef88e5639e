import type { Fleet, Replica, Spot } from "./fleet.js";

/**
 * How far a plan is from what is wanted; the first number that differs decides between two. Replicas without a place,
 * by priority; replicas that are not where they were; stages; devices.
 */
export type Cost = readonly number[];

/** How many numbers a cost has. */
export function costLength({ ranks }: Pick<Fleet, "ranks">): number {
  return ranks + 3;
}

/** Negative when the first is better. */
export function compareCosts(a: Cost, b: Cost): number {
  for (let place = 0; place < a.length; place += 1) {
    const difference = (a[place] ?? 0) - (b[place] ?? 0);
    if (Math.abs(difference) > 1e-9) return difference;
  }
  return 0;
}

export function isHome({ homes: [home] }: Replica, spot: Spot | undefined): boolean {
  if (home === undefined || spot?.parts.length !== home.parts.length) return false;
  return spot.parts.every(({ bank, devices }, place) => {
    const part = home.parts[place];
    return (
      part?.bank === bank &&
      part.devices.length === devices.length &&
      devices.every((device) => part.devices.includes(device))
    );
  });
}
