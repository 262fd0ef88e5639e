import { describe, expect, it } from "vitest";

import type { MemoryModel } from "../../../src/model/memory-model.js";
import type { DeviceStock, EngineMemory, WayProblem } from "../../../src/planner/way.js";
import { listWays } from "../../../src/planner/ways.js";
import { deploymentEntry } from "../../../src/schema/stack.js";
import { ggufModel, hubModel } from "../support/memory-models.js";
import { chat } from "../support/problems.js";

const gib = 2 ** 30;
const h100s: DeviceStock = { kind: "devices", type: "cuda", mostPerHost: 8, totals: [80 * gib] };
const small: DeviceStock = { kind: "devices", type: "cuda", mostPerHost: 2, totals: [4 * gib] };
const none: DeviceStock = { kind: "none", isUnified: false };
const llama = await ggufModel();

const known = (model: MemoryModel, isExact = true): EngineMemory => ({ kind: "known", model, isExact });
const unknown: EngineMemory = { kind: "unknown", reason: "nobody knows" };

function problem(engine: EngineMemory, devices: DeviceStock, changes: Partial<WayProblem> = {}): WayProblem {
  const deployment = deploymentEntry.parse(chat());
  const given = { variables: [], tensorParallelSize: undefined, tensorParallelFlag: "--tensor-parallel-size" };
  return { deployment, parameters: ["--ctx-size", "8192"], engine, devices, ...given, ...changes };
}

const deployed = (changes: Parameters<typeof chat>[0]) => ({ deployment: deploymentEntry.parse(chat(changes)) });
const optionsOf = (asked: WayProblem) => listWays(asked).ways.map(({ option }) => option);
const namesOf = (asked: WayProblem) => optionsOf(asked).map(({ name }) => name);
const devicesOf = (count: number, totalBytes = 80 * gib) =>
  Array.from({ length: count }, (_, index) => ({ id: `GPU-${index}`, totalBytes }));

function describeWay(asked: WayProblem, name: string, totalBytes?: number) {
  const way = listWays(asked).ways.find(({ option }) => option.name === name);
  if (way === undefined) throw new Error(`no way ${name}`);
  return way.describe(devicesOf(way.option.devices, totalBytes));
}

describe("the ways of vLLM", () => {
  const vllm = (name: string, devices: DeviceStock, changes: Partial<WayProblem> = {}) =>
    problem(known(hubModel(name)), devices, { parameters: ["--max-model-len", "32768"], ...changes });

  it("are the tensor parallel sizes that divide its heads, with what each device needs, and its part of a device", () => {
    const options = optionsOf(vllm("Qwen2.5-72B", h100s));
    expect(options.map(({ name, devices, share }) => [name, devices, share])).toEqual([
      ["tp1", 1, 0.9],
      ["tp2", 2, 0.9],
      ["tp4", 4, 0.9],
      ["tp8", 8, 0.9],
    ]);
    const [, two, four] = options.map(({ bytesPerDevice }) => bytesPerDevice / gib);
    // Two hold the weights, and not one text of 32768 tokens.
    expect(two).toBeGreaterThan(72);
    expect(four).toBeLessThan(72);
  });

  it("leave out sizes that do not divide heads, keys or vocabulary", () => {
    expect(namesOf(vllm("phi-4", h100s))).toEqual(["tp1", "tp2"]);
    expect(namesOf(vllm("Qwen2.5-0.5B", h100s))).toEqual(["tp1", "tp2"]);
  });

  it("tell vLLM its part and the bytes of its cache, so that they do not depend on what is free when it starts", () => {
    const { memory, arguments: words } = describeWay(vllm("Qwen2.5-72B", h100s), "tp4");
    const [device] = memory?.devices ?? [];
    const cache = device?.cacheBytes ?? 0;
    expect(words).toEqual([
      ...["--tensor-parallel-size", "4"],
      ...["--gpu-memory-utilization", "0.9", "--kv-cache-memory-bytes", String(cache)],
    ]);
    expect(device?.takenBytes).toBe(72 * gib);
    const parts = (device?.weightsBytes ?? 0) + cache + (device?.otherBytes ?? 0);
    expect(parts).toBeLessThanOrEqual(72 * gib);
    expect(parts).toBeGreaterThan(71.9 * gib);
  });

  it("tell a version that has no bytes its part alone", () => {
    const asked = problem(known(hubModel("Llama-3.1-8B"), false), h100s, { parameters: [] });
    expect(describeWay(asked, "tp1").arguments).toEqual(["--gpu-memory-utilization", "0.9"]);
  });

  it("take what the parameters say for rules: the size, and the part, which is passed and no bytes", () => {
    const parameters = ["--tensor-parallel-size=2", "--gpu-memory-utilization", "0.5"];
    const asked = vllm("Llama-3.1-8B", h100s, { parameters, tensorParallelSize: 2 });
    expect(optionsOf(asked)).toMatchObject([{ name: "tp2", devices: 2, share: 0.5 }]);
    expect(describeWay(asked, "tp2")).toMatchObject({
      arguments: [],
      memory: { devices: [{ takenBytes: 40 * gib }, { takenBytes: 40 * gib }] },
    });
  });

  it("propose a shorter context and a smaller cache", () => {
    const remedies = listWays(vllm("Qwen2.5-7B", h100s)).remedies();
    expect([...new Set(remedies.map(({ change }) => change))]).toEqual([
      "`contextLength: 16384`",
      "`contextLength: 8192`",
      "`extraParameters: [--kv-cache-dtype, fp8]`",
    ]);
  });
});

