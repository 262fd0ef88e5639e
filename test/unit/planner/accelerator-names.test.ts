import { describe, expect, it } from "vitest";

import { acceleratorNames } from "../../../src/planner/accelerator-names.js";
import type { Placement } from "../../../src/schema/lock.js";
import { gpu } from "../support/gpus.js";
import { facts } from "../support/problems.js";

const mig = {
  mode: "enabled" as const,
  devices: [
    { uuid: "MIG-1", index: 0, gpuInstance: 1, computeInstance: 0, profile: "1g.10gb", memoryBytes: 1 },
    { uuid: "MIG-2", index: 1, gpuInstance: 2, computeInstance: 0, memoryBytes: 1 },
  ],
};
const host = (accelerators: ReturnType<typeof gpu>[]) =>
  ({
    ...{ connection: "local", dataDir: "/srv", labels: {} },
    ...{ facts: { ...facts, accelerators }, usage: { listeningPorts: [] } },
  }) satisfies Placement["hosts"][string];
const hosts = {
  bare: host([]),
  h100: host([gpu(0), gpu(1)]),
  mixed: host([gpu(2, { name: "NVIDIA L4" }), gpu(3, { name: "NVIDIA A100", mig })]),
};
const onCpu = { option: "cpu", basis: "estimate" as const, devices: [], hostBytes: 1 };

describe("the accelerators of replicas", () => {
  it.each([
    ["cpu where there are none", [{ host: "bare", devices: [] }], ["cpu"]],
    ["each product once", [{ host: "h100", devices: ["GPU-0", "GPU-1"] }], ["NVIDIA H100 80GB HBM3"]],
    ["those that are given alone", [{ host: "mixed", devices: ["GPU-2"] }], ["NVIDIA L4"]],
    [
      "parts by their profile, where it is told",
      [{ host: "mixed", devices: ["MIG-1", "MIG-2"] }],
      ["NVIDIA A100 1g.10gb", "NVIDIA A100 MIG device"],
    ],
    ["all of the host where none is given", [{ host: "mixed", devices: [] }], ["NVIDIA A100", "NVIDIA L4"]],
    ["cpu where none is needed", [{ host: "mixed", devices: [], memory: onCpu }], ["cpu"]],
    ["cpu where the host is not known", [{ host: "gone", devices: ["GPU-0"] }], ["cpu"]],
    [
      "those of all replicas, sorted",
      [
        { host: "mixed", devices: ["GPU-2"] },
        { host: "h100", devices: ["GPU-0"] },
      ],
      ["NVIDIA H100 80GB HBM3", "NVIDIA L4"],
    ],
  ])("are %s", (_, replicas, names) => {
    expect(acceleratorNames(replicas, hosts)).toEqual(names);
  });
});
