import { describe, expect, it } from "vitest";

import { judgeHeld, leastMemory, type ModelShare } from "../../../src/health/device-memory.js";
import { readProcessTable } from "../../../src/host/process-table.js";
import type { Accelerator, AcceleratorUsage } from "../../../src/schema/facts.js";

const gib = 2 ** 30;

function card(uuid: string, memoryBytes = 80 * gib): Accelerator {
  return { type: "cuda", vendor: "nvidia", name: "H100", index: 0, uuid, memoryBytes, driverVersion: "535" };
}

describe("what each device has to hold of a model", () => {
  const share = (changes: Partial<ModelShare> = {}) =>
    leastMemory({
      modelBytes: 64 * gib,
      devices: ["GPU-0", "GPU-1"],
      isPlacedByHand: false,
      accelerators: [card("GPU-0"), card("GPU-1")],
      ...changes,
    });

  it("is an eighth of its share", () => {
    expect(share()).toEqual({ kind: "bytes", bytes: 4 * gib });
    expect(share({ devices: ["GPU-0"] })).toEqual({ kind: "bytes", bytes: 8 * gib });
  });

  it.each<[string, Partial<ModelShare>]>([
    ["the size of the model is not known", { modelBytes: undefined }],
    ["the parameters say what of the model is where", { isPlacedByHand: true }],
    ["GPU-1 is smaller than the model's share", { accelerators: [card("GPU-0"), card("GPU-1", 24 * gib)] }],
    [
      "GPU-1 works in the memory of the host",
      { accelerators: [card("GPU-0"), { ...card("GPU-1"), unifiedMemory: true }] },
    ],
  ])("is unknown where %s", (reason, changes) => {
    expect(share(changes)).toEqual({ kind: "unknown", reason: expect.stringContaining(reason) as string });
  });
});

/** The runner is 100, with the child 101, and 102 of its group that lost its parent; 200 is somebody else's. */
const processes = readProcessTable(" 1 0 1\n 100 1 100\n 101 100 101\n 102 1 100\n 200 1 200\n");
const on = (uuid: string, used: number | undefined, ...holders: [pid: number, bytes: number | undefined][]) => ({
  uuid,
  ...(used === undefined ? {} : { memoryUsedBytes: used }),
  processes: holders.map(([pid, memoryBytes]) => ({
    ...{ pid, name: "engine", ...(memoryBytes === undefined ? {} : { memoryBytes }) },
  })),
});

function judge(usage: AcceleratorUsage[], devices = ["GPU-0"], pid = 100) {
  return judgeHeld({ devices, leastBytes: 8 * gib, pid, use: { accelerators: [], usage, processes } });
}

describe("a runner's devices", () => {
  it.each<[string, AcceleratorUsage[], string[]?]>([
    ["its own process", [on("GPU-0", 70 * gib, [100, 69 * gib])]],
    ["its child", [on("GPU-0", 70 * gib, [101, 69 * gib])]],
    ["one of its group", [on("GPU-0", 70 * gib, [102, 69 * gib])]],
    ["several of its processes together", [on("GPU-0", 70 * gib, [100, 5 * gib], [101, 5 * gib])]],
    ["it beside another", [on("GPU-0", 70 * gib, [200, 40 * gib], [100, 9 * gib])]],
    ["it on both", [on("GPU-1", 9 * gib, [101, 9 * gib]), on("GPU-0", 9 * gib, [100, 9 * gib])], ["GPU-0", "GPU-1"]],
    ["it, and little on another", [on("GPU-0", 9 * gib, [100, 9 * gib]), on("GPU-1", gib, [100, gib])]],
  ])("hold the model by %s", (_, usage, devices) => {
    expect(judge(usage, devices)).toEqual({ kind: "held" });
  });

  it.each<[string, AcceleratorUsage[], string, string[]?]>([
    ["nobody has anything", [on("GPU-0", 0)], "GPU-0: no process of the runner, 0 B in use in all"],
    ["the driver alone has some", [on("GPU-0", gib)], "GPU-0: no process of the runner, 1.1 GB in use in all"],
    ["another has it all", [on("GPU-0", 70 * gib, [200, 69 * gib])], "no process of the runner, 75.2 GB in use in all"],
    ["the runner has too little", [on("GPU-0", gib, [100, gib / 2])], "536.9 MB of the runner (engine 100)"],
    ["nothing is told in all", [on("GPU-0", undefined, [200, 9 * gib])], "GPU-0: no process of the runner"],
    ["one of two is empty", [on("GPU-0", 9 * gib, [100, 9 * gib]), on("GPU-1", 0)], "GPU-1: no", ["GPU-0", "GPU-1"]],
    [
      "it is on another",
      [on("GPU-0", 0), on("GPU-1", 9 * gib, [100, 9 * gib])],
      "GPU-1: 9.7 GB of the runner (engine 100), not",
    ],
    [
      "it is on another too",
      [on("GPU-0", 9 * gib, [100, 9 * gib]), on("GPU-1", 9 * gib, [100, 9 * gib])],
      "GPU-1: 9.7 GB of the runner (engine 100), not its device",
    ],
  ])("do not hold it where %s", (_, usage, seen, devices) => {
    expect(judge(usage, devices)).toEqual({ kind: "missing", seen: expect.stringContaining(seen) as string });
  });

  it.each<[string, AcceleratorUsage[], string[]?, number?]>([
    ["the tool tells no processes", [{ uuid: "GPU-0", memoryUsedBytes: 0 }]],
    ["it tells nothing of the device", []],
    ["it does not see processes of containers", [on("GPU-0", 70 * gib)]],
    ["it knows them by other ids", [on("GPU-0", 70 * gib, [7, 69 * gib])]],
    ["it does not tell their memory", [on("GPU-0", 70 * gib, [100, undefined])]],
    ["it tells neither the memory in all nor any process", [on("GPU-0", undefined)]],
    ["the device is a part of one, of whose processes only root is told", [on("MIG-0", 0)], ["MIG-0"]],
    ["the engine knows the runner by another id", [on("GPU-0", 0)], ["GPU-0"], 9999],
  ])("are unknown where %s", (_, usage, devices, pid) => {
    expect(judge(usage, devices, pid)).toMatchObject({ kind: "unknown" });
  });
});
