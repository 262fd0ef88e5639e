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

  it("are cards without a number by their device files, each once, and the groups that own them", () => {
    const shared = { path: "/dev/mxgd", groupId: 0 };
    const files = (number: number) => [
      { path: `/dev/dri/renderD${128 + number}`, groupId: 992 },
      { path: `/dev/dri/card${number}`, groupId: 44 },
      shared,
    ];
    const accelerators = [0, 1, 2].map((index) => ({
      ...card("maca", index, `GPU-${index}`),
      deviceFiles: files(index),
    }));
    expect(containerDevices(["GPU-2", "GPU-0"], { accelerators }, where)).toEqual({
      form: "drmNodes",
      acceleratorType: "maca",
      ids: ["GPU-2", "GPU-0"],
      nodes: ["/dev/dri/card0", "/dev/dri/card2", "/dev/dri/renderD128", "/dev/dri/renderD130", "/dev/mxgd"],
      groups: [44, 992],
    });
  });

  it("are numbered cards with what else their hosts have of device files", () => {
    const deviceFiles = [{ path: "/dev/dvpp_cmdlist", groupId: 1000 }];
    const accelerators = [{ ...card("cann", 4, "npu-a"), deviceFiles }];
    expect(containerDevices(["npu-a"], { accelerators }, where)).toMatchObject({ nodes: ["/dev/dvpp_cmdlist"] });
  });

  it("are given as the file of their type says, which facts have", () => {
    const declared = { variable: "NEW_VISIBLE_DEVICES", driverFiles: ["/opt/new/lib"] };
    const cardOf = (index: number) => ({
      ...card("newtype", index, `NEW-${index}`),
      ...{ declared, deviceFiles: [control, { path: `/dev/new${index}`, groupId: 992 }] },
    });
    const control = { path: "/dev/new_ctl", groupId: 0 };
    expect(containerDevices(["NEW-3"], { accelerators: [cardOf(2), cardOf(3)] }, where)).toEqual({
      ...{ form: "declaredNodes", ids: ["NEW-3"] },
      ...{ nodes: ["/dev/new3", "/dev/new_ctl"], groups: [992], ...declared },
    });
    const without = { ...cardOf(2), deviceFiles: [] };
    expect(() => containerDevices(["NEW-2"], { accelerators: [without] }, where)).toThrow(
      "backends/runners/newtype.yaml: containers cannot be given devices of type newtype",
    );
  });

  it.each<[string, Accelerator[], string[], string]>([
    ["two types", [card("cuda", 0, "GPU-0"), card("cann", 0, "npu")], ["GPU-0", "npu"], "got: cuda, cann"],
    ["files that nobody knows", [card("rocm", 0, "amd-0")], ["amd-0"], "got: rocm, without a PCI bus id"],
    [
      "a picture's file alone",
      [
        {
          ...card("rocm", 0, "amd-0"),
          pciBusId: "0000:0c:00.0",
          deviceFiles: [{ path: "/dev/dri/card0", groupId: 44 }],
        },
      ],
      ["amd-0"],
      "got: rocm, PCI bus id 0000:0c:00.0",
    ],
    ["a type that no container has", [card("metal", 0, "m3")], ["m3"], "got: metal"],
    ["something that nobody knows", [], ["what"], "got: unknown"],
  ])("are refused for %s", (_, accelerators, ids, got) => {
    expect(() => containerDevices(ids, { accelerators }, where)).toThrow(got);
  });
});
