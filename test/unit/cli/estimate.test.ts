import { describe, expect, it } from "vitest";

import { estimateModel, formatEstimate } from "../../../src/cli/estimate.js";
import { readConfig } from "../../../src/model/hub-config.js";
import { deriveTensors } from "../../../src/model/hub-tensors.js";
import { readHeader } from "../../support/gguf-file.js";
import { llamaShape } from "../../support/gguf-shapes.js";
import { ggufHeader } from "../../support/gguf-writer.js";

const { metadata, tensors } = llamaShape({
  ...{ layers: 4, width: 512, feedForward: 1024, heads: 8, kvHeads: 2, headSize: 64, vocabulary: 32_000 },
});
const header = await readHeader(ggufHeader(metadata, tensors).header);
const gguf = { engine: "llama-cpp", model: { header, where: "model.gguf" } } as const;

const config = readConfig(
  {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_size: 4096,
    intermediate_size: 14_336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    vocab_size: 128_256,
    max_position_embeddings: 131_072,
  },
  "config.json",
);
const folder = { config, tensors: deriveTensors(config), where: "model" };

describe("what `berth estimate` prints", () => {
  it("of a GGUF file is a row for the host and each device", () => {
    const lines = formatEstimate("model.gguf", estimateModel(gguf, { split: [1, 1], context: 4096 })).split("\n");
    expect(lines[0]).toBe("model.gguf: llama, llama-cpp, 4 texts of 4096 tokens");
    expect(lines[1]).toMatch(/PLACE +LAYERS +WEIGHTS +CACHE +COMPUTE +OUTPUT +RUNTIME +TOTAL/);
    expect(lines.slice(2, 5).map((line) => line.trim().split(/ {2,}/).slice(0, 2))).toEqual([
      ["host", "0"],
      ["device 0", "3"],
      ["device 1", "2"],
    ]);
    expect(lines.at(-1)).toBe("note: 4 texts share a cache of 4096 tokens");
  });

  it("of layers without devices means one device", () => {
    expect(estimateModel(gguf, { layers: 2 }).places.map(({ device, layers }) => [device, layers])).toEqual([
      ["host", 3],
      [0, 2],
    ]);
  });

  it("of a model for vLLM has what it is given: the part of a device, and the bytes of the cache", () => {
    const text = formatEstimate(
      "model",
      estimateModel({ engine: "vllm", model: folder, isDerived: true }, { deviceMemory: 80 }),
    );
    expect(text).toMatch(/^a token takes 128\.0 KiB of a device$/m);
    expect(text).toMatch(
      /^with --gpu-memory-utilization 0\.9: --kv-cache-memory-bytes \d+ \([\d.]+ GiB\), which hold \d+ tokens$/m,
    );
    expect(text).toMatch(/^note: there are no weights: they are counted by the configuration$/m);
  });

  it("says `at most` where it is not known how an engine does it", async () => {
    const renamed = { ...metadata, "general.architecture": "newest" };
    const told = Object.fromEntries(
      Object.entries(renamed).map(([key, value]) => [key.replace(/^llama\./, "newest."), value]),
    );
    const unknown = { header: await readHeader(ggufHeader(told, tensors).header), where: "model.gguf" };
    expect(formatEstimate("model.gguf", estimateModel({ engine: "llama-cpp", model: unknown }, {}))).toMatch(
      /8192 tokens, at most$/m,
    );
  });
});
