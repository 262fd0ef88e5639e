import { describe, expect, it } from "vitest";

import { boundByDevices } from "../../../../bench/placement/device-bound.mjs";
import { makeFeasibleFleet, makeFleet } from "../../../../bench/placement/fleets.mjs";
import { solve } from "../../../../bench/placement/oracle.mjs";
import { arrangeFleet } from "../../../../src/planner/fleet/arrangement.js";
import { boundPlaced } from "../../../../src/planner/fleet/bound.js";
import { findScarcity } from "../../../../src/planner/fleet/scarcity.js";

describe("boundPlaced", () => {
  it("is never less than what HiGHS proves to fit, and mostly the same", { timeout: 120_000 }, async () => {
    const gaps: number[] = [];
    for (let seed = 1; seed <= 16; seed += 1) {
      const problem = makeFleet({ seed, devices: 2 + (seed % 6), load: 1.1, deployments: 10, priorities: 1 });
      const best = await solve(problem, { seconds: 30, moreSeconds: 0.1 });
      const placed = Number(best["placed 0"]);
      const fleet = arrangeFleet(problem);
      const question = { rank: 0, placed: [0], target: placed, steps: 400 };
      const { most } = boundPlaced(fleet, findScarcity(fleet), question);
      expect(most, `fleet ${seed}`).toBeGreaterThanOrEqual(placed - 1e-6);
      gaps.push(Math.floor(most + 1e-6) - placed);
    }
    expect(gaps.filter((gap) => gap === 0).length).toBeGreaterThan(gaps.length / 2);
  });

  it("is never less than what was cut out of a fleet, however few its steps", () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const fleet = arrangeFleet(makeFeasibleFleet({ seed, devices: 12, load: 0.97 }));
      const placed = fleet.replicas.length;
      for (const steps of [1, 10, 100]) {
        const { most } = boundPlaced(fleet, findScarcity(fleet), { rank: 0, placed: [0], target: placed, steps });
        expect(most, `fleet ${seed}`).toBeGreaterThanOrEqual(placed - 1e-6);
      }
    }
  });
});

describe("the benchmark's bound of ways to fill a device", () => {
  it("is never less than what HiGHS proves to fit, and mostly the same or one more", { timeout: 120_000 }, async () => {
    const gaps: number[] = [];
    for (let seed = 1; seed <= 16; seed += 1) {
      const problem = makeFleet({ seed, devices: 2 + (seed % 6), load: 1.1, deployments: 10, priorities: 1 });
      const best = await solve(problem, { seconds: 30, moreSeconds: 0.1 });
      const placed = Number(best["placed 0"]);
      const most = await boundByDevices(problem, { iterations: 60 });
      expect(most, `fleet ${seed}`).toBeGreaterThanOrEqual(placed - 1e-6);
      gaps.push(Math.floor(most + 1e-6) - placed);
    }
    expect(gaps.filter((gap) => gap <= 1).length).toBeGreaterThan(gaps.length / 2);
  });

  it("is never less than what was cut out of a fleet, however few its iterations", async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const problem = makeFeasibleFleet({ seed, devices: 12, load: 0.97 });
      for (const iterations of [1, 10, 40]) {
        const most = await boundByDevices(problem, { iterations });
        expect(most, `fleet ${seed}`).toBeGreaterThanOrEqual(problem.demands.length - 1e-6);
      }
    }
  });
});
