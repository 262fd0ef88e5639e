import { describe, expect, it } from "vitest";

import { readGgufShape, type GgufShape } from "../../../src/model/gguf-shape.js";
import { estimateLlama } from "../../../src/model/llama-estimate.js";
import { readHeader } from "../../support/gguf-file.js";
import { llamaShape } from "../../support/gguf-shapes.js";
import { ggufHeader, type GgufTensorSpec, type GgufValue } from "../../support/gguf-writer.js";

const size = { layers: 8, width: 256, feedForward: 512, heads: 4, kvHeads: 2, headSize: 64, vocabulary: 1000 };

/** A model of another architecture, with these keys of its own. */
async function shapeOf(architecture: string, own: Record<string, GgufValue>): Promise<GgufShape> {
  const { metadata, tensors } = llamaShape(size);
  const told = Object.entries(metadata).map(([key, value]) => [key.replace(/^llama\./, `${architecture}.`), value]);
  const more = Object.entries(own).map(([key, value]) => [`${architecture}.${key}`, value]);
  const pairs = Object.fromEntries([...told, ...more, ["general.architecture", architecture]]) as Record<
    string,
    GgufValue
  >;
  return readGgufShape(await readHeader(ggufHeader(pairs, tensors).header), architecture);
}

const keys = ({ layers }: GgufShape) => layers.map((layer) => layer.keys);
const windows = ({ layers }: GgufShape) => layers.map(({ window }) => window ?? 0);
const states = ({ layers }: GgufShape) => layers.map(({ state }) => state);
const stateSpace = { "ssm.conv_kernel": 4, "ssm.inner_size": 512, "ssm.state_size": 16, "ssm.group_count": 1 };

describe("what a layer keeps, by architecture", () => {
  it("is nothing for layers that only predict further tokens", async () => {
    expect(keys(await shapeOf("glm4moe", { nextn_predict_layers: 1 }))).toEqual([...new Array<number>(7).fill(128), 0]);
  });

  it("is nothing for layers that use an earlier one's cache", async () => {
    const flags = [true, true, true, false, true, true, true, false];
    const shape = await shapeOf("gemma4", {
      "attention.shared_kv_layers": 3,
      "attention.sliding_window": 512,
      "attention.sliding_window_pattern": flags,
      "attention.key_length_swa": 32,
    });
    expect(keys(shape)).toEqual([64, 64, 64, 128, 64, 0, 0, 0]);
    expect(windows(shape)).toEqual([512, 512, 512, 0, 512, 512, 512, 0]);
  });

  it.each([
    ["gemma3", { "attention.sliding_window": 512 }, [512, 512, 512, 512, 512, 0, 512, 512]],
    ["gemma3", {}, [0, 0, 0, 0, 0, 0, 0, 0]],
    ["gemma2", {}, [4096, 0, 4096, 0, 4096, 0, 4096, 0]],
    ["cohere2moe", { "attention.sliding_window": 64 }, [0, 64, 64, 64, 0, 64, 64, 64]],
    ["llama4", {}, [8192, 8192, 8192, 0, 8192, 8192, 8192, 0]],
    ["llama4", { "attention.sliding_window": 0 }, [0, 0, 0, 0, 0, 0, 0, 0]],
    ["phi3", { "attention.sliding_window": 2048 }, [0, 0, 0, 0, 0, 0, 0, 0]],
    ["olmo2", { "attention.sliding_window": 64, "attention.sliding_window_pattern": 2 }, [64, 0, 64, 0, 64, 0, 64, 0]],
  ])("is a window in %s with %j where llama.cpp has one", async (architecture, own, expected) => {
    expect(windows(await shapeOf(architecture, own))).toEqual(expected);
  });

  it("is a state in three of four layers, in all beside a cache, or where there are no heads", async () => {
    const state = 3 * (512 + 2 * 16) + 16 * 512;
    const some = await shapeOf("qwen3next", stateSpace);
    expect(states(some)).toEqual([state, state, state, 0, state, state, state, 0]);
    expect(keys(some)).toEqual([0, 0, 0, 128, 0, 0, 0, 128]);
    const both = await shapeOf("falcon-h1", stateSpace);
    expect([...new Set(states(both)), ...new Set(keys(both))]).toEqual([state, 128]);
    const few = await shapeOf("jamba", { ...stateSpace, "attention.head_count_kv": [0, 0, 2, 0, 0, 0, 2, 0] });
    expect(keys(few)).toEqual([0, 0, 128, 0, 0, 0, 128, 0]);
    expect(states(few).map((each) => each > 0)).toEqual(keys(few).map((each) => each === 0));
  });

  it("is a cache of keys that choose, beside a latent one", async () => {
    const shape = await shapeOf("deepseek32", {
      "attention.key_length_mla": 192,
      "attention.kv_lora_rank": 512,
      "attention.indexer.key_length": 128,
    });
    expect(shape.layers[0]).toMatchObject({ keys: 128, values: 0, choosingKeys: 128 });
  });

  it("is nothing in models that read all of a text at once", async () => {
    const shape = await shapeOf("bert", {});
    expect([shape.keepsCache, ...new Set(keys(shape))]).toEqual([false, 0]);
  });

  it("is a cache and a state in every layer of a model that is not known", async () => {
    const shape = await shapeOf("newest", { ...stateSpace, "attention.indexer.key_length": 32 });
    expect(shape.isKnown).toBe(false);
    for (const layer of shape.layers) {
      expect(layer).toMatchObject({ keys: 128, values: 128, choosingKeys: 32, window: undefined });
      expect(layer.state).toBeGreaterThan(0);
    }
  });
});

describe("a projector", () => {
  it("is on the first device, with its weights and what reading a picture takes", async () => {
    const { metadata, tensors } = llamaShape(size);
    const header = await readHeader(ggufHeader(metadata, tensors).header);
    const eyes: GgufTensorSpec[] = [{ name: "v.blk.0.attn_q.weight", shape: [1152, 1152], type: "F16" }];
    const projector = await readHeader(
      ggufHeader(
        {
          "general.architecture": "clip",
          "clip.vision.embedding_length": 1152,
          "clip.vision.feed_forward_length": 4304,
          "clip.vision.image_size": 896,
          "clip.vision.patch_size": 14,
          "clip.vision.attention.head_count": 16,
        },
        eyes,
      ).header,
    );
    const estimate = (model: object) => estimateLlama({ header, where: "x", ...model }, { split: [1, 1] }).places;
    const [before, after] = [estimate({}), estimate({ projector })];
    const more = after.map(({ weightsBytes }, place) => weightsBytes - (before[place]?.weightsBytes ?? 0));
    expect(more).toEqual([0, 1152 * 1152 * 2, 0]);
    const scores = 4096 * 4096 * 16 * 4;
    expect((after[1]?.computeBytes ?? 0) - (before[1]?.computeBytes ?? 0)).toBeGreaterThan(scores);
  });
});
