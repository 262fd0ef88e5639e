import { describe, expect, it } from "vitest";

import { makeFeasibleFleet, makeFleet, randomFrom } from "../../../../bench/placement/fleets.mjs";
import { planFleet } from "../../../../src/planner/fleet/plan.js";
import type { Demand, FleetDevice, FleetHost, FleetProblem } from "../../../../src/planner/fleet/problem.js";
import { findViolations } from "../../../../src/planner/fleet/violations.js";

const GiB = 2 ** 30;

const device = (id: string, changes: Partial<FleetDevice> = {}): FleetDevice => ({
  id,
  type: "cuda",
  capability: "9.0",
  totalBytes: 80 * GiB,
  freeBytes: 80 * GiB,
  ...changes,
});
const host = (name: string, devices: readonly FleetDevice[], changes: Partial<FleetHost> = {}): FleetHost => ({
  name,
  labels: {},
  ramBytes: 256 * GiB,
  devices,
  ...changes,
});
const option = (devices: number, gib: number, changes: Partial<Demand["options"][number]> = {}) => ({
  name: `tp${devices}`,
  stage: 0,
  devices,
  bytesPerDevice: gib * GiB,
  ramBytes: GiB,
  ...changes,
});
const demand = (deployment: string, changes: Partial<Demand> = {}): Demand => ({
  deployment,
  replicas: 1,
  hostSelector: {},
  strategy: "spread",
  options: [option(1, 20)],
  ...changes,
});

/** Where replicas are: `a-0: one g0 g1`. */
function placesOf(problem: FleetProblem): string[] {
  const plan = planFleet(problem);
  expect(findViolations(problem, plan)).toEqual([]);
  return plan.instances.map(({ deployment, replica, parts }) => {
    const places = parts.map((part) => [part.host, ...part.devices].join(" "));
    return `${deployment}-${replica}: ${places.join(", ")}`;
  });
}

