import { describe, expect, it } from "vitest";

import { BerthError } from "../../../../src/lib/errors.js";
import { planFleet } from "../../../../src/planner/fleet/plan.js";
import type { Demand, FleetHost } from "../../../../src/planner/fleet/problem.js";
import { describeLack, describeRefusal } from "../../../../src/planner/fleet/refusal-text.js";

const GiB = 2 ** 30;
const host = (name: string, free: readonly number[], changes: Partial<FleetHost> = {}): FleetHost => ({
  name,
  labels: { pool: "h100" },
  ramBytes: 64 * GiB,
  devices: free.map((gib, index) => ({
    id: `g${index}`,
    type: "cuda",
    totalBytes: 80 * GiB,
    freeBytes: gib * GiB,
    linkGroup: Math.floor(index / 2),
  })),
  ...changes,
});
const option = (devices: number, gib: number, changes: Partial<Demand["options"][number]> = {}) => ({
  name: `tp${devices}`,
  stage: 0,
  devices,
  bytesPerDevice: gib * GiB,
  ramBytes: 4 * GiB,
  ...changes,
});
const demand = (changes: Partial<Demand>): Demand => ({
  deployment: "chat",
  replicas: 1,
  hostSelector: {},
  strategy: "spread",
  options: [option(1, 60)],
  ...changes,
});
const refusalOf = (hosts: readonly FleetHost[], ...demands: readonly Demand[]) =>
  planFleet({ hosts, demands }).refusals[0];

describe("refusals", () => {
  it("tell what is needed, what the best host has, and which change makes it fit", () => {
    const remedies = [
      { change: "contextLength: 16384", option: option(1, 50) },
      { change: "contextLength: 8192", option: option(1, 40) },
      { change: "cacheType: q8_0", option: option(1, 38) },
    ];
    const refusal = refusalOf([host("one", [20, 42]), host("two", [30])], demand({ remedies }));
    expect(refusal).toMatchObject({
      deployment: "chat",
      replicas: [0],
      reason: "memory",
      needs: { devices: 1, bytesPerDevice: 60 * GiB },
      best: { host: "one", bytesPerDevice: 42 * GiB },
      fitsAlone: false,
      remedies: ["contextLength: 8192", "cacheType: q8_0"],
    });
  });

  it("read as errors do", () => {
    const refusal = refusalOf([host("one", [20, 42])], demand({}));
    if (refusal === undefined) throw new Error("nothing was refused");
    expect(new BerthError("host-unsuitable", describeRefusal(refusal)).message).toBe(
      [
        "deployment chat: replica 0 has no place: no host has enough free memory on its devices",
        "  got: host one has 1 × 42.0 GiB and 64.0 GiB of RAM",
        "  expected: 1 × 60.0 GiB and 4.0 GiB of RAM (tp1)",
        "  to do: it lacks 18.0 GiB on each device; add a host with 1 × 60.0 GiB and 4.0 GiB of RAM",
      ].join("\n"),
    );
  });

  it.each([
    ["selector", demand({ hostSelector: { pool: "a100" } })],
    ["accelerator", demand({ options: [option(1, 10, { acceleratorType: "rocm" })] })],
    ["accelerator", demand({ options: [option(8, 10)] })],
    ["memory", demand({ options: [option(2, 81)] })],
    ["ram", demand({ options: [option(1, 10, { ramBytes: 65 * GiB })] })],
    ["group", demand({ options: [option(3, 10, { sameGroup: "link" })] })],
    ["hosts", demand({ options: [option(2, 10, { hosts: 2 })] })],
    ["apart", demand({ replicas: 2, apartFrom: ["chat"], options: [option(1, 10)] })],
  ] as const)("name what is in the way: %s", (reason, asked) => {
    expect(refusalOf([host("one", [80, 80, 80, 80])], asked)?.reason).toBe(reason);
  });

  it("name what is in the way where others are: no device alone, no instance more", () => {
    const small = demand({ deployment: "a", priority: 1, options: [option(1, 10)] });
    const alone = demand({ options: [option(1, 10, { exclusive: true })] });
    expect(refusalOf([host("one", [80])], small, alone)).toMatchObject({ reason: "whole", fitsAlone: true });
    const full = host("one", [80], { maxInstances: 1 });
    expect(refusalOf([full], small, demand({ options: [option(1, 10)] }))?.reason).toBe("instances");
  });
});

describe("what is in the way on one host", () => {
  it("is that it is one, where an instance has to have several", () => {
    const needs = { hosts: 2, devices: 0, bytesPerDevice: 0, ramBytes: 2 * GiB };
    const refusal = { deployment: "chat", replicas: [0], option: "hosts2", needs, fitsAlone: false, remedies: [] };
    const several = { ...refusal, reason: "hosts" } as const;
    expect(describeLack(several)).toBe("alone it is not enough; needed are 2 hosts with 2.0 GiB of RAM (hosts2)");
    const nothing = { ...several, needs: { ...needs, ramBytes: 0 } };
    expect(describeRefusal(nothing)).toMatchObject({ got: "fewer", expected: "2 hosts (hosts2)", hint: "add 2 hosts" });
  });
});