describe("the ways of llama-server", () => {
  it("are all layers on one or more devices, each with less on every device", () => {
    const options = optionsOf(problem(known(llama), h100s));
    expect(options.map(({ name, stage }) => [name, stage])).toEqual(
      Array.from({ length: 8 }, (_, index) => [`gpu${index + 1}`, 0]),
    );
    const bytes = options.map(({ bytesPerDevice }) => bytesPerDevice);
    expect(bytes).toEqual(bytes.toSorted((a, b) => b - a));
  });

  it("tell the server what it would decide by what is free", () => {
    const { memory, arguments: words } = describeWay(problem(known(llama), h100s), "gpu2");
    expect(words).toEqual([
      ...["--n-gpu-layers", "999", "--tensor-split", "1,1", "--fit", "off"],
      ...["--parallel", "4", "--kv-unified"],
    ]);
    expect(memory?.devices.map(({ device }) => device)).toEqual(["GPU-0", "GPU-1"]);
    for (const { weightsBytes, cacheBytes, otherBytes, takenBytes } of memory?.devices ?? [])
      expect(weightsBytes + cacheBytes + otherBytes).toBeLessThanOrEqual(takenBytes);
  });

  it("leave what the parameters say to the parameters", () => {
    const parameters = ["-ngl", "10", "-np", "2", "-ts", "3,1"];
    const asked = problem(known(llama), h100s, { parameters });
    expect(optionsOf(asked)).toMatchObject([{ devices: 2, stage: 0 }]);
    expect(describeWay(asked, "layers10on2").arguments).toEqual(["--fit", "off"]);
  });

  it("have as many layers on devices as fit, where that is allowed, and more layers are better", () => {
    const asked = problem(known(llama), small, deployed({ placement: { cpuOffload: true } }));
    const parts = optionsOf(asked).filter(({ stage }) => stage > 0);
    expect(parts.length).toBeGreaterThan(0);
    for (const { bytesPerDevice, stage, name } of parts) {
      expect(bytesPerDevice).toBeLessThanOrEqual(4 * gib);
      expect(name).toContain(`layers${33 - stage}on`);
    }
    expect(namesOf(problem(known(llama), small))).toEqual(["gpu1", "gpu2"]);
  });

  it("are not known where an argument is not foreseen", () => {
    const { ways, note } = listWays(problem(known(llama), h100s, { parameters: ["--override-tensor", "a=CPU"] }));
    expect(ways.map(({ option }) => [option.name, option.exclusive])).toEqual([["whole1", true]]);
    expect(note).toBe("what --override-tensor does to the memory is not worked out");
  });
});

describe("variables of the environment by which llama-server takes its parameters", () => {
  it("are not foreseen, but for those that change no memory", () => {
    const asked = (variables: string[]) => listWays(problem(known(llama), h100s, { variables }));
    expect(asked(["PATH", "LLAMA_ARG_THREADS_HTTP"]).note).toBeUndefined();
    expect(asked(["LLAMA_ARG_N_PARALLEL"])).toMatchObject({
      ways: [{ option: { name: "whole1", exclusive: true } }],
      note: "what LLAMA_ARG_N_PARALLEL does to the memory is not worked out",
    });
  });
});

describe("the ways of an engine that nobody knows", () => {
  it.each([
    [["--pipeline-parallel-size", "2"], 2, "whole4"],
    [["--data_parallel_size=2", "-pp", "2"], undefined, "whole4"],
    [["--dp-size", "4", "--enable-dp-attention"], 4, "whole4"],
    [["--split-mode", "row", "--tensor-split", "1,1,1"], undefined, "whole3"],
  ])("take the devices of the whole world of %j", (parameters, tensorParallelSize, name) => {
    expect(namesOf(problem(unknown, h100s, { parameters, tensorParallelSize }))).toEqual([name]);
  });

  it("take as many devices whole as its parameters say", () => {
    const asked = problem(unknown, h100s, { tensorParallelSize: 2 });
    expect(optionsOf(asked)).toMatchObject([{ name: "whole2", devices: 2, exclusive: true }]);
    expect(describeWay(asked, "whole2").memory?.devices).toMatchObject([
      { takenBytes: 80 * gib },
      { takenBytes: 80 * gib },
    ]);
    expect(listWays(asked).note).toBe("nobody knows");
  });

  it("take what the stack states", () => {
    const asked = problem(unknown, h100s, deployed({ resources: { vramBytes: 5 * gib, ramBytes: gib } }));
    expect(optionsOf(asked)).toMatchObject([{ devices: 1, bytesPerDevice: 5 * gib, ramBytes: gib }]);
    expect(describeWay(asked, "stated1")).toMatchObject({ memory: { basis: "stated" }, arguments: [] });
  });
});

describe("the way of a replica without a device", () => {
  it("takes what it needs of the host's memory: by its estimate, or as stated, or nothing that is known", () => {
    const [estimated] = optionsOf(problem(known(llama), none));
    expect(estimated).toMatchObject({ devices: 0 });
    expect((estimated?.ramBytes ?? 0) / gib).toBeGreaterThan(5);
    const stated = problem(known(llama), none, deployed({ resources: { ramBytes: gib } }));
    expect(optionsOf(stated)).toMatchObject([{ ramBytes: gib }]);
    expect(describeWay(problem(unknown, none), "host")).toEqual({ memory: undefined, arguments: [] });
  });

  it("counts what a device takes that works in the host's memory", () => {
    const [own] = optionsOf(problem(known(llama), { kind: "none", isUnified: true }));
    const [plain] = optionsOf(problem(known(llama), none));
    expect(own?.ramBytes).not.toBe(plain?.ramBytes);
    expect((own?.ramBytes ?? 0) / gib).toBeGreaterThan(5);
  });
});
