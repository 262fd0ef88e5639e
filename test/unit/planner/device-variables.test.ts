import { describe, expect, it } from "vitest";

import {
  assertSameDevices,
  deviceVariables,
  findRenumbered,
  hasNumbers,
} from "../../../src/planner/device-variables.js";
import { gpu } from "../support/gpus.js";
import { thrownBy } from "../support/thrown.js";

const part = { uuid: "MIG-1", index: 0, gpuInstance: 1, computeInstance: 0, memoryBytes: 1 };

describe("assertSameDevices", () => {
  const accelerators = [gpu(0), gpu(1)];

  it("refuses a variable that names other devices than the placement", () => {
    const error = thrownBy(() =>
      assertSameDevices({ CUDA_VISIBLE_DEVICES: "1" }, ["GPU-0"], { accelerators }, "deployment chat"),
    );
    expect([error.code, error.parts.got]).toEqual(["stack-inconsistent", "CUDA_VISIBLE_DEVICES: 1"]);
    expect(error.parts.hint).toContain("placement: { devices:");
  });

  it("takes one that names the same, others, and any where nothing is placed", () => {
    const refuse = (environment: Record<string, string>, devices: string[]) => {
      assertSameDevices(environment, devices, { accelerators }, "x");
    };
    expect(() => refuse({ CUDA_VISIBLE_DEVICES: "GPU-0", OMP_NUM_THREADS: "1" }, ["GPU-0"])).not.toThrow();
    expect(() => refuse({ CUDA_VISIBLE_DEVICES: "1" }, [])).not.toThrow();
  });
});

describe("deviceVariables", () => {
  it("tells devices of a type that Berth does not know by the variable of its file, which facts tell", () => {
    const card = gpu(2, { type: "newtype", uuid: "NEW-2", declared: { variable: "NEW_VISIBLE_DEVICES" } });
    expect(deviceVariables(["NEW-2"], { accelerators: [card] })).toEqual({ NEW_VISIBLE_DEVICES: "2" });
    const silent = { ...card, declared: {} };
    expect(deviceVariables(["NEW-2"], { accelerators: [silent] })).toEqual({});
  });

  it.each([
    ["NVIDIA's by identity", [gpu(0), gpu(1)], ["GPU-1", "GPU-0"], { CUDA_VISIBLE_DEVICES: "GPU-1,GPU-0" }],
    [
      "a part of one",
      [gpu(0, { mig: { mode: "enabled" as const, devices: [part] } })],
      ["MIG-1"],
      { CUDA_VISIBLE_DEVICES: "MIG-1" },
    ],
    ["AMD's by number", [gpu(3, { type: "rocm" as const })], ["GPU-3"], { HIP_VISIBLE_DEVICES: "3" }],
    [
      "one without an identity by number",
      [gpu(2, { identifiedBy: "pciBusId" as const })],
      ["GPU-2"],
      { CUDA_VISIBLE_DEVICES: "2" },
    ],
    ["none where none is given", [gpu(0)], [], {}],
    ["none where one is not known", [gpu(0)], ["GPU-0", "GPU-9"], {}],
  ])("names %s", (_, accelerators, devices, expected) => {
    expect(deviceVariables(devices, { accelerators })).toEqual(expected);
  });

  it("names none where nothing is known of the host", () => {
    expect(deviceVariables(["GPU-0"], undefined)).toEqual({});
  });
});

describe("findRenumbered", () => {
  const cards = (...indexes: number[]) =>
    indexes.map((index, place) => gpu(index, { type: "rocm" as const, uuid: `0000:0${place}:00.0` }));
  const ids = ["0000:00:00.0", "0000:01:00.0"];

  it("tells of each device whose number is another's since the process was told, with both numbers", () => {
    const before = deviceVariables(ids, { accelerators: cards(0, 1) });
    expect(hasNumbers(before, ids)).toBe(true);
    expect(findRenumbered(ids, before, cards(1, 0))).toEqual([
      "0000:00:00.0 has the number 1, and had 0",
      "0000:01:00.0 has the number 0, and had 1",
    ]);
    expect(findRenumbered(ids, before, cards(0, 1))).toEqual([]);
  });

  it.each<[string, string[], Record<string, string>, ReturnType<typeof gpu>[]]>([
    ["one that is told by its identity", ["GPU-1"], { CUDA_VISIBLE_DEVICES: "GPU-1" }, [gpu(0, { uuid: "GPU-1" })]],
    [
      "one that a person gives by number, though it has an identity",
      ["GPU-1"],
      { CUDA_VISIBLE_DEVICES: "1" },
      [gpu(0, { uuid: "GPU-1" })],
    ],
    ["a process that is told nothing", ids, {}, cards(1, 0)],
    ["other numbers than its devices", ids, { HIP_VISIBLE_DEVICES: "0,1,2" }, cards(1, 0)],
    ["a device that is not there", ["0000:09:00.0"], { HIP_VISIBLE_DEVICES: "0" }, cards(1, 0)],
  ])("says nothing of %s", (_, devices, environment, accelerators) => {
    expect(findRenumbered(devices, environment, accelerators)).toEqual([]);
  });
});
