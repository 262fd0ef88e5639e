import { describe, expect, it } from "vitest";

import { apple } from "../../../../src/host/accelerators/apple.js";
import { ascend } from "../../../../src/host/accelerators/ascend.js";
import { hygon } from "../../../../src/host/accelerators/hygon.js";
import { iluvatar } from "../../../../src/host/accelerators/iluvatar.js";
import { metax } from "../../../../src/host/accelerators/metax.js";
import { mthreads } from "../../../../src/host/accelerators/mthreads.js";
import { ramBytes, readAnswers, seen } from "../../support/accelerator-fixtures.js";

const mib = 2 ** 20;

describe("Ascend NPUs", () => {
  it("are told with their SoC, and known by the number of their die where the board tells it", () => {
    const { accelerators, usage, warnings } = seen("huawei/synthetic-910b");
    expect(warnings).toEqual([]);
    expect(accelerators).toEqual([
      {
        type: "cann",
        vendor: "huawei",
        name: "910B3",
        index: 0,
        uuid: "0000000100000002000000030000000400000005",
        pciBusId: "0000:c1:00.0",
        memoryBytes: 65_536 * mib,
        soc: "Ascend910B3",
        linkGroup: 0,
        driverVersion: "25.2.0",
        runtimeVersion: "8.2.RC1",
      },
      {
        type: "cann",
        vendor: "huawei",
        name: "910B3",
        index: 1,
        uuid: "0000:c2:00.0",
        identifiedBy: "pciBusId",
        pciBusId: "0000:c2:00.0",
        memoryBytes: 65_536 * mib,
        soc: "Ascend910B3",
        linkGroup: 0,
        driverVersion: "25.2.0",
        runtimeVersion: "8.2.RC1",
      },
    ]);
    expect(usage).toEqual([
      {
        uuid: "0000000100000002000000030000000400000005",
        memoryUsedBytes: 34_150 * mib,
        processes: [{ pid: 52_110, name: "VLLM::Worker", memoryBytes: 30_953 * mib }],
      },
      { uuid: "0000:c2:00.0", memoryUsedBytes: 3197 * mib, processes: [] },
    ]);
  });

  it("with two chips on a card are two accelerators", () => {
    const { accelerators } = seen("huawei/synthetic-a3");
    expect(accelerators.map(({ index, pciBusId, soc }) => [index, pciBusId, soc])).toEqual([
      [0, "0000:9d:00.0", "Ascend910"],
      [1, "0000:9f:00.0", "Ascend910"],
    ]);
  });

  it("are asked for one by one, by card and chip", () => {
    const asked = ascend.ask(readAnswers("huawei/synthetic-a3"));
    expect(Object.keys(asked)).toEqual(["table", "topology", "cann", "cannArm", "board-0-0", "board-0-1"]);
    expect(asked["board-0-1"]?.argv).toEqual(["npu-smi", "info", "-t", "board", "-i", "0", "-c", "1"]);
  });
});

describe("Hygon DCUs", () => {
  it("are told by hy-smi, whatever it writes around its JSON", () => {
    const { accelerators, usage, warnings } = seen("hygon/synthetic-hy-smi");
    expect(
      accelerators.map(({ type, name, uuid, memoryBytes, driverVersion, pciBusId }) => [
        ...[type, name, uuid],
        ...[memoryBytes, driverVersion, pciBusId],
      ]),
    ).toEqual([
      ["dtk", "K100_AI", "a000000000000001", 65_520 * mib, "6.3.8-V1.0.0", "0000:9f:00.0"],
      ["dtk", "Z100L", "TEST00000002", 32_752 * mib, "6.3.8-V1.0.0", "0000:56:00.0"],
    ]);
    expect(usage.map(({ memoryUsedBytes }) => memoryUsedBytes)).toEqual([2 * mib, 2048 * mib]);
    expect(warnings).toEqual([]);
  });

  it("are told by the rocm-smi of DTK where there is no hy-smi, and AMD's cards are not theirs", () => {
    const dtk = hygon.read({ rocmSmi: readAnswers("hygon/synthetic-hy-smi").hySmi ?? "" }, { ramBytes });
    expect(dtk.accelerators.map(({ name }) => name)).toEqual(["K100_AI", "Z100L"]);
    const rocm = hygon.read(readAnswers("amd/synthetic-rocm-smi-57"), { ramBytes });
    expect(rocm).toEqual({ accelerators: [], usage: [], warnings: [] });
  });
});

