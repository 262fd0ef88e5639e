import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { openHubRepository } from "../../../src/lock/hub.js";
import { openLocalModel } from "../../../src/lock/local-model.js";
import { readMemoryModel } from "../../../src/lock/model-memory.js";
import type { MemoryModel } from "../../../src/model/memory-model.js";
import { sum } from "../../../src/model/memory.js";
import { HubServer } from "../../support/hub-server.js";
import { llamaShape } from "../../support/gguf-shapes.js";
import { ggufHeader, type GgufTensorSpec } from "../../support/gguf-writer.js";
import { noise, safetensorsFile } from "../../support/weights.js";

const config = JSON.stringify({
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: 64,
  intermediate_size: 256,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  vocab_size: 1000,
});

const size = { layers: 2, width: 256, feedForward: 512, heads: 4, kvHeads: 2, headSize: 64, vocabulary: 1000 };
const { metadata, tensors } = llamaShape(size);
const gguf = withWeights(tensors);

/** A GGUF file with these tensors. */
function withWeights(some: readonly GgufTensorSpec[]): Buffer {
  const { header, sizeBytes } = ggufHeader(metadata, some);
  return Buffer.concat([header, noise(sizeBytes - header.length)]);
}

const repositories = {
  "acme/safetensors": { "config.json": config, "model.safetensors": safetensorsFile(5000) },
  "acme/both": {
    "config.json": config,
    "model.safetensors": safetensorsFile(5000),
    "pytorch_model.bin": noise(5100),
    "consolidated.safetensors": safetensorsFile(5000, 2),
  },
  "acme/pytorch": { "config.json": config, "pytorch_model.bin": noise(5100) },
  "acme/parts": {
    "model-00001-of-00002.gguf": withWeights(tensors.slice(0, 9)),
    "model-00002-of-00002.gguf": withWeights(tensors.slice(9)),
  },
  "acme/gguf": { "model.gguf": gguf },
  "acme/damaged": { "config.json": config, "model.safetensors": Buffer.alloc(100, 0xff) },
  "acme/cut": { "config.json": config, "model.safetensors": safetensorsFile(5000).subarray(0, 40) },
  "acme/unsaid": { "config.json": "{}", "model.safetensors": safetensorsFile(5000) },
  "acme/no-json": { "config.json": "<html>", "model.safetensors": safetensorsFile(5000) },
  "acme/no-config": { "model.safetensors": safetensorsFile(5000) },
};

let hub: HubServer;
let folder: string;

beforeAll(async () => {
  hub = await HubServer.start();
  folder = mkdtempSync(join(tmpdir(), "berth-memory-"));
  for (const [repo, files] of Object.entries(repositories)) {
    hub.repositories[repo] = { revisions: { main: files } };
    mkdirSync(join(folder, repo), { recursive: true });
    for (const [path, content] of Object.entries(files)) writeFileSync(join(folder, repo, path), content);
  }
});
afterAll(async () => {
  await hub.close();
  rmSync(folder, { recursive: true });
});

const places = {
  "a repository of the Hub": async (repo: string) =>
    openHubRepository({ repo, endpoint: hub.endpoint, token: undefined, where: repo }, "main"),
  "a folder": (repo: string) => openLocalModel(join(folder, repo)),
};

const weightsOf = (read: MemoryModel) =>
  sum((read.engine === "vllm" ? read.model.tensors : read.model.header.tensors).map(({ bytes }) => bytes));
const all = weightsOfSpecs();

function weightsOfSpecs(): number {
  const { sizeBytes, header } = ggufHeader(metadata, tensors);
  // Every tensor of the shape ends at a multiple of 32.
  return sizeBytes - header.length;
}

describe.each(Object.entries(places))("what memory depends on, read in %s", (_, open) => {
  it.each([
    ["acme/safetensors", "vllm", 5000],
    ["acme/both", "vllm", 5000],
    ["acme/pytorch", "vllm", 5100],
    ["acme/gguf", "llama-cpp", all],
    ["acme/parts", "llama-cpp", all],
  ])("of %s is for %s, and its weights count once", async (repo, engine, bytes) => {
    const read = await readMemoryModel(await open(repo), undefined, repo);
    expect(read.engine).toBe(engine);
    expect(weightsOf(read)).toBe(bytes);
  });

  it.each(["acme/damaged", "acme/cut", "acme/unsaid", "acme/no-json", "acme/no-config"])(
    "of %s is refused or has what is lacking told, never zero",
    async (repo) => {
      const { estimateModel } = await import("../../../src/cli/estimate.js");
      const attempt = async () => estimateModel(await readMemoryModel(await open(repo), undefined, repo), {});
      await expect(attempt()).rejects.toMatchObject({ code: "model-unavailable" });
    },
  );
});

describe("a model in this folder", () => {
  it("is one file among others, or all parts of one that was split", async () => {
    const local = await openLocalModel(join(folder, "acme/parts/model-00002-of-00002.gguf"));
    expect(local.name).toBe("model-00002-of-00002.gguf");
    expect(local.files).toHaveLength(2);
  });

  it("that is not there is told with what may be named", async () => {
    await expect(openLocalModel(join(folder, "nothing"))).rejects.toMatchObject({ code: "file-not-found" });
  });

  it("of which there is the configuration alone counts the weights that it asks for", async () => {
    mkdirSync(join(folder, "config"));
    writeFileSync(join(folder, "config", "config.json"), config);
    const read = await readMemoryModel(await openLocalModel(join(folder, "config")), undefined, "config");
    expect(read).toMatchObject({ engine: "vllm", isDerived: true });
    expect(weightsOf(read)).toBeGreaterThan(2 * 2 * 1000 * 64);
  });
});

describe("a large file of the Hub", () => {
  it("is read no further than its header", async () => {
    const weights = safetensorsFile(3_000_000);
    hub.repositories["acme/large"] = { revisions: { main: { "config.json": config, "model.safetensors": weights } } };
    const before = sum([...hub.sent.values()]);
    await readMemoryModel(await places["a repository of the Hub"]("acme/large"), undefined, "acme/large");
    expect(sum([...hub.sent.values()]) - before).toBeLessThan(1000);
  });
});
