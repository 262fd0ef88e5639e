import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { GgufHeader } from "../../../src/model/gguf-header.js";
import { cacheTypes } from "../../../src/model/gguf-types.js";
import { estimateLlama } from "../../../src/model/llama-estimate.js";
import type { LlamaOptions } from "../../../src/model/llama-options.js";
import { ownBytes, sum, totalBytes, type DeviceMemory, type MemoryEstimate } from "../../../src/model/memory.js";
import { readHeader } from "../../support/gguf-file.js";
import { graniteHybridShape, lfm2Shape, mambaShape } from "../../support/gguf-hybrids.js";
import type { GgufShape } from "../../support/gguf-parts.js";
import { deepseek2Shape, gemma2Shape, gptOssShape, llamaShape, qwen3moeShape } from "../../support/gguf-shapes.js";
import { ggufHeader, type GgufValue } from "../../support/gguf-writer.js";

const size = { layers: 8, width: 512, feedForward: 2048, heads: 8, kvHeads: 2, headSize: 64, vocabulary: 32_000 };
const moe = { experts: 16, used: 4, expertForward: 256 };
const shapes = {
  llama: llamaShape(size),
  untied: llamaShape({ ...size, untied: true }),
  experts: qwen3moeShape(size, moe),
  windows: gemma2Shape(size, 1024),
  sinks: gptOssShape({ ...size, type: "Q8_0" }, moe, 128),
  latent: deepseek2Shape(size, moe, 1),
  state: mambaShape(size, { state: 16, kernel: 4 }),
  convolution: lfm2Shape(size, [1, 4, 7], 3),
  hybrid: graniteHybridShape(size, [3], { state: 64, groups: 1, heads: 16, kernel: 4 }),
};

const headers = new Map<string, GgufHeader>();
for (const [name, shape] of Object.entries(shapes)) headers.set(name, await headerOf(shape));

function headerOf({ metadata, tensors }: GgufShape): Promise<GgufHeader> {
  return readHeader(ggufHeader(metadata, tensors).header);
}

function estimate(name: string, options: LlamaOptions): MemoryEstimate {
  const header = headers.get(name);
  if (header === undefined) throw new Error(`no model ${name}`);
  return estimateLlama({ header, where: name }, options);
}

const whole = ({ places }: MemoryEstimate) => sum(places.map(totalBytes));
const all = ({ places }: MemoryEstimate, part: keyof Omit<DeviceMemory, "device" | "layers">) =>
  sum(places.map((place) => place[part]));

const names = fc.constantFrom(...Object.keys(shapes));
const options: fc.Arbitrary<LlamaOptions> = fc.record({
  contextLength: fc.integer({ min: 1, max: 200_000 }),
  parallel: fc.option(fc.integer({ min: 1, max: 64 }), { nil: undefined }),
  batch: fc.constantFrom(64, 512, 2048),
  keyType: fc.constantFrom(...cacheTypes),
  layers: fc.integer({ min: 0, max: 12 }),
  split: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 4 }),
  cacheOnHost: fc.boolean(),
  expertsOnHost: fc.integer({ min: 0, max: 9 }),
  remote: fc.boolean(),
});

const holds = (property: fc.IProperty<[string, LlamaOptions]>) => fc.assert(property, { numRuns: 300 });

