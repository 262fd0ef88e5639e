/** How near to the best plans there are: against HiGHS on small fleets, against what is known to fit on large ones. */
import { setImmediate } from "node:timers/promises";

import { planFleet } from "../../dist/planner/fleet/plan.js";
import { findViolations } from "../../dist/planner/fleet/violations.js";
import { round } from "../summary.mjs";
import { placeDecreasing } from "./baseline.mjs";
import { makeFeasibleFleet, makeFleet } from "./fleets.mjs";
import { solve } from "./oracle.mjs";

/** The sizes and loads of the small fleets: 4 to 16 devices, 0.9 to 1.1 of their memory. */
export function smallFleet(seed) {
  const size = { seed, devices: 4 + ((seed * 7) % 13), load: 0.9 + (0.2 * ((seed * 37) % 100)) / 100 };
  return makeFleet({ ...size, previous: seed % 3 === 0, priorities: seed % 2 === 0 ? 3 : 1 });
}

export async function compareWithOptimum({ from, fleets, seconds, moreSeconds, report, signal }) {
  const found = [];
  for (let seed = from; seed < from + fleets; seed += 1) {
    // The solver does not wait for anything, so nobody would hear a signal.
    await setImmediate();
    signal?.throwIfAborted();
    const problem = smallFleet(seed);
    const plan = planFleet(problem);
    const best = await solve(problem, { seconds, moreSeconds });
    const ours = objectivesOf(problem, plan);
    found.push({ seed, ...judge(ours, best), violations: findViolations(problem, plan).length });
    if (found.length % 10 === 0) report(`optimum: ${found.length} of ${fleets} fleets`);
  }
  return found;
}

/** The first objective in which a plan is not as good as the optimum, as far as that is proven. */
function judge(ours, best) {
  const names = Object.keys(best).filter((name) => name !== "proven");
  const placed = names.filter((name) => name.startsWith("placed"));
  const differs = names.find((name) => ours[name] !== best[name]);
  const missed = placed.find((name) => ours[name] !== best[name]);
  return {
    proven: best.proven,
    placedProven: placed.length === Object.keys(ours).filter((name) => name.startsWith("placed")).length,
    ratio: missed === undefined ? 1 : round(ours[missed] / best[missed], 4),
    ...(differs === undefined ? {} : { differs, ours: ours[differs], best: best[differs] }),
  };
}

function objectivesOf({ demands }, { instances }) {
  const known = instances.map((each) => {
    const demand = demands.find(({ deployment }) => deployment === each.deployment);
    return { ...each, demand, chosen: demand.options.find(({ name }) => name === each.option) };
  });
  const priorities = [...new Set(demands.map(({ priority = 0 }) => priority))].sort((a, b) => b - a);
  const sum = (value) => known.reduce((total, each) => total + value(each), 0);
  return {
    ...Object.fromEntries(
      priorities.map((priority) => [
        `placed ${priority}`,
        sum(({ demand }) => Number((demand.priority ?? 0) === priority)),
      ]),
    ),
    kept: sum(({ kept }) => Number(kept)),
    stages: -sum(({ chosen }) => chosen.stage),
    devices: -sum(({ chosen: { hosts = 1, devices } }) => hosts * devices),
  };
}

/** Fleets in which everything is known to fit, so the bound is the number of replicas; and tight ones beside first and best fit. */
export function compareLarge({ report }) {
  const found = [];
  for (const devices of [50, 100, 250, 500, 1000])
    for (let seed = 1; seed <= 3; seed += 1)
      for (const [kind, load] of [
        ["feasible", 0.9],
        ["feasible", 0.97],
        ["tight", 0.95],
        ["tight", 1.05],
      ]) {
        const problem =
          kind === "feasible"
            ? makeFeasibleFleet({ seed, devices, load })
            : makeFleet({ seed, devices, load, priorities: 1, deployments: Math.max(45, devices / 2) });
        const asked = problem.demands.reduce((sum, { replicas }) => sum + replicas, 0);
        const placed = planFleet(problem).instances.length;
        const [firstFit, bestFit] = [placeDecreasing(problem, "first"), placeDecreasing(problem, "best")];
        found.push({ devices, seed, kind, load, asked, placed, firstFit, bestFit });
        if (seed === 3)
          report(
            `${devices} devices, ${kind} ${load}: ${placed} of ${asked}; first fit ${firstFit}, best fit ${bestFit}`,
          );
      }
  return found;
}
