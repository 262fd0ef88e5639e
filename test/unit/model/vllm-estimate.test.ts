import { readFileSync } from "node:fs";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { readConfig } from "../../../src/model/hub-config.js";
import { readHubShape } from "../../../src/model/hub-shape.js";
import { deriveTensors } from "../../../src/model/hub-tensors.js";
import { shardWeights, weightBytes } from "../../../src/model/hub-weights.js";
import { sum, totalBytes } from "../../../src/model/memory.js";
import { tokensIn, type VllmCache } from "../../../src/model/vllm-cache.js";
import { estimateVllm, type VllmEstimate, type VllmOptions } from "../../../src/model/vllm-estimate.js";

const [kibibyte, gibibyte] = [2 ** 10, 2 ** 30];

function configOf(name: string) {
  const file = new URL(`../../fixtures/model-configs/${name}/config.json`, import.meta.url);
  return readConfig(JSON.parse(readFileSync(file, "utf8")), name);
}

function estimate(name: string, options: VllmOptions = {}): VllmEstimate {
  const config = configOf(name);
  return estimateVllm({ config, tensors: deriveTensors(config), where: name }, options);
}

/** Published: billions of parameters, GiB of weights in 16 bits, KiB of a token, GiB of 8192 tokens. */
const published = [
  ["Qwen2.5-0.5B", 0.494, 0.9, 12, 0.09],
  ["Llama-3.2-3B", 3.21, 6.0, 112, 0.88],
  ["Qwen2.5-7B", 7.62, 14.2, 56, 0.44],
  ["Mistral-7B-v0.3", 7.25, 13.5, 128, 1.0],
  ["Llama-3.1-8B", 8.03, 15.0, 128, 1.0],
  ["phi-4", 14.66, 27.3, 200, 1.56],
  ["Qwen2.5-32B", 32.76, 61.0, 256, 2.0],
  ["Qwen3-30B-A3B", 30.5, 56.8, 96, 0.75],
  ["Mixtral-8x7B-v0.1", 46.7, 87.0, 128, 1.0],
  ["Llama-3.1-70B", 70.55, 131.4, 320, 2.5],
  ["Qwen2.5-72B", 72.71, 135.4, 320, 2.5],
  ["Llama-3.1-405B", 405.9, 756.0, 504, 3.94],
] as const;

describe("the memory of a model on the Hub", () => {
  it.each(published)("of %s is the published one within 1 %", (name, billions, weights, token, cache) => {
    const config = configOf(name);
    const parameters = sum(
      deriveTensors(config).map(({ shape }) => shape.reduce((product, size) => product * size, 1)),
    );
    expectWithin(parameters / 1e9, billions, 0.01);
    const { places, tokenBytes } = estimate(name, { contextLength: 8192 });
    const [device] = places;
    // The table has one digit after the point.
    expect(Math.abs((device?.weightsBytes ?? 0) / gibibyte - weights)).toBeLessThan(Math.max(weights * 0.01, 0.051));
    expect(tokenBytes / kibibyte).toBe(token);
    expect(Math.abs((device?.cacheBytes ?? 0) / gibibyte - cache)).toBeLessThan(Math.max(cache * 0.01, 0.0051));
  });

  it("of DeepSeek-V3 is 671 billion weights, and a token takes 576 numbers in each of 61 layers", () => {
    const parameters = sum(
      deriveTensors(configOf("DeepSeek-V3")).map(({ shape }) => shape.reduce((product, size) => product * size, 1)),
    );
    expectWithin(parameters / 1e9, 671, 0.01);
    const { tokenBytes, places } = estimate("DeepSeek-V3", { contextLength: 8192, tensorParallel: 8 });
    expect(tokenBytes).toBe(61 * 576 * 2);
    expectWithin((places[0]?.cacheBytes ?? 0) / gibibyte, 0.536, 0.01);
  });
});

/** From logs of others; not run here on a GPU. */
describe("what vLLM logged", () => {
  it("8.11 GiB hold 178,880 tokens of Qwen3-235B-A22B-FP8 on four devices (vllm #21348): within 2 %", () => {
    const shape = readHubShape(configOf("Qwen3-235B-A22B-FP8"));
    const cache: VllmCache = { tensorParallel: 4, numberBytes: 2, blockTokens: 16, batchTokens: 8192 };
    expectWithin(tokensIn(shape, shape.windows, cache, 8.11 * gibibyte), 178_880, 0.02);
  });

  it("57.75 GB of weights of Llama-3.1-405B-FP8 on each of eight devices (vllm #6746): within 3 %", () => {
    const { places } = estimate("Llama-3.1-405B-FP8", { tensorParallel: 8 });
    // What vLLM of then called GB are GiB: it divides by 2 to the power of 30.
    for (const { weightsBytes } of places) expectWithin(weightsBytes / gibibyte, 57.75, 0.03);
  });
});

const names = fc.constantFrom("Qwen2.5-7B", "Llama-3.1-8B", "Mixtral-8x7B-v0.1", "phi-4");
const options = fc.record({
  contextLength: fc.integer({ min: 1, max: 200_000 }),
  parallel: fc.integer({ min: 1, max: 64 }),
  tensorParallel: fc.constantFrom(1, 2, 4),
  pipelineParallel: fc.constantFrom(1, 2, 3, 4),
  eightBitCache: fc.boolean(),
  deviceBytes: fc.option(fc.constantFrom(24 * gibibyte, 80 * gibibyte), { nil: undefined }),
});
const whole = ({ places }: VllmEstimate) => sum(places.map(totalBytes));
const holds = (property: fc.IProperty<[string, VllmOptions]>) => fc.assert(property, { numRuns: 60 });

