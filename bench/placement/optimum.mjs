/** How near to the best plans there are: against HiGHS on small fleets, against what is known to fit on large ones. */
import { setImmediate } from "node:timers/promises";

import { planFleet } from "../../dist/planner/fleet/plan.js";
import { findViolations } from "../../dist/planner/fleet/violations.js";
import { round } from "../summary.mjs";
import { placeDecreasing } from "./baseline.mjs";
import { boundByDevices } from "./device-bound.mjs";
import { makeFeasibleFleet, makeFleet } from "./fleets.mjs";
import { enclose, solve } from "./oracle.mjs";

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

/** How many of the optimum's replicas the bound of large fleets says too much, where HiGHS proves the optimum. */
export async function measureLooseness({ seconds, report, signal }) {
  const found = [];
  for (const devices of [16, 24, 32])
    for (const seed of [1, 2, 3])
      for (const load of [0.95, 1.05]) {
        await setImmediate();
        signal?.throwIfAborted();
        const problem = makeFleet({ seed, devices, load, priorities: 1, deployments: Math.round(0.9 * devices) });
        const { least, most } = await enclose(problem, { seconds });
        const bound = await boundOf(problem);
        const placed = planFleet(problem).instances.length;
        found.push({ devices, seed, load, placed, optimum: least, isProven: least === most, bound });
      }
  for (const devices of [16, 24, 32]) {
    const own = found.filter((each) => each.devices === devices && each.isProven);
    const sum = (name) => own.reduce((total, each) => total + each[name], 0);
    report(`${devices} devices: plans ${sum("placed")}, proven ${sum("optimum")}, bound ${sum("bound")}`);
  }
  return found;
}

/** Above 250 devices the linear program takes minutes, so nothing is known there. */
function boundOfTight(problem, devices) {
  return devices > 250 ? undefined : boundOf(problem, devices > 100 ? 70 : 150);
}

async function boundOf(problem, iterations = 150) {
  return Math.floor((await boundByDevices(problem, { iterations })) + 1e-6);
}

/** Fleets in which everything is known to fit, so the bound is the number of replicas; and tight ones, which have a bound of ways to fill devices. */
export async function compareLarge({ report, signal }) {
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
        await setImmediate();
        signal?.throwIfAborted();
        const placed = planFleet(problem).instances.length;
        const bound = kind === "feasible" ? asked : await boundOfTight(problem, devices);
        const [firstFit, bestFit] = [placeDecreasing(problem, "first"), placeDecreasing(problem, "best")];
        found.push({
          devices,
          seed,
          kind,
          load,
          asked,
          placed,
          ...(bound === undefined ? {} : { bound, ratio: round(placed / bound, 4) }),
          firstFit,
          bestFit,
        });
        if (seed === 3)
          report(
            `${devices} devices, ${kind} ${load}: ${placed} of ${asked}, bound ${bound ?? "unknown"}; first fit ${firstFit}, best fit ${bestFit}`,
          );
      }
  return found;
}
