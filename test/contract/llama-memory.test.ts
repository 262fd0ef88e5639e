import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { estimateLlama } from "../../src/model/llama-estimate.js";
import type { LlamaOptions } from "../../src/model/llama-options.js";
import { ownBytes, sum, type MemoryEstimate } from "../../src/model/memory.js";
import { readHeaderOf } from "../support/gguf-file.js";
import { graniteHybridShape, lfm2Shape, mambaShape, qwen3nextShape } from "../support/gguf-hybrids.js";
import type { GgufShape } from "../support/gguf-parts.js";
import {
  deepseek2Shape,
  gemma2Shape,
  gptOssShape,
  llamaShape,
  qwen3moeShape,
  rerankerShape,
} from "../support/gguf-shapes.js";
import { writeSparseGguf } from "../support/gguf-writer.js";
import { hasLlamaBuilds } from "../support/llama-builds.js";
import { LlamaTools, type LlamaReport } from "../support/llama-report.js";
import { fetchQuickstartModel } from "../support/quickstart-model.js";

const isPossible = process.env.BERTH_TEST_ALL === "1" || (hasLlamaBuilds() && process.platform === "linux");
if (!isPossible) console.warn("skipped: there are no builds of llama-server beside this checkout");

const mebibyte = 2 ** 20;

/** As published for the models that they are named by; see each architecture's model card. */
const shapes: Record<string, GgufShape> = {
  "Llama-3.2-1B": llamaShape({
    ...{ layers: 16, width: 2048, feedForward: 8192, heads: 32, kvHeads: 8, headSize: 64, vocabulary: 128_256 },
  }),
  "Llama-3.1-8B": llamaShape({
    ...{ layers: 32, width: 4096, feedForward: 14_336, heads: 32, kvHeads: 8, headSize: 128, vocabulary: 128_256 },
    untied: true,
  }),
  "Qwen3-30B-A3B": qwen3moeShape(
    { layers: 48, width: 2048, feedForward: 6144, heads: 32, kvHeads: 4, headSize: 128, vocabulary: 151_936 },
    { experts: 128, used: 8, expertForward: 768 },
  ),
  "gemma-2-9b": gemma2Shape(
    { layers: 42, width: 3584, feedForward: 14_336, heads: 16, kvHeads: 8, headSize: 256, vocabulary: 256_000 },
    4096,
  ),
  "gpt-oss-20b": gptOssShape(
    {
      ...{ layers: 24, width: 2880, feedForward: 2880, heads: 64, kvHeads: 8, headSize: 64, vocabulary: 201_088 },
      type: "Q8_0",
    },
    { experts: 32, used: 4, expertForward: 2880 },
    128,
  ),
  "DeepSeek-V3": deepseek2Shape(
    { layers: 61, width: 7168, feedForward: 18_432, heads: 128, kvHeads: 128, headSize: 128, vocabulary: 129_280 },
    { experts: 256, used: 8, expertForward: 2048 },
    3,
  ),
  "mamba-1.4b": mambaShape(
    { layers: 48, width: 2048, feedForward: 0, heads: 0, kvHeads: 0, headSize: 0, vocabulary: 50_280 },
    { state: 16, kernel: 4 },
  ),
  "bge-reranker-v2-m3": rerankerShape({
    ...{ layers: 24, width: 1024, feedForward: 4096, heads: 16, kvHeads: 16, headSize: 64, vocabulary: 250_002 },
  }),
  "LFM2-1.2B": lfm2Shape(
    { layers: 16, width: 2048, feedForward: 8192, heads: 32, kvHeads: 8, headSize: 64, vocabulary: 65_536 },
    [2, 5, 8, 10, 12, 14],
    3,
  ),
  "Qwen3-Next-80B": qwen3nextShape(
    { layers: 48, width: 2048, feedForward: 5120, heads: 16, kvHeads: 2, headSize: 256, vocabulary: 151_936 },
    { experts: 512, used: 10, expertForward: 512 },
    { state: 128, groups: 16, heads: 32, kernel: 4 },
  ),
  "granite-4.0-h-micro": graniteHybridShape(
    { layers: 40, width: 2048, feedForward: 8192, heads: 32, kvHeads: 8, headSize: 64, vocabulary: 100_352 },
    [5, 15, 25, 35],
    { state: 128, groups: 1, heads: 64, kernel: 4 },
  ),
};

