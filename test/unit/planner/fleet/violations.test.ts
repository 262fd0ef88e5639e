import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";

import type { Demand, FleetPlan, FleetProblem, PlacedReplica } from "../../../../src/planner/fleet/problem.js";
import { findViolations } from "../../../../src/planner/fleet/violations.js";

const option = { name: "tp1", stage: 0, devices: 1, bytesPerDevice: 40, ramBytes: 10 };
const problemOf = (changes: Partial<Demand>, replicas = 1): FleetProblem => ({
  hosts: ["one", "two"].map((name, index) => ({
    name,
    labels: { zone: name },
    ramBytes: 25,
    maxInstances: 2,
    devices: [
      { id: "g0", type: "cuda", capability: "9.0", totalBytes: 100, freeBytes: 90, linkGroup: 0 },
      {
        id: "g1",
        type: index === 0 ? "cuda" : "rocm",
        totalBytes: 100,
        freeBytes: 90,
        linkGroup: index,
        hasOthers: true,
      },
      { id: "g2", type: "cuda", capability: "8.0", totalBytes: 100, freeBytes: 90, isSlice: true },
    ],
  })),
  demands: [{ deployment: "a", replicas, hostSelector: {}, strategy: "spread", options: [option], ...changes }],
});
const at = (host: string, devices: readonly string[], replica = 0): PlacedReplica => {
  return { deployment: "a", replica, option: "tp1", parts: [{ host, devices }], kept: false };
};
const check = (changes: Partial<Demand>, instances: readonly PlacedReplica[], replicas = instances.length) => {
  const plan: FleetPlan = { instances, refusals: [], surges: [] };
  return findViolations(problemOf(changes, replicas), plan);
};
type Wrong = readonly [what: string, changes: Partial<Demand>, instances: readonly PlacedReplica[]];
const two = { options: [{ ...option, devices: 2 }] };

describe("findViolations", () => {
  it("finds nothing in a plan that holds", () => {
    expect(check({}, [at("one", ["g0"]), at("one", ["g0"], 1)])).toEqual([]);
  });

  it.each<Wrong>([
    ["two bytes too many", { options: [{ ...option, bytesPerDevice: 46 }] }, [at("one", ["g0"]), at("one", ["g0"], 1)]],
    ["a share", { options: [{ ...option, share: 0.95 }] }, [at("one", ["g0"])]],
    ["a share that is too small", { options: [{ ...option, share: 0.3 }] }, [at("one", ["g0"])]],
    ["RAM", { options: [{ ...option, ramBytes: 13 }] }, [at("one", ["g0"]), at("one", ["g1"], 1)]],
    ["instances", { options: [{ ...option, ramBytes: 0 }] }, [0, 1, 2].map((each) => at("one", [`g${each}`], each))],
    ["labels", { hostSelector: { zone: "two" } }, [at("one", ["g0"])]],
    ["labels not to have", { hostSelector: { zone: { notIn: ["one"] } } }, [at("one", ["g0"])]],
    ["the type", { options: [{ ...option, acceleratorType: "rocm" }] }, [at("one", ["g0"])]],
    ["the capability", { options: [{ ...option, capability: { atLeast: "10.0" } }] }, [at("one", ["g0"])]],
    ["an unknown capability", { options: [{ ...option, capability: ["9.0"] }] }, [at("one", ["g1"])]],
    ["types that differ", two, [at("two", ["g0", "g1"])]],
    ["a slice", two, [at("one", ["g0", "g2"])]],
    ["groups", { options: [{ ...option, devices: 2, sameGroup: "pcie" }] }, [at("one", ["g0", "g1"])]],
    ["a device twice", two, [at("one", ["g0", "g0"])]],
    ["too few devices", two, [at("one", ["g0"])]],
    ["others on the device", { options: [{ ...option, exclusive: true }] }, [at("one", ["g1"])]],
    ["not alone", { options: [{ ...option, exclusive: true }] }, [at("one", ["g0"]), at("one", ["g0"], 1)]],
    ["not apart", { apartFrom: ["a"] }, [at("one", ["g0"]), at("one", ["g1"], 1)]],
    ["two of a kind", { options: [{ ...option, oncePerHost: "x" }] }, [at("one", ["g0"]), at("one", ["g1"], 1)]],
    ["devices that nobody named", { devices: { one: ["g1"] } }, [at("one", ["g0"])]],
    ["a device that is not there", {}, [at("one", ["g9"])]],
    ["a replica twice", {}, [at("one", ["g0"]), at("two", ["g0"])]],
  ])("finds %s", (_what, changes, instances) => {
    expect(check(changes, instances)).not.toEqual([]);
  });

  it("finds a replica that is neither placed nor refused, and one that did not stay", () => {
    expect(check({}, [], 1)).not.toEqual([]);
    expect(check({}, [{ ...at("one", ["g0"]), kept: true }])).not.toEqual([]);
    const previous = [{ replica: 0, parts: [{ host: "one", devices: ["g0"] }] }];
    expect(check({ previous }, [at("one", ["g0"])])).not.toEqual([]);
  });

  it("shares nothing with the planner but the form of problem and plan", async () => {
    const text = await readFile("src/planner/fleet/violations.ts", "utf8");
    expect([...text.matchAll(/from "([^"]+)"/g)].map(([, from]) => from)).toEqual(["./problem.js"]);
    expect(text).not.toMatch(/import (?!type )/);
  });
});
