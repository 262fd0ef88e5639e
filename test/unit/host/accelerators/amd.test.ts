import { describe, expect, it } from "vitest";

import { amd } from "../../../../src/host/accelerators/amd.js";
import { ramBytes, readAnswers, seen } from "../../support/accelerator-fixtures.js";

const mib = 2 ** 20;

describe("a GPU by amd-smi", () => {
  it("is told with its LLVM target, driver, ROCm version, NUMA node and XGMI group", () => {
    const { accelerators, warnings } = seen("amd/synthetic-rocm62-mi300x");
    expect(warnings).toEqual([]);
    expect(accelerators).toHaveLength(2);
    expect(accelerators[1]).toEqual({
      type: "rocm",
      vendor: "amd",
      name: "AMD Instinct MI300X",
      index: 1,
      uuid: "1ff74a1-0000-1000-8000-000000000000",
      pciBusId: "0000:22:00.0",
      memoryBytes: 196_592 * mib,
      driverVersion: "6.8.5",
      runtimeVersion: "6.2.4",
      llvmTarget: "gfx942",
      numaNode: 1,
      linkGroup: 0,
    });
  });

  it("has its memory in use and its processes, where they are told", () => {
    expect(seen("amd/synthetic-rocm62-mi300x").usage).toEqual([
      {
        uuid: "0ff74a1-0000-1000-8000-000000000000",
        memoryUsedBytes: 121_344 * mib,
        processes: [{ pid: 28_389, name: "llama-server", memoryBytes: 2_353_860_608 }],
      },
      { uuid: "1ff74a1-0000-1000-8000-000000000000", processes: [] },
    ]);
  });

  it("of ROCm 7, whose lists are below gpu_data, is read too", () => {
    const { accelerators, usage } = seen("amd/synthetic-rocm70-mi300x");
    expect(accelerators[0]).toMatchObject({ llvmTarget: "gfx942", runtimeVersion: "7.0.0", driverVersion: "6.14.14" });
    expect(usage[0]).toMatchObject({ memoryUsedBytes: 300 * mib, processes: [{ pid: 77, memoryBytes: mib }] });
  });

  it("without its list is known by its bus id, and says so", () => {
    const { list: _, ...answers } = readAnswers("amd/synthetic-rocm62-mi300x");
    expect(amd.read(answers, { ramBytes }).accelerators[0]).toMatchObject({
      uuid: "0000:0c:00.0",
      identifiedBy: "pciBusId",
      pciBusId: "0000:0c:00.0",
    });
  });
});

describe("a GPU by rocm-smi", () => {
  it("is read where there is no amd-smi, whatever is written before the JSON", () => {
    const { accelerators, usage, warnings } = seen("amd/synthetic-rocm-smi-57");
    expect(warnings).toEqual([]);
    expect(accelerators).toEqual([
      {
        type: "rocm",
        vendor: "amd",
        name: "Navi 22 [Radeon RX 6700 XT]",
        index: 0,
        uuid: "0000:07:00.0",
        identifiedBy: "pciBusId",
        pciBusId: "0000:07:00.0",
        memoryBytes: 12_868_124_672,
        driverVersion: "6.3.6",
      },
      {
        type: "rocm",
        vendor: "amd",
        name: "AMD Instinct MI210",
        index: 1,
        uuid: "0x5c88007d760374f3",
        pciBusId: "0000:1e:00.0",
        memoryBytes: 68_702_699_520,
        driverVersion: "6.3.6",
        llvmTarget: "gfx90a",
      },
    ]);
    expect(usage).toEqual([
      { uuid: "0000:07:00.0", memoryUsedBytes: 1_564_491_776 },
      { uuid: "0x5c88007d760374f3", memoryUsedBytes: 10_850_304 },
    ]);
  });

  it("of Hygon is not AMD's", () => {
    const rocmSmi = readAnswers("hygon/synthetic-hy-smi").hySmi ?? "";
    expect(amd.read({ rocmSmi }, { ramBytes })).toEqual({ accelerators: [], usage: [], warnings: [] });
  });
});

describe("AMD's tools", () => {
  it.each(["[]", '{"gpu_data": []}'])("that tell of no GPU with %s mean that there is none", (text) => {
    expect(amd.read({ static: text }, { ramBytes })).toEqual({ accelerators: [], usage: [], warnings: [] });
  });

  it.each([
    [{ static: "Traceback (most recent call last)" }, "amd-smi static --json"],
    [{ rocmSmi: "ROCm System Management Interface" }, "rocm-smi --json"],
  ])("that write %j are not understood", (answers, command) => {
    expect(amd.read(answers, { ramBytes }).warnings).toEqual([
      `\`${command}\` wrote nothing that Berth understands: accelerators unknown`,
    ]);
  });

  it("are asked for more once one of them tells of a GPU", () => {
    expect(Object.keys(amd.ask({}))).toEqual(["static", "rocmSmi"]);
    expect(Object.keys(amd.ask({ static: "[]" }))).toEqual(["static", "rocmSmi"]);
    const asked = Object.keys(amd.ask(readAnswers("amd/synthetic-rocm62-mi300x")));
    expect(asked).toEqual(["static", "rocmSmi", "rocm", "list", "memory", "processes", "topology"]);
  });
});