type Case = readonly [model: string, flags: string, options: LlamaOptions];

const onHost: readonly Case[] = [
  ...Object.keys(shapes).map((model): Case => [model, "-c 8192", { contextLength: 8192 }]),
  ["Llama-3.1-8B", "-c 32768 -np 8", { contextLength: 32_768, parallel: 8 }],
  ["Llama-3.1-8B", "-c 32768 -np 8 -kvu", { contextLength: 32_768, parallel: 8, sharedCache: true }],
  ["Llama-3.1-8B", "-c 8192 -ub 2048", { contextLength: 8192, batch: 2048 }],
  ["Llama-3.1-8B", "-c 8192 -ctk q8_0 -ctv q8_0", { contextLength: 8192, keyType: "q8_0", valueType: "q8_0" }],
  ["Llama-3.1-8B", "-c 8192 -fa off", { contextLength: 8192, flashAttention: false }],
  ["Llama-3.2-1B", "-c 65536 -fa off", { contextLength: 65_536, flashAttention: false }],
  ["gemma-2-9b", "-c 32768", { contextLength: 32_768 }],
  ["gemma-2-9b", "-c 32768 -np 2 --swa-full", { contextLength: 32_768, parallel: 2, fullWindows: true }],
  ["gpt-oss-20b", "-c 131072 -np 8", { contextLength: 131_072, parallel: 8 }],
  ["DeepSeek-V3", "-c 65536", { contextLength: 65_536 }],
  ["DeepSeek-V3", "-c 8192 -fa off", { contextLength: 8192, flashAttention: false }],
  ["bge-reranker-v2-m3", "-c 8192 --reranking -ub 2048", { contextLength: 8192, batch: 2048 }],
  ["mamba-1.4b", "-c 8192 -np 16", { contextLength: 8192, parallel: 16 }],
  ["Qwen3-Next-80B", "-c 8192 -np 16", { contextLength: 8192, parallel: 16 }],
];

const onDevices: readonly Case[] = [
  ["Llama-3.2-1B", "-c 8192 -ngl 99", { contextLength: 8192, split: [1] }],
  ["Llama-3.2-1B", "-c 8192 -ngl 9", { contextLength: 8192, split: [1], layers: 9 }],
  ["Llama-3.2-1B", "-c 8192 -ngl 1", { contextLength: 8192, split: [1], layers: 1 }],
  ["Llama-3.2-1B", "-c 8192 -ngl 9 -nkvo", { contextLength: 8192, split: [1], layers: 9, cacheOnHost: true }],
  ["Llama-3.2-1B", "-c 8192 -ngl 99 -ts 3,1", { contextLength: 8192, split: [3, 1] }],
  ["Llama-3.2-1B", "-c 8192 -ngl 9 -ts 1,1", { contextLength: 8192, split: [1, 1], layers: 9 }],
  ["Llama-3.1-8B", "-c 8192 -ngl 99 -ts 1,1", { contextLength: 8192, split: [1, 1] }],
  ["Qwen3-30B-A3B", "-c 8192 -ngl 99 -ncmoe 10", { contextLength: 8192, split: [1], expertsOnHost: 10 }],
  ["gpt-oss-20b", "-c 8192 -ngl 99", { contextLength: 8192, split: [1] }],
  ["DeepSeek-V3", "-c 8192 -ngl 20", { contextLength: 8192, split: [1], layers: 20 }],
  ["LFM2-1.2B", "-c 8192 -ngl 99", { contextLength: 8192, split: [1] }],
  ["bge-reranker-v2-m3", "-c 8192 --reranking -ngl 99", { contextLength: 8192, split: [1] }],
  ["bge-reranker-v2-m3", "-c 8192 --embedding -ngl 99", { contextLength: 8192, split: [1] }],
  ["bge-reranker-v2-m3", "-c 8192 --reranking -ngl 12", { contextLength: 8192, split: [1], layers: 12 }],
];