describe("an estimate of vLLM's memory", () => {
  it("is nowhere negative, and has a device for each part", () =>
    holds(
      fc.property(names, options, (name, asked) => {
        const made = estimate(name, asked);
        expect(made.places).toHaveLength(asked.tensorParallel * asked.pipelineParallel);
        expect(made.kvCacheMemoryBytes ?? 0).toBeGreaterThanOrEqual(0);
        for (const place of made.places)
          for (const value of Object.values(place)) expect(value).toBeGreaterThanOrEqual(0);
      }),
    ));

  it("does not fall with longer texts, or more of them", () =>
    holds(
      fc.property(names, options, (name, asked) => {
        const made = whole(estimate(name, asked));
        const { contextLength, parallel } = asked;
        expect(whole(estimate(name, { ...asked, contextLength: contextLength + 1000 }))).toBeGreaterThanOrEqual(made);
        expect(whole(estimate(name, { ...asked, parallel: parallel + 1 }))).toBeGreaterThan(made);
      }),
    ));

  it("cuts weights into parts that are together the whole, and no more than 1 % above it", () =>
    holds(
      fc.property(names, options, (name, { tensorParallel, pipelineParallel }) => {
        const config = configOf(name);
        const tensors = deriveTensors(config);
        const parts = sum(shardWeights(tensors, readHubShape(config), { tensorParallel, pipelineParallel }));
        expect(parts).toBeGreaterThanOrEqual(weightBytes(tensors));
        expect(parts).toBeLessThanOrEqual(weightBytes(tensors) * 1.01);
      }),
    ));

  it("takes 0.9 of a device and 8192 tokens when nobody says otherwise, and tells the bytes of the cache", () => {
    const deviceBytes = 80 * gibibyte;
    const made = estimate("Llama-3.1-8B", { deviceBytes });
    expect([made.utilization, made.contextLength]).toEqual([0.9, 8192]);
    const [place] = made.places;
    if (place === undefined || made.kvCacheMemoryBytes === undefined) throw new Error("nothing was estimated");
    const others = totalBytes(place) - place.cacheBytes;
    expect(others + made.kvCacheMemoryBytes).toBeLessThanOrEqual(deviceBytes * 0.9);
    expect(others + made.kvCacheMemoryBytes).toBeGreaterThan(deviceBytes * 0.9 - 1);
    expect(made.kvCacheTokens).toBe(Math.floor(made.kvCacheMemoryBytes / (made.tokenBytes * 16)) * 16);
    expect(estimate("Llama-3.1-8B", { deviceBytes, utilization: 0.5 }).kvCacheMemoryBytes).toBeLessThan(
      made.kvCacheMemoryBytes,
    );
    expect(estimate("phi-4", {}).contextLength).toBe(8192);
  });

  it("is refused where devices do not divide the heads, and where there are no weights", () => {
    expect(() => estimate("Qwen2.5-7B", { tensorParallel: 8 })).toThrow(/do not divide/);
    const config = configOf("Qwen2.5-7B");
    expect(() => estimateVllm({ config, tensors: [], where: "x" }, {})).toThrow(
      expect.objectContaining({ code: "model-unavailable" }),
    );
  });

  it("keeps windows only for layers that see windows, in groups of equally many", () => {
    const config = readConfig({ ...plain, model_type: "gemma2", sliding_window: 4096 }, "x");
    const tensors = deriveTensors(config);
    const bytes = (contextLength: number) =>
      estimateVllm({ config, tensors, where: "x" }, { contextLength }).places[0]?.cacheBytes ?? 0;
    const token = 2 * 2 * 64 * 2;
    expect(bytes(65_536)).toBe(token * 4 * (65_536 + 16 * (Math.ceil((4095 + 2048) / 16) + 1)));
    const all = readConfig({ ...plain, model_type: "newest", sliding_window: 4096 }, "x");
    const bound = estimateVllm({ config: all, tensors, where: "x" }, { contextLength: 65_536 });
    expect(bound.isUpperBound).toBe(true);
    expect(bound.places[0]?.cacheBytes).toBe(token * 8 * 65_536);
  });

  it.each(["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"])(
    "is refused for a configuration without %s",
    (key) => {
      const config = readConfig(Object.fromEntries(Object.entries(plain).filter(([own]) => own !== key)), "x");
      expect(() => readHubShape(config)).toThrow(expect.objectContaining({ code: "model-unavailable" }));
    },
  );

  it("counts 4 bits and their scales for AWQ, and whole numbers for what is not converted", () => {
    const bits = (quantization: object) =>
      weightBytes(deriveTensors(readConfig({ ...plain, quantization_config: quantization }, "x")));
    const unquantised = weightBytes(deriveTensors(readConfig(plain, "x")));
    expect(bits({ quant_method: "awq", bits: 4, group_size: 128 })).toBeLessThan(unquantised);
    expect(bits({ quant_method: "awq", bits: 4, group_size: 128, modules_to_not_convert: ["self_attn", "mlp"] })).toBe(
      unquantised,
    );
  });
});

const plain = {
  architectures: ["TestForCausalLM"],
  model_type: "llama",
  hidden_size: 512,
  intermediate_size: 2048,
  num_hidden_layers: 8,
  num_attention_heads: 8,
  num_key_value_heads: 2,
  vocab_size: 32_000,
  max_position_embeddings: 131_072,
};

function expectWithin(value: number, told: number, part: number): void {
  expect(Math.abs(value / told - 1)).toBeLessThanOrEqual(part);
}
