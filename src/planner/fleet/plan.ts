import { arrangeFleet } from "./arrangement.js";
import { isHome } from "./cost.js";
import type { Replica, Spot } from "./fleet.js";
import type { Occupancy } from "./occupancy.js";
import type { FleetPlan, FleetProblem, PlacedReplica } from "./problem.js";
import { refuse } from "./refusal.js";
import { searchPlan } from "./search.js";
import { findSurges } from "./surge.js";

/**
 * Decides which replica goes on which devices. In this order: all are placed, those of greater priority first; they
 * stay where they were; they run with the best option, on the fewest devices; then what each deployment's strategy
 * wishes. No device and no host gets more than it has room for. The same problem gives the same plan, in whatever order
 * its lists are. Pure.
 *
 * @param effort rounds of mending; as many as the fleet's size allows when left out
 */
export function planFleet(problem: FleetProblem, effort: { readonly rounds?: number } = {}): FleetPlan {
  const fleet = arrangeFleet(problem);
  const occupancy = searchPlan(fleet, effort.rounds);
  const instances = fleet.replicas.flatMap((replica) => {
    const spot = occupancy.spots[replica.index];
    return spot === undefined ? [] : [describePlace(occupancy, replica, spot)];
  });
  return { instances, refusals: refuse(occupancy), surges: findSurges(occupancy) };
}

function describePlace({ fleet }: Occupancy, replica: Replica, spot: Spot): PlacedReplica {
  const parts = spot.parts.map(({ bank, devices }) => ({
    host: fleet.hosts[bank.host]?.name ?? "",
    devices: devices.map((device) => fleet.devices[device]?.id ?? "").sort(),
  }));
  const { deployment } = replica.want.demand;
  return { deployment, replica: replica.number, option: spot.shape.option.name, parts, kept: isHome(replica, spot) };
}