describe("planFleet", () => {
  it("spreads replicas over hosts, and packs those that should be packed", () => {
    const hosts = ["one", "two"].map((name) => host(name, [device("g0"), device("g1")]));
    const spread = demand("a", { replicas: 2 });
    expect(placesOf({ hosts, demands: [spread] })).toEqual(["a-0: one g0", "a-1: two g0"]);
    expect(placesOf({ hosts, demands: [{ ...spread, strategy: "binpack" }] })).toEqual(["a-0: one g0", "a-1: one g0"]);
  });

  it("takes a host that has the model before one that is as good", () => {
    const hosts = [host("one", [device("g0")]), host("two", [device("g0")], { models: ["qwen"] })];
    expect(placesOf({ hosts, demands: [demand("a", { model: "qwen" })] })).toEqual(["a-0: two g0"]);
  });

  it("takes more devices where fewer have no room, and no more than it has to", () => {
    const half = { freeBytes: 30 * GiB };
    const options = [option(1, 40), option(2, 22), option(4, 12)];
    const hosts = [
      host(
        "one",
        ["g0", "g1", "g2", "g3"].map((id) => device(id, half)),
      ),
    ];
    expect(placesOf({ hosts, demands: [demand("a", { options })] })).toEqual(["a-0: one g0 g1"]);
  });

  it("never joins devices of several types or groups, nor slices", () => {
    const options = [option(2, 10, { sameGroup: "link" })];
    const cuda = device("g0", { linkGroup: 0 });
    const others = {
      type: device("g1", { type: "rocm", linkGroup: 0 }),
      group: device("g1", { linkGroup: 1 }),
      slice: device("g1", { linkGroup: 0, isSlice: true }),
      none: device("g1"),
    };
    for (const other of Object.values(others))
      expect(placesOf({ hosts: [host("one", [cuda, other])], demands: [demand("a", { options })] })).toEqual([]);
  });

  it("gives whole devices to those that want them, and none that others use", () => {
    const options = [option(1, 10, { exclusive: true })];
    const hosts = [host("one", [device("g0", { hasOthers: true }), device("g1")])];
    expect(placesOf({ hosts, demands: [demand("a", { options, replicas: 2 }), demand("b")] })).toEqual([
      "a-0: one g1",
      "b-0: one g0",
    ]);
  });

  it("gives a share of a device that is enough, as an engine takes it", () => {
    const options = [option(1, 50, { share: 0.9 })];
    const small = device("g0", { totalBytes: 40 * GiB, freeBytes: 40 * GiB });
    const problem = { hosts: [host("one", [small, device("g1")])], demands: [demand("a", { options }), demand("b")] };
    expect(placesOf(problem)).toEqual(["a-0: one g1", "b-0: one g0"]);
    const alone = demand("a", { options: [option(1, 50, { share: 0.9, exclusive: true })] });
    expect(placesOf({ hosts: [host("one", [small])], demands: [alone] })).toEqual([]);
  });

  it("runs a distributed instance on several hosts, one of its kind on each", () => {
    const options = [option(2, 60, { hosts: 2, oncePerHost: "vllm" })];
    const hosts = ["one", "two", "three", "four"].map((name) => host(name, [device("g0"), device("g1")]));
    const places = placesOf({ hosts, demands: [demand("a", { options, replicas: 2 })] });
    expect(places).toEqual(["a-0: four g0 g1, one g0 g1", "a-1: three g0 g1, two g0 g1"]);
  });

  it("places what counts more at the cost of what counts less", () => {
    const hosts = [host("one", [device("g0")])];
    const options = [option(1, 60)];
    const demands = [demand("a", { options }), demand("z", { options, priority: 1 })];
    expect(placesOf({ hosts, demands })).toEqual(["z-0: one g0"]);
  });

  it("moves nothing of a plan that holds, when nothing changes and when a deployment comes that has room", () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const problem = makeFeasibleFleet({ seed, devices: 24, load: 0.9 });
      const first = planFleet(problem);
      expect(first.refusals).toEqual([]);
      const demands = problem.demands.map((each) => {
        const previous = first.instances.filter(({ deployment }) => deployment === each.deployment);
        return { ...each, previous };
      });
      const places = first.instances.map((each) => ({ ...each, kept: true }));
      expect(planFleet({ ...problem, demands }).instances).toEqual(places);
      const added = demand("added", { options: [option(0, 0)] });
      const more = planFleet({ ...problem, demands: [added, ...demands] }).instances;
      expect(more.filter(({ deployment }) => deployment !== "added")).toEqual(places);
      expect(more).toHaveLength(places.length + 1);
    }
  });

  it("moves what is there only when something else could not be placed", () => {
    const hosts = [
      host("one", [device("g0")], { labels: { pool: "a" } }),
      host("two", [device("g0")], { labels: { pool: "b" } }),
    ];
    const there = demand("there", {
      options: [option(1, 50)],
      previous: [{ replica: 0, parts: [{ host: "one", devices: ["g0"] }] }],
    });
    const added = demand("added", { options: [option(1, 50)] });
    expect(placesOf({ hosts, demands: [there, added] })).toEqual(["added-0: two g0", "there-0: one g0"]);
    const bound = { ...added, hostSelector: { pool: "a" } };
    expect(placesOf({ hosts, demands: [there, bound] })).toEqual(["added-0: one g0", "there-0: two g0"]);
  });

  it(
    "moves nothing and places no more of a small fleet that has refusals, when nothing changes",
    { timeout: 120_000 },
    () => {
      for (let seed = 1; seed <= 12; seed += 1) {
        const problem = makeFleet({
          seed,
          devices: 2 + (seed % 4),
          load: 1.2,
          deployments: 8,
          priorities: 1 + (seed % 2),
        });
        const first = planFleet(problem);
        const demands = problem.demands.map((each) => {
          const previous = first.instances.filter(({ deployment }) => deployment === each.deployment);
          return { ...each, previous };
        });
        const places = first.instances.map((each) => ({ ...each, kept: true }));
        expect(planFleet({ ...problem, demands }).instances, `fleet ${seed}`).toEqual(places);
      }
    },
  );

  it("gives the same bytes for every order of its input", { timeout: 120_000 }, () => {
    for (let seed = 1; seed <= 4; seed += 1) {
      const problem = makeFleet({ seed, devices: 12, load: 1, previous: true });
      const text = JSON.stringify(planFleet(problem, { rounds: 100 }));
      for (let order = 1; order <= 25; order += 1)
        expect(JSON.stringify(planFleet(shuffle(problem, order), { rounds: 100 }))).toBe(text);
    }
  });

  it("breaks no rule in 10,000 plans", { timeout: 120_000 }, () => {
    const found: string[] = [];
    for (let seed = 1; seed <= 10_000; seed += 1) {
      const random = randomFrom(seed);
      const size = { seed, devices: 1 + random.below(6), load: 0.5 + random.next() * 0.7 };
      const problem = makeFleet({ ...size, deployments: 5, previous: seed % 2 === 0 });
      found.push(...findViolations(problem, planFleet(problem, { rounds: 5 })).map((each) => `${seed}: ${each}`));
    }
    expect(found).toEqual([]);
  });

  it("finds a place for everything where there is one", () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const problem = makeFeasibleFleet({ seed, devices: 4 + (seed % 13), load: 0.95 });
      expect(planFleet(problem).refusals, `fleet ${seed}`).toEqual([]);
    }
  });

  it("says which updates have room for a replica more", () => {
    const hosts = [host("one", [device("g0")])];
    const demands = [
      demand("a", { surge: 1, options: [option(1, 50)] }),
      demand("b", { surge: 2, options: [option(1, 20)] }),
    ];
    expect(planFleet({ hosts, demands }).surges).toEqual([
      { deployment: "a", wanted: 1, fits: 0 },
      { deployment: "b", wanted: 2, fits: 0 },
    ]);
  });
});

function shuffle({ hosts, demands }: FleetProblem, seed: number): FleetProblem {
  const random = randomFrom(seed);
  return {
    hosts: random.shuffle(hosts).map((each) => ({ ...each, devices: random.shuffle(each.devices) })),
    demands: random.shuffle(demands).map((each) => ({
      ...each,
      options: random.shuffle(each.options),
      ...(each.previous === undefined ? {} : { previous: random.shuffle(each.previous) }),
    })),
  };
}