describe("an estimate of llama-server's memory", () => {
  it("is nowhere negative and nowhere a fraction of nothing", () =>
    holds(
      fc.property(names, options, (name, asked) => {
        for (const place of estimate(name, asked).places) {
          for (const value of Object.values(place).filter((each) => typeof each === "number")) {
            expect(Number.isFinite(value)).toBe(true);
            expect(value).toBeGreaterThanOrEqual(0);
          }
        }
      }),
    ));

  it("does not fall when a text may be longer", () =>
    holds(
      fc.property(names, options, (name, asked) => {
        const longer = { ...asked, contextLength: (asked.contextLength ?? 0) * 2 };
        expect(whole(estimate(name, longer))).toBeGreaterThanOrEqual(whole(estimate(name, asked)));
      }),
    ));

  it("does not fall with more texts at once of the same length", () =>
    holds(
      fc.property(names, options, (name, asked) => {
        const parallel = asked.parallel ?? 4;
        const contextLength = 4096;
        const few = estimate(name, { ...asked, parallel, contextLength: contextLength * parallel });
        const more = estimate(name, {
          ...asked,
          parallel: parallel + 1,
          contextLength: contextLength * (parallel + 1),
        });
        expect(more.contextLength).toBe(few.contextLength);
        expect(whole(more)).toBeGreaterThanOrEqual(whole(few));
      }),
    ));

  it("puts no fewer weights on devices when more layers go there", () =>
    holds(
      fc.property(names, options, (name, asked) => {
        const onDevices = (layers: number) =>
          sum(
            estimate(name, { ...asked, layers })
              .places.slice(1)
              .map(({ weightsBytes }) => weightsBytes),
          );
        expect(onDevices((asked.layers ?? 0) + 1)).toBeGreaterThanOrEqual(onDevices(asked.layers ?? 0));
      }),
    ));

  it("shares one model among the places: caches add up to the same, weights to the same or one more copy of the input", () =>
    holds(
      fc.property(names, options, (name, asked) => {
        const header = headers.get(name);
        const weights = sum((header?.tensors ?? []).map(({ bytes }) => bytes));
        const input = header?.tensors.find((tensor) => tensor.name === "token_embd.weight")?.bytes ?? 0;
        const shared = estimate(name, { ...asked, mapped: false });
        const alone = estimate(name, { ...asked, mapped: false, split: [] });
        expect(all(shared, "cacheBytes")).toBe(all(alone, "cacheBytes"));
        expect([weights, weights + input]).toContain(all(shared, "weightsBytes"));
      }),
    ));

  it("counts every layer once, and the output", () =>
    holds(
      fc.property(names, options, (name, asked) => {
        const { places } = estimate(name, asked);
        expect(sum(places.map(({ layers }) => layers))).toBe(size.layers + 1);
      }),
    ));

  it("takes what the server does when nothing is said: 8192 tokens that four texts share, all layers on devices", () => {
    const { contextLength, parallel, places, notes } = estimate("llama", { split: [1, 1] });
    expect({ contextLength, parallel }).toEqual({ contextLength: 8192, parallel: 4 });
    expect(places.map(({ device, layers }) => [device, layers])).toEqual([
      ["host", 0],
      [0, 5],
      [1, 4],
    ]);
    expect(notes).toContain("4 texts share a cache of 8192 tokens");
  });

  it("knows what a cache takes: two heads of 64, keys and values, 16 bits, eight layers", () => {
    const bytes = (asked: LlamaOptions) => all(estimate("llama", asked), "cacheBytes");
    expect(bytes({ contextLength: 4096 })).toBe(4096 * 8 * 2 * 2 * 64 * 2);
    expect(bytes({ contextLength: 4096, keyType: "q8_0", valueType: "q8_0" })).toBe(4096 * 8 * 2 * 4 * 34);
    // Four of eight layers keep 1024 tokens for each of four texts, and those of a step.
    const windowed = (4096 * 4 + 1024 * 4 * 4) * 2 * 2 * 64 * 2;
    expect(all(estimate("windows", { contextLength: 4096 }), "cacheBytes")).toBe(windowed);
    expect(all(estimate("latent", { contextLength: 4096 }), "cacheBytes")).toBe(4096 * 8 * 576 * 2);
    expect(all(estimate("state", { contextLength: 4096, parallel: 3 }), "cacheBytes")).toBe(
      3 * 8 * (3 * 1024 + 16 * 1024) * 4,
    );
  });

  it("takes an architecture that it does not know for one that keeps everything, and says so", async () => {
    const { metadata, tensors } = gemma2Shape(size, 1024);
    const renamed = Object.fromEntries(
      Object.entries(metadata).map(([key, value]): [string, GgufValue] => [key.replace(/^gemma2\./, "newest."), value]),
    );
    const header = await headerOf({ metadata: { ...renamed, "general.architecture": "newest" }, tensors });
    const told = estimateLlama({ header, where: "newest" }, { contextLength: 8192 });
    expect(told.isUpperBound).toBe(true);
    expect(told.notes.join()).toMatch(/newest is not known/);
    expect(sum(told.places.map(ownBytes))).toBeGreaterThan(
      sum(estimate("windows", { contextLength: 8192 }).places.map(ownBytes)),
    );
  });

  it("is refused, and never nothing, when the file does not say what it depends on", async () => {
    const { metadata, tensors } = llamaShape(size);
    for (const key of [
      "general.architecture",
      "llama.block_count",
      "llama.attention.head_count",
      "llama.embedding_length",
    ]) {
      const header = await headerOf({ metadata: omit(metadata, key), tensors });
      expect(() => estimateLlama({ header, where: "model.gguf" }, {})).toThrow(
        expect.objectContaining({ code: "model-unavailable", message: expect.stringContaining(key) as string }),
      );
    }
  });

  it("is refused for values in a form that only flash attention reads", () => {
    expect(() => estimate("llama", { valueType: "q8_0", flashAttention: false })).toThrow(/flash attention/);
  });
});

function omit(metadata: Readonly<Record<string, GgufValue>>, without: string): Record<string, GgufValue> {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => key !== without));
}