describe.runIf(isPossible)("what llama-server reports of its own memory is estimated from the header alone", () => {
  let tools: LlamaTools;

  beforeAll(async () => {
    tools = await LlamaTools.unpack("b11435");
    for (const [name, { metadata, tensors }] of Object.entries(shapes))
      writeSparseGguf(tools.path(name), metadata, tensors);
  });
  afterAll(() => tools.dispose());

  const estimate = async (path: string, options: LlamaOptions) =>
    estimateLlama({ header: await readHeaderOf(path), where: path }, { remote: true, ...options });

  it.each([
    { contextLength: 2048, cache: 36 },
    { contextLength: 8192, cache: 61.5 },
  ])("of the quickstart's model with $contextLength tokens", async ({ contextLength, cache }) => {
    const model = await fetchQuickstartModel();
    const told = await tools.report(model, ["-c", String(contextLength), "--fit", "off"], 0, true);
    const { places } = await estimate(model, { contextLength });
    const [host] = places;
    if (host === undefined) throw new Error("nothing was estimated");
    expect(told.cache).toBe(cache);
    expect(host.cacheBytes / mebibyte).toBe(cache);
    expectWithin(host.weightsBytes, told.loaded, 0.005);
    const total = told.loaded + told.cache + told.host.compute + told.output;
    expectTotal(ownBytes(host), total);
    expectWithin(host.computeBytes, told.host.compute, 0.05);
  });

  it.each(onHost)("of %s with %s", async (model, flags, options) => {
    const told = await tools.report(tools.path(model), flags.split(" "));
    // The server tells weights as if nothing were mapped.
    expectReport(await estimate(tools.path(model), { ...options, mapped: false }), told);
  });

  it.each(onDevices)("of %s with %s on devices", async (model, flags, options) => {
    const count = options.split?.length ?? 0;
    const told = await tools.report(tools.path(model), flags.split(" "), count);
    const made = await estimate(tools.path(model), { ...options, mapped: false });
    expectReport(made, told);
    for (const [index, device] of told.devices.entries()) {
      const place = made.places[index + 1];
      if (place === undefined) throw new Error(`nothing was estimated for device ${index}`);
      expect(Math.abs(place.weightsBytes / mebibyte - device.model)).toBeLessThan(1);
      expectTotal(place.weightsBytes + place.computeBytes, device.model + device.compute);
    }
  });
});

function expectReport({ places }: MemoryEstimate, told: LlamaReport): void {
  const total = (part: "weightsBytes" | "cacheBytes" | "computeBytes") => sum(places.map((place) => place[part]));
  expect(total("cacheBytes") / mebibyte).toBeCloseTo(told.cache, 1);
  const devices = sum(told.devices.map(({ model }) => model));
  // Each row of the report is rounded down to whole MiB.
  expect(Math.abs(total("weightsBytes") / mebibyte - told.host.model - devices)).toBeLessThan(4);
  const compute = told.host.compute + sum(told.devices.map((device) => device.compute));
  const whole = told.host.model + devices + told.cache + compute;
  expectTotal(total("weightsBytes") + total("cacheBytes") + total("computeBytes"), whole);
}

/** As close as is promised: no more than 5 % or 32 MiB too high, never more than 2 % too low. */
function expectTotal(bytes: number, told: number): void {
  expect(bytes / mebibyte).toBeLessThanOrEqual(Math.max(told * 1.05, told + 32));
  expect(bytes / mebibyte).toBeGreaterThanOrEqual(told * 0.98);
}

function expectWithin(bytes: number, told: number, part: number): void {
  expect(Math.abs(bytes / mebibyte / told - 1)).toBeLessThanOrEqual(part);
}
