import { describe, expect, it } from "vitest";

import { fleetHost, stockOf } from "../../../src/planner/fleet-hosts.js";
import type { HostEntry } from "../../../src/schema/stack.js";
import { gpu, gpuHost } from "../support/gpus.js";
import { knownHost } from "../support/problems.js";

const gib = 2 ** 30;
const owner = "shop/dev";

function devicesOf(
  known: ReturnType<typeof gpuHost>,
  reserved?: HostEntry["reserved"],
  previous?: ReturnType<typeof mine>,
) {
  return fleetHost({ owner, name: "box", entry: { reserved }, known, previous, models: [] }).devices;
}

const freeOf = (...of: Parameters<typeof devicesOf>) => devicesOf(...of).map(({ freeBytes }) => freeBytes / gib);
const mine = (uuid: string) => ({ instances: { "chat-0": { host: "box", devices: [uuid] } } });

describe("a host of the fleet", () => {
  it("has the memory of its accelerators, without what is reserved of each, and of its own", () => {
    expect(freeOf(gpuHost(2))).toEqual([80, 80]);
    expect(freeOf(gpuHost(2), { vramBytes: 2 * gib, ramBytes: 0 })).toEqual([78, 78]);
    const reserved = { vramBytes: 0, ramBytes: 12 * gib };
    expect(
      fleetHost({ owner, name: "box", entry: { reserved }, known: gpuHost(1), previous: undefined, models: [] }),
    ).toMatchObject({ name: "box", labels: { host: "box" }, ramBytes: 500 * gib });
  });

  it("is without what processes use that are not the stack's own, which nothing can then have whole", () => {
    const process = { pid: 1, name: "python", memoryBytes: 3 * gib };
    const accelerators = [
      { uuid: "GPU-0", memoryUsedBytes: 4 * gib, processes: [process] },
      {
        uuid: "GPU-1",
        memoryUsedBytes: 60 * gib,
        processes: [{ ...process, memoryBytes: 59 * gib, instance: "chat-0" }],
      },
      { uuid: "GPU-2", memoryUsedBytes: 0, processes: [] },
    ];
    const devices = devicesOf(gpuHost(3, { accelerators }));
    expect(devices.map(({ freeBytes, hasOthers = false }) => [freeBytes / gib, hasOthers])).toEqual([
      [76, true],
      [79, false],
      [80, false],
    ]);
  });

  it("counts what is in use as somebody else's where the vendor's tool tells no processes, but on its own devices", () => {
    const used = gpuHost(2, { accelerators: [{ uuid: "GPU-0", memoryUsedBytes: 20 * gib }] });
    expect(freeOf(used)).toEqual([60, 80]);
    expect(freeOf(used, undefined, mine("GPU-0"))).toEqual([80, 80]);
    expect(devicesOf(used).map(({ hasOthers }) => hasOthers)).toEqual([true, undefined]);
  });

  it("has nothing of a device that another stack has claimed", () => {
    const claims = [
      { device: "GPU-0", owner: "shop/prod", instance: "chat-0" },
      { device: "GPU-1", owner, instance: "chat-0" },
    ];
    expect(freeOf(gpuHost(2, { claims }))).toEqual([0, 80]);
  });

  it("has the rest of a device of which another stack has a part, and not as a whole", () => {
    const part = { device: "GPU-0", bytes: 30 * gib, owner: "shop/prod", instance: "chat-0" };
    const process = { pid: 7, name: "engine", memoryBytes: 29 * gib, instance: "chat-0" };
    const stranger = { pid: 8, name: "python", memoryBytes: 5 * gib };
    const accelerators = [{ uuid: "GPU-0", memoryUsedBytes: 34 * gib, processes: [process, stranger] }];
    expect(devicesOf(gpuHost(1, { accelerators, claims: [part] }))).toMatchObject([
      { freeBytes: 45 * gib, hasOthers: true },
    ]);
  });

  it("gives out the parts of a device that is divided, and not those that work in the host's memory", () => {
    const part = { index: 0, gpuInstance: 1, computeInstance: 0, memoryBytes: 10 * gib };
    const mig = { mode: "enabled" as const, devices: [{ ...part, uuid: "MIG-1" }] };
    const accelerators = [gpu(0, { mig }), gpu(1, { unifiedMemory: true })];
    const known = knownHost("/d", { facts: { accelerators } });
    expect(devicesOf(known)).toMatchObject([{ id: "MIG-1", totalBytes: 10 * gib, isSlice: true }]);
    expect(stockOf("cuda", [known.facts])).toMatchObject({ mostPerHost: 1, totals: [10 * gib] });
  });
});

describe("what hosts of one kind have", () => {
  it("is the most devices of one host, and each size", () => {
    const smaller = knownHost("/d", { facts: { accelerators: [gpu(0, { memoryBytes: 24 * gib })] } });
    expect(stockOf("cuda", [gpuHost(4).facts, smaller.facts])).toEqual({
      kind: "devices",
      type: "cuda",
      mostPerHost: 4,
      totals: [80 * gib, 24 * gib],
    });
  });

  it("is nothing where no host has a device of the type, or only those that work in the host's memory", () => {
    expect(stockOf("rocm", [gpuHost(4).facts])).toEqual({ kind: "none", isUnified: false });
    const apple = gpu(0, { type: "metal", unifiedMemory: true });
    expect(stockOf("metal", [{ accelerators: [apple] }])).toEqual({ kind: "none", isUnified: true });
  });
});
