/** Proves that no more replicas can have a place, or looks for a plan with one more, one priority after the other. */
import { boundPlaced } from "./bound.js";
import type { Chance } from "./chance.js";
import type { Replica } from "./fleet.js";
import { jostle, type Jostled } from "./jostling.js";
import type { Occupancy } from "./occupancy.js";
import { Packer } from "./packing.js";
import { countPlaced, type Quest } from "./quest.js";
import { findScarcity, type Scarcity } from "./scarcity.js";

export interface Seeking {
  /** Counted, not timed, so that it is the same on every machine. */
  readonly rounds: number;
  /** Small moves of all priorities together, where nothing else tells. */
  readonly moves: number;
  /** Replicas that no change could place. */
  readonly hopeless: ReadonlySet<Replica>;
  /** Places what waits after a plan with one more was found. */
  readonly refill: () => void;
}

/** How often the exact search starts anew, in another order, and choices of each start for a round of all. */
const [packings, nodesForRound] = [2, 1];
const stepsAtMost = 400;

/** Whether a better plan was found; it is the occupancy's then. */
export function seek(occupancy: Occupancy, chance: Chance, seeking: Seeking): boolean {
  const { fleet } = occupancy;
  const scarcity = findScarcity(fleet);
  let [hasFound, left] = [false, seeking.moves];
  for (let rank = 0; rank < fleet.ranks; rank += 1)
    for (;;) {
      // What one priority leaves is for those after it.
      const moves = Math.floor(left / (fleet.ranks - rank));
      const sought = seekOne(occupancy, chance, scarcity, rank, { ...seeking, moves });
      left -= sought.moves;
      if (!sought.found) break;
      hasFound = true;
      seeking.refill();
    }
  return hasFound;
}

function seekOne(
  occupancy: Occupancy,
  chance: Chance,
  scarcity: Scarcity,
  rank: number,
  { hopeless, rounds, moves }: Seeking,
): Jostled {
  const { fleet } = occupancy;
  const placed = countPlaced(occupancy);
  const target = (placed[rank] ?? 0) + 1;
  const possible = fleet.replicas.filter((each) => each.want.rank === rank && !hopeless.has(each)).length;
  if (target > possible) return { found: false, moves: 0 };
  const steps = Math.min(stepsAtMost, rounds);
  const bound = boundPlaced(fleet, scarcity, { rank, placed, target, steps });
  if (bound.most < target - 1e-6) return { found: false, moves: 0 };
  const quest = { rank, least: placed.map((count, each) => (each < rank ? count : target)) };
  const packed = packSome(occupancy, chance, scarcity, bound, { ...quest, nodes: rounds * nodesForRound });
  if (packed !== "unknown") return { found: packed === "found", moves: 0 };
  return jostle(occupancy, chance, scarcity, bound, { ...quest, moves, hopeless });
}

/** `none` where the search came to its end. */
function packSome(
  occupancy: Occupancy,
  chance: Chance,
  scarcity: Scarcity,
  bound: ReturnType<typeof boundPlaced>,
  packing: Quest & { readonly nodes: number },
): "found" | "none" | "unknown" {
  const start = [...occupancy.spots];
  for (let each = 0; each < packings; each += 1) {
    const packer = new Packer(occupancy, scarcity, bound, chance, packing);
    const found = packer.run();
    if (found === "found") return found;
    occupancy.restore(start);
    if (found === "none") return found;
  }
  return "unknown";
}
