import { describe, expect, it } from "vitest";

import { makeFleet } from "../../../../bench/placement/fleets.mjs";
import { solve } from "../../../../bench/placement/oracle.mjs";
import { planFleet } from "../../../../src/planner/fleet/plan.js";

describe("planFleet beside an integer program", () => {
  it("places as many replicas of each priority as HiGHS proves can be", { timeout: 120_000 }, async () => {
    for (let seed = 1; seed <= 24; seed += 1) {
      const problem = makeFleet({ seed, devices: 2 + (seed % 7), load: 0.9 + (seed % 5) * 0.05, deployments: 10 });
      const best = await solve(problem, { seconds: 30, moreSeconds: 0.1 });
      const { instances } = planFleet(problem);
      const priorities = new Map(problem.demands.map(({ deployment, priority = 0 }) => [deployment, priority]));
      for (const priority of new Set(priorities.values())) {
        const placed = instances.filter(({ deployment }) => priorities.get(deployment) === priority).length;
        expect(placed, `fleet ${seed}, priority ${priority}`).toBe(best[`placed ${priority}`]);
      }
    }
  });
});
