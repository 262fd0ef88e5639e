import type { FleetDevice, PlacementOption } from "./problem.js";

/** Whether a device is one that an option can use. A device that tells none meets no rule. Pure. */
export function meetsCapability(has: FleetDevice["capability"], wants: PlacementOption["capability"]): boolean {
  if (wants === undefined) return true;
  if (has === undefined) return false;
  return "atLeast" in wants ? compareDotted(has, wants.atLeast) >= 0 : wants.includes(has);
}

function compareDotted(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split(".").map(Number));
  for (let place = 0; place < Math.max(left?.length ?? 0, right?.length ?? 0); place += 1) {
    const difference = (left?.[place] ?? 0) - (right?.[place] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