describe("Moore Threads GPUs", () => {
  it("are told by the JSON of mthreads-gmi", () => {
    const { accelerators, usage } = seen("mthreads/synthetic-json");
    expect(
      accelerators.map(({ name, uuid, identifiedBy, memoryBytes }) => [name, uuid, identifiedBy, memoryBytes]),
    ).toEqual([
      ["MTT S5000", "7de4d75b-0000-1111-2222-333333333333", undefined, 81_920 * mib],
      ["MTT S5000", "0000:3a:00.0", "pciBusId", 81_920 * mib],
    ]);
    expect(accelerators[0]).toMatchObject({ type: "musa", driverVersion: "3.3.5-server" });
    expect(usage.map(({ memoryUsedBytes }) => memoryUsedBytes)).toEqual([66_641 * mib, 10 * mib]);
  });

  it("are told by its table where there is no JSON", () => {
    expect(Object.keys(mthreads.ask({}))).toEqual(["json", "table"]);
    const { accelerators, usage } = seen("mthreads/synthetic-table");
    expect(accelerators.map(({ index, name, uuid, driverVersion }) => [index, name, uuid, driverVersion])).toEqual([
      [0, "MTT S4000", "0000:08:00.0", "3.0.0"],
      [1, "MTT S4000", "0000:09:00.0", "3.0.0"],
    ]);
    expect(usage[0]?.memoryUsedBytes).toBe(16_915 * mib);
  });
});

describe("MetaX GPUs", () => {
  it("are told by the table of mx-smi, with MACA's version and their processes", () => {
    const { accelerators, usage, warnings } = seen("metax/synthetic-c500");
    expect(warnings).toEqual([]);
    expect(accelerators[0]).toEqual({
      type: "maca",
      vendor: "metax",
      name: "MXC500",
      index: 0,
      uuid: "0000:05:00.0",
      identifiedBy: "pciBusId",
      pciBusId: "0000:05:00.0",
      memoryBytes: 65_536 * mib,
      driverVersion: "2.5.014",
      runtimeVersion: "2.23.0.1018",
    });
    expect(usage).toEqual([
      {
        uuid: "0000:05:00.0",
        memoryUsedBytes: 60_982 * mib,
        processes: [{ pid: 1_234_567, name: "ray::RayWorker", memoryBytes: 60_044 * mib }],
      },
      { uuid: "0000:08:00.0", memoryUsedBytes: 858 * mib, processes: [] },
    ]);
  });

  it("of newer releases are known by their UUIDs, their nodes and their links", () => {
    const { accelerators } = seen("metax/synthetic-n260");
    expect(accelerators[1]).toEqual({
      type: "maca",
      vendor: "metax",
      name: "MetaX N260",
      index: 1,
      uuid: "GPU-e0000000-0000-1111-2222-333333333333",
      pciBusId: "0000:02:00.0",
      memoryBytes: 65_536 * mib,
      driverVersion: "3.0.11",
      linkGroup: 0,
      numaNode: 1,
    });
  });

  it("are not looked for with another tool of the same name", () => {
    expect(Object.keys(metax.ask({ table: "MOFFETT-SMI 2.3.0" }))).toEqual(["table"]);
  });
});

