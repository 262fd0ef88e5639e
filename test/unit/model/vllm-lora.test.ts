import { readFileSync } from "node:fs";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { readConfig } from "../../../src/model/hub-config.js";
import { readHubShape } from "../../../src/model/hub-shape.js";
import { deriveTensors } from "../../../src/model/hub-tensors.js";
import { estimateVllm } from "../../../src/model/vllm-estimate.js";
import { loraBytes, whyNoLora } from "../../../src/model/vllm-lora.js";
import { thrownBy } from "../support/thrown.js";

function modelOf(name: string) {
  const file = new URL(`../../fixtures/model-configs/${name}/config.json`, import.meta.url);
  const config = readConfig(JSON.parse(readFileSync(file, "utf8")), name);
  return { config, tensors: deriveTensors(config), where: name, shape: readHubShape(config) };
}

/** What the vocabulary adds, which adapters of the layers alone do not have. */
function vocabularyBytes({ vocabulary, width }: { vocabulary: number; width: number }, rank: number): number {
  return 2 * (rank * 2 * (vocabulary + 256 + width) + 256 * width);
}

describe("the places for adapters", () => {
  // Parameters of adapters of rank 16 on all matrices of the layers, as peft and Unsloth print them of these models.
  it.each([
    ["Llama-3.1-8B", 41_943_040],
    ["Mistral-7B-v0.3", 41_943_040],
    ["Qwen2.5-7B", 40_370_176],
  ])("of %s hold an adapter of rank 16 of %i numbers", (name, numbers) => {
    const { tensors, shape } = modelOf(name);
    const bytes = loraBytes(tensors, shape, 1, { slots: 1, rank: 16 });
    expect(bytes - vocabularyBytes(shape, 16)).toBe(numbers * 2);
  });

  it("are as many times as large as there are places, and smaller on each of several devices, but not by as much", () => {
    const { tensors, shape } = modelOf("Llama-3.1-8B");
    const ranks = fc.integer({ min: 1, max: 512 });
    fc.assert(
      fc.property(ranks, fc.integer({ min: 1, max: 32 }), fc.constantFrom(2, 4, 8), (rank, slots, devices) => {
        const one = loraBytes(tensors, shape, 1, { slots: 1, rank });
        expect(loraBytes(tensors, shape, 1, { slots, rank })).toBe(slots * one);
        const part = loraBytes(tensors, shape, devices, { slots: 1, rank });
        expect(part).toBeLessThan(one);
        expect(part).toBeGreaterThan(one / devices);
      }),
      { numRuns: 30 },
    );
  });

  it("take memory of the device that the cache does not get", () => {
    const { config, tensors, where } = modelOf("Llama-3.1-8B");
    const options = { deviceBytes: 80 * 2 ** 30 };
    const [plain, adapted] = [undefined, { slots: 4, rank: 64 }].map((lora) =>
      estimateVllm({ config, tensors, where }, { ...options, lora }),
    );
    const less = (plain?.kvCacheMemoryBytes ?? 0) - (adapted?.kvCacheMemoryBytes ?? 0);
    expect(less).toBeGreaterThan(4 * 4 * 41_943_040 * 2);
    expect(adapted?.notes.join()).toContain("places for adapters");
  });

  it("of experts and of quantised weights are not known", () => {
    const { config, tensors, where } = modelOf("Mixtral-8x7B-v0.1");
    expect(whyNoLora(tensors)).toBe("what adapters of experts take is not worked out");
    const lora = { slots: 1, rank: 16 };
    expect(thrownBy(() => estimateVllm({ config, tensors, where }, { lora })).code).toBe("usage");
    expect(whyNoLora([{ name: "model.layers.0.self_attn.q_proj.weight", shape: [8, 8], bytes: 64 }])).toContain(
      "quantised",
    );
  });
});

describe("tokens that are guessed from the text itself", () => {
  it("take the results of all of them, and nothing else", () => {
    const { config, tensors, where } = modelOf("Qwen2.5-0.5B");
    const [plain, guessing] = [undefined, 4].map((guessedTokens) => {
      const [place] = estimateVllm({ config, tensors, where }, { guessedTokens }).places;
      if (place === undefined) throw new Error("nothing was estimated");
      return place;
    });
    expect(guessing?.computeBytes).toBe(5 * (plain?.computeBytes ?? 0));
    expect({ ...guessing, computeBytes: 0 }).toEqual({ ...plain, computeBytes: 0 });
  });
});
