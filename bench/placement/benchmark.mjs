import { fileURLToPath } from "node:url";

import { execa } from "execa";

import { planFleet } from "../../dist/planner/fleet/plan.js";
import { findViolations } from "../../dist/planner/fleet/violations.js";
import { round } from "../summary.mjs";
import { makeFeasibleFleet, makeFleet, randomFrom } from "./fleets.mjs";
import { compareLarge, compareWithOptimum, measureLooseness } from "./optimum.mjs";

const speed = fileURLToPath(new URL("speed.mjs", import.meta.url));
const limits = {
  p95Ms: { small: 50, medium: 1000, large: 15_000, added: 100 },
  largeMiB: 1024,
  optimum: 0.99,
  bound: 0.98,
  /** Time for each device, beyond the logarithm: the largest fleet's to the best of the others. */
  growth: 1.5,
};
const plansChecked = 10_000;

/**
 * How good plans for fleets are, and how long they take.
 *
 * @param {{ report: (line: string) => void, signal: AbortSignal }} options
 * @returns {Promise<{ failures: string[] }>} the result; `failures` tells the limits that do not hold
 */
export async function measure({ report, signal }) {
  const times = {};
  for (const part of ["small", "medium", "large", "added", "growth"]) {
    const { stdout } = await execa(process.execPath, [speed, part], { cancelSignal: signal });
    times[part] = JSON.parse(stdout);
    report(`${part}: ${stdout}`);
  }
  const checked = check(report);
  const large = await compareLarge({ report, signal });
  const looseness = await measureLooseness({ seconds: 10, report, signal });
  const small = await compareWithOptimum({ from: 1, fleets: 200, seconds: 2, moreSeconds: 0.5, report, signal });
  return judge({ times, checked, large, looseness, small });
}

/** Plans of small fleets, checked by counting up anew, and shuffled. */
function check(report) {
  let violations = 0;
  for (let seed = 1; seed <= plansChecked; seed += 1) {
    const random = randomFrom(seed);
    const [devices, load] = [1 + random.below(12), 0.5 + random.next() * 0.7];
    const problem =
      seed % 5 === 0
        ? makeFeasibleFleet({ seed, devices, load: 0.95 })
        : makeFleet({ seed, devices, load, deployments: 12, previous: seed % 2 === 0 });
    violations += findViolations(problem, planFleet(problem, { rounds: 20 })).length;
  }
  report(`${plansChecked} plans: ${violations} violations`);
  return { plans: plansChecked, violations };
}

/** What the figures come to. */
export function judge({ times, checked, large, looseness, small }) {
  const proven = small.filter(({ placedProven }) => placedProven);
  const feasible = large.filter(({ kind }) => kind === "feasible");
  const tight = large.filter(({ kind, bound }) => kind === "tight" && bound !== undefined);
  const summary = {
    p95Ms: Object.fromEntries(["small", "medium", "large", "added"].map((part) => [part, times[part].p95Ms])),
    largeMiB: times.large.peakMiB,
    growth: round(times.growth.at(-1).perDeviceLogUs / Math.min(...times.growth.map((each) => each.perDeviceLogUs))),
    optimum: {
      fleets: small.length,
      proven: proven.length,
      leastRatio: Math.min(...small.map(({ ratio }) => ratio)),
      below: small.filter(({ ratio }) => ratio < limits.optimum).map(({ seed }) => seed),
      allObjectives: small.filter(({ proven: all, differs }) => all && differs === undefined).length,
      allObjectivesProven: small.filter(({ proven: all }) => all).length,
    },
    bound: {
      leastOfFeasible: round(Math.min(...feasible.map(({ placed, asked }) => placed / asked)), 4),
      leastOfTight: Math.min(...tight.map(({ ratio }) => ratio)),
      meanOfTight: Object.fromEntries(
        [...new Set(tight.map(({ devices }) => devices))].map((devices) => [
          devices,
          round(mean(tight.filter((each) => each.devices === devices).map(({ ratio }) => ratio)), 4),
        ]),
      ),
      // What the bound itself is off by, so no plan can have more of it than this.
      optimumOfBound: Object.fromEntries(
        [...new Set(looseness.map(({ devices }) => devices))].map((devices) => [
          devices,
          describeLooseness(looseness.filter((each) => each.devices === devices && each.isProven)),
        ]),
      ),
      belowFitDecreasing: large.filter(({ placed, firstFit, bestFit }) => placed < Math.max(firstFit, bestFit)).length,
      meanToFitDecreasing: round(
        mean(large.map(({ placed, firstFit, bestFit }) => placed / Math.max(firstFit, bestFit))),
        3,
      ),
    },
    checked,
  };
  return { summary, times, large, looseness, small, limits, failures: failuresOf(summary, times) };
}

function describeLooseness(proven) {
  const sum = (name) => proven.reduce((total, each) => total + each[name], 0);
  return {
    proven: proven.length,
    least: round(Math.min(...proven.map(({ optimum, bound }) => optimum / bound)), 4),
    mean: round(sum("optimum") / sum("bound"), 4),
    planOfOptimum: round(sum("placed") / sum("optimum"), 4),
  };
}

function failuresOf({ p95Ms, largeMiB, growth, optimum, bound, checked }, times) {
  const failures = Object.entries(limits.p95Ms)
    .filter(([part, most]) => p95Ms[part] > most)
    .map(([part, most]) => `${part}: ${p95Ms[part]} ms; expected at most ${most}`);
  const expect = (holds, what) => {
    if (!holds) failures.push(what);
  };
  expect(largeMiB <= limits.largeMiB, `${largeMiB} MiB; expected at most ${limits.largeMiB}`);
  expect(times.added.mostMoves === 0, `${times.added.mostMoves} unrelated moves; expected none`);
  expect(growth <= limits.growth, `growth ${growth} beyond n log n; expected at most ${limits.growth}`);
  expect(optimum.below.length === 0, `below the optimum: fleets ${optimum.below.join(", ")}`);
  expect(bound.leastOfFeasible >= limits.bound, `${bound.leastOfFeasible} of the bound; expected ${limits.bound}`);
  expect(bound.leastOfTight >= limits.bound, `tight: ${bound.leastOfTight} of the bound; expected ${limits.bound}`);
  expect(bound.belowFitDecreasing === 0, `${bound.belowFitDecreasing} plans below first or best fit decreasing`);
  expect(checked.violations === 0, `${checked.violations} violations`);
  return failures;
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