describe("Iluvatar GPUs", () => {
  it("are told by ixsmi's query, with bus ids and processes from its table", () => {
    const { accelerators, usage, warnings } = seen("iluvatar/synthetic-bi-v150");
    expect(warnings).toEqual([]);
    expect(
      accelerators.map(({ type, name, uuid, pciBusId, driverVersion }) => [type, name, uuid, pciBusId, driverVersion]),
    ).toEqual([
      ["corex", "Iluvatar BI-V150", "GPU-f0000000-0000-1111-2222-333333333333", "0000:8a:00.0", "4.2.0"],
      ["corex", "Iluvatar BI-V150", "0000:8d:00.0", "0000:8d:00.0", "4.2.0"],
    ]);
    expect(usage[0]).toEqual({
      uuid: "GPU-f0000000-0000-1111-2222-333333333333",
      memoryUsedBytes: 27_996 * mib,
      processes: [{ pid: 98_001, name: "python3", memoryBytes: 27_712 * mib }],
    });
  });

  it("of which neither UUID nor bus id is told are known by their index, with a warning", () => {
    const { gpus = "" } = readAnswers("iluvatar/synthetic-bi-v150");
    const { accelerators, usage, warnings } = iluvatar.read({ gpus }, { ramBytes });
    expect(accelerators[0]).toMatchObject({ uuid: "iluvatar-0", identifiedBy: "index" });
    expect(usage[0]).toEqual({ uuid: "iluvatar-0", memoryUsedBytes: 27_996 * mib });
    expect(warnings[0]).toBe(
      "Iluvatar BI-V150 iluvatar-0: `ixsmi` tells neither a UUID nor a bus id, so a reboot may give this name to another",
    );
  });
});

describe("Cambricon MLUs", () => {
  it("are told by cnmon, card by card", () => {
    const { accelerators, usage } = seen("cambricon/synthetic-mlu370");
    expect(accelerators).toEqual([
      {
        type: "neuware",
        vendor: "cambricon",
        name: "MLU370-X4",
        index: 0,
        uuid: "77013006-0000-0000-0000-000000000000",
        pciBusId: "0000:1a:00.0",
        memoryBytes: 23_308 * mib,
        driverVersion: "5.10.22",
      },
      {
        type: "neuware",
        vendor: "cambricon",
        name: "MLU370-X4",
        index: 1,
        uuid: "0000:1b:00.0",
        identifiedBy: "pciBusId",
        pciBusId: "0000:1b:00.0",
        memoryBytes: 23_308 * mib,
        driverVersion: "5.10.22",
      },
    ]);
    expect(usage[0]).toEqual({
      uuid: "77013006-0000-0000-0000-000000000000",
      memoryUsedBytes: 17_320 * mib,
      processes: [{ pid: 6001, name: "python", memoryBytes: 17_000 * mib }],
    });
  });
});

describe("T-Head PPUs", () => {
  it("are told by ppu-smi, and what it does not tell is a warning", () => {
    const { accelerators, usage, warnings } = seen("thead/synthetic-ppu");
    expect(accelerators.map(({ type, uuid, memoryBytes }) => [type, uuid, memoryBytes])).toEqual([
      ["hggc", "PPU-00000000-1111-2222-3333-444444444444", 98_304 * mib],
      ["hggc", "thead-1", 0],
    ]);
    expect(usage).toEqual([
      {
        uuid: "PPU-00000000-1111-2222-3333-444444444444",
        memoryUsedBytes: 606 * mib,
        processes: [{ pid: 7100, name: "python3", memoryBytes: 500 * mib }],
      },
      { uuid: "thead-1", processes: [] },
    ]);
    expect(warnings).toEqual([
      "PPU-ZW810E thead-1: `ppu-smi` does not tell its memory",
      "PPU-ZW810E thead-1: `ppu-smi` tells neither a UUID nor a bus id, so a reboot may give this name to another",
    ]);
  });
});

describe("Apple silicon", () => {
  it("has one GPU, in the memory of the Mac", () => {
    expect(seen("apple/synthetic-m3").accelerators).toEqual([
      {
        type: "metal",
        vendor: "apple",
        name: "Apple M3 Max",
        index: 0,
        uuid: "apple-0",
        memoryBytes: ramBytes,
        unifiedMemory: true,
        driverVersion: "unknown",
        runtimeVersion: "3",
      },
    ]);
  });

  it("is not what an Intel Mac has", () => {
    const displays = JSON.stringify({ SPDisplaysDataType: [{ sppci_model: "AMD Radeon Pro 5500M" }] });
    expect(apple.read({ displays }, { ramBytes })).toEqual({ accelerators: [], usage: [], warnings: [] });
  });
});
