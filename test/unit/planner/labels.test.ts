import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { deriveLabels, productLabel } from "../../../src/planner/labels.js";
import type { Accelerator } from "../../../src/schema/facts.js";
import { facts } from "../support/problems.js";

const gpu: Accelerator = {
  type: "cuda",
  name: "NVIDIA H100 80GB HBM3",
  index: 0,
  uuid: "GPU-1",
  memoryBytes: 1,
  driverVersion: "1",
};

describe("the label of a product", () => {
  it.each([
    ["NVIDIA H100 80GB HBM3", "h100"],
    ["NVIDIA H100 NVL", "h100-nvl"],
    ["NVIDIA A100-SXM4-80GB", "a100"],
    ["NVIDIA A100 80GB PCIe", "a100"],
    ["NVIDIA GeForce RTX 4090", "rtx-4090"],
    ["Tesla V100-SXM2-32GB", "v100"],
    ["Tesla T4", "t4"],
    ["NVIDIA L40S", "l40s"],
    ["NVIDIA GB10", "gb10"],
    ["AMD Instinct MI300X", "mi300x"],
    ["Arcturus GL-XL [Instinct MI100]", "mi100"],
    ["910B3", "910b3"],
    ["Ascend910B3", "910b3"],
    ["Ascend910", "910"],
    ["MXC500", "c500"],
    ["MetaX C500", "c500"],
    ["MTT S4000", "mtt-s4000"],
    ["Iluvatar BI-V150", "bi-v150"],
    ["MLU370-X4", "mlu370-x4"],
    ["Apple M3 Max", "m3-max"],
    ["NVIDIA GPU", "nvidia-gpu"],
    ["", ""],
    ["語", ""],
  ])("%s is %s", (name, label) => {
    expect(productLabel(name)).toBe(label);
  });

  it("is fit for a label whatever the name", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (name) => {
        expect(productLabel(name)).toMatch(/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)?$/);
      }),
    );
  });
});

describe("the labels that a host has by what it is", () => {
  it("are those of its first accelerator", () => {
    const accelerators = [gpu, { ...gpu, name: "NVIDIA L4" }];
    expect(deriveLabels({ ...facts, accelerators })).toEqual({
      os: "linux",
      arch: "amd64",
      accelerator: "cuda",
      gpu: "h100",
    });
  });

  it("say cpu where there is none, and no gpu", () => {
    expect(deriveLabels({ ...facts, os: "darwin", arch: "arm64" })).toEqual({
      os: "darwin",
      arch: "arm64",
      accelerator: "cpu",
    });
  });
});
