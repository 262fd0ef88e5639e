import { describe, expect, it } from "vitest";

import { nvidia } from "../../../../src/host/accelerators/nvidia.js";
import { ramBytes, readAnswers, seen } from "../../support/accelerator-fixtures.js";

const mib = 2 ** 20;

describe("a GPU by nvidia-smi", () => {
  it("is told with its driver, the CUDA version that it runs, its capability, MIG mode and place", () => {
    const { accelerators, warnings } = seen("nvidia/synthetic-535-h100");
    expect(warnings).toEqual([]);
    expect(accelerators[0]).toEqual({
      type: "cuda",
      vendor: "nvidia",
      name: "NVIDIA H100 80GB HBM3",
      index: 0,
      uuid: "GPU-00000000-0000-1111-2222-333333333333",
      pciBusId: "0000:19:00.0",
      memoryBytes: 81_559 * mib,
      driverVersion: "535.00.02",
      runtimeVersion: "12.2",
      computeCapability: "9.0",
      numaNode: 0,
      linkGroup: 0,
      mig: { mode: "disabled", devices: [] },
    });
  });

  it("is in a group with those that NVLink, or PCIe switches alone, join it to", () => {
    const places = seen("nvidia/synthetic-535-h100").accelerators.map(({ linkGroup, pcieGroup, numaNode }) => ({
      linkGroup,
      pcieGroup,
      numaNode,
    }));
    expect(places).toEqual([
      { linkGroup: 0, numaNode: 0 },
      { linkGroup: 0, numaNode: 0 },
      { pcieGroup: 0, numaNode: 1 },
      { pcieGroup: 0 },
    ]);
  });

  it("has its use: memory, and each process by its program's name, without arguments", () => {
    expect(
      seen("nvidia/synthetic-535-h100").usage.map(({ memoryUsedBytes, processes }) => ({ memoryUsedBytes, processes })),
    ).toEqual([
      {
        memoryUsedBytes: 75_000 * mib,
        processes: [{ pid: 5001, name: "VLLM::Worker_TP0", memoryBytes: 74_400 * mib }],
      },
      {
        memoryUsedBytes: 75_000 * mib,
        processes: [{ pid: 5002, name: "VLLM::Worker_TP1", memoryBytes: 74_400 * mib }],
      },
      { memoryUsedBytes: 3100 * mib, processes: [{ pid: 41_822, name: "ml" }] },
      { memoryUsedBytes: 1 * mib, processes: [] },
    ]);
  });

  it("of a driver that tells neither capability nor MIG is known by its product", () => {
    expect(seen("nvidia/synthetic-418-quadro").accelerators).toEqual([
      {
        type: "cuda",
        vendor: "nvidia",
        name: "Quadro P4000",
        index: 0,
        uuid: "GPU-00000000-1111-2222-3333-444444444444",
        pciBusId: "0000:17:00.0",
        memoryBytes: 8119 * mib,
        driverVersion: "418.00",
        runtimeVersion: "10.1",
        computeCapability: "6.1",
      },
    ]);
  });

  it("has the host's memory where the driver tells none of its own", () => {
    const { accelerators, usage, warnings } = seen("nvidia/synthetic-595-gb10");
    expect(accelerators[0]).toMatchObject({ memoryBytes: ramBytes, unifiedMemory: true, computeCapability: "12.1" });
    expect(usage).toEqual([
      {
        uuid: "GPU-c0000000-0000-1111-2222-333333333333",
        processes: [{ pid: 2900, name: "unknown", memoryBytes: 18 * mib }],
      },
    ]);
    expect(warnings).toEqual([]);
  });
});

describe("MIG devices", () => {
  const gpu = "GPU-aaaaaaaa-0000-1111-2222-333333333333";

  it("are told with their identities, instances and memory, and their use with their own processes", () => {
    const { accelerators, usage } = seen("nvidia/synthetic-470-a100-mig");
    expect(accelerators.map(({ mig }) => mig)).toEqual([
      {
        mode: "enabled",
        devices: [
          {
            uuid: "MIG-11111111-0000-1111-2222-333333333333",
            index: 0,
            gpuInstance: 1,
            computeInstance: 0,
            profile: "3g.20gb",
            memoryBytes: 20_096 * mib,
          },
          {
            uuid: "MIG-22222222-0000-1111-2222-333333333333",
            index: 1,
            gpuInstance: 5,
            computeInstance: 0,
            profile: "2g.10gb",
            memoryBytes: 9984 * mib,
          },
        ],
      },
      { mode: "disabled", devices: [] },
    ]);
    const process = { pid: 4100, name: "python3", memoryBytes: 4094 * mib };
    expect(usage).toEqual([
      { uuid: gpu, memoryUsedBytes: 4106 * mib, processes: [process] },
      { uuid: "MIG-11111111-0000-1111-2222-333333333333", memoryUsedBytes: 4100 * mib, processes: [process] },
      { uuid: "MIG-22222222-0000-1111-2222-333333333333", memoryUsedBytes: 6 * mib, processes: [] },
      { uuid: "GPU-bbbbbbbb-0000-1111-2222-333333333333", memoryUsedBytes: 0, processes: [] },
    ]);
  });

  it("whose identities are not told are left out with a warning", () => {
    const { names: _, ...answers } = readAnswers("nvidia/synthetic-470-a100-mig");
    const { accelerators, warnings } = nvidia.read(answers, { ramBytes });
    expect(accelerators[0]?.mig).toEqual({ mode: "enabled", devices: [] });
    expect(warnings).toEqual([
      `NVIDIA A100-SXM4-40GB ${gpu}: the identities of 2 MIG devices are not told, so they are left out`,
    ]);
  });
});

describe("nvidia-smi", () => {
  it("is asked for topology and capability once there is a GPU, and for MIG devices where MIG is on", () => {
    expect(Object.keys(nvidia.ask({}))).toEqual(["all"]);
    expect(Object.keys(nvidia.ask({ all: "No devices were found" }))).toEqual(["all"]);
    const asked = (fixture: string) => Object.keys(nvidia.ask({ all: readAnswers(fixture).all ?? "" }));
    expect(asked("nvidia/synthetic-535-h100")).toEqual(["all", "topology", "capabilities"]);
    expect(asked("nvidia/synthetic-470-a100-mig")).toEqual(["all", "topology", "capabilities", "names"]);
  });

  it.each(["", "NVIDIA-SMI has failed", "<a/>", "<nvidia_smi_log><gpu>"])("that writes %j is not understood", (all) => {
    expect(nvidia.read({ all }, { ramBytes })).toEqual({
      accelerators: [],
      usage: [],
      warnings: ["`nvidia-smi -q -x` wrote nothing that Berth understands: accelerators unknown"],
    });
  });

  it("that tells of no GPU means that there is none", () => {
    const all = "<nvidia_smi_log><attached_gpus>0</attached_gpus></nvidia_smi_log>";
    expect(nvidia.read({ all }, { ramBytes })).toEqual({ accelerators: [], usage: [], warnings: [] });
  });
});
