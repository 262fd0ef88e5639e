import type { Occupancy } from "./occupancy.js";

/** How many replicas a plan is to have. */
export interface Quest {
  /** The priority that one replica more is sought for; smaller ones count for nothing. */
  readonly rank: number;
  /** By rank. */
  readonly least: readonly number[];
}

export function countPlaced({ fleet, spots }: Occupancy): number[] {
  const placed = Array.from({ length: fleet.ranks }, () => 0);
  for (const { index, want } of fleet.replicas)
    if (spots[index] !== undefined) placed[want.rank] = (placed[want.rank] ?? 0) + 1;
  return placed;
}

/** Whether as many replicas have a place as is sought. */
export function holds(placed: readonly number[], { rank, least }: Quest): boolean {
  return least.every((count, each) => each > rank || (placed[each] ?? 0) >= count);
}
