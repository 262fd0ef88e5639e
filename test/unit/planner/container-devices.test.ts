import { describe, expect, it } from "vitest";

import { containerDevices } from "../../../src/planner/container-devices.js";
import type { Accelerator } from "../../../src/schema/facts.js";

function card(type: Accelerator["type"], index: number, uuid: string): Accelerator {
  return { type, name: "card", index, uuid, memoryBytes: 1, driverVersion: "1" };
}

const where = "deployment chat";

describe("the devices of a container", () => {
  it("are none where the placement names none", () => {
    expect(containerDevices([], undefined, where)).toBeUndefined();
  });

  it("are NVIDIA's by UUID, also when no facts are known", () => {
    const wanted = { form: "request", acceleratorType: "cuda", ids: ["GPU-1", "GPU-0"] };
    expect(containerDevices(["GPU-1", "GPU-0"], undefined, where)).toEqual(wanted);
    const accelerators = [card("cuda", 0, "GPU-0"), card("cuda", 1, "GPU-1")];
    expect(containerDevices(["GPU-1", "GPU-0"], { accelerators }, where)).toEqual(wanted);
  });

  it("are numbered cards by the numbers that the driver gives them now", () => {
    const accelerators = [card("cann", 4, "npu-a"), card("cann", 6, "npu-b")];
    expect(containerDevices(["npu-b", "npu-a"], { accelerators }, where)).toMatchObject({
      form: "numberedNodes",
      acceleratorType: "cann",
      ids: ["npu-b", "npu-a"],
      indexes: [6, 4],
    });
  });

  it.each<[string, Accelerator[], string[], string]>([
    ["two types", [card("cuda", 0, "GPU-0"), card("cann", 0, "npu")], ["GPU-0", "npu"], "got: cuda, cann"],
    ["files without a card's number", [card("rocm", 0, "amd-0")], ["amd-0"], "got: rocm"],
    ["something that nobody knows", [], ["what"], "got: unknown"],
  ])("are refused for %s", (_, accelerators, ids, got) => {
    expect(() => containerDevices(ids, { accelerators }, where)).toThrow(got);
  });
});
