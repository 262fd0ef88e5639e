import { describe, expect, it } from "vitest";

import { readLlamaArguments } from "../../../src/model/llama-arguments.js";
import { readVllmArguments } from "../../../src/model/vllm-arguments.js";

describe("readLlamaArguments", () => {
  it("knows flags by all their names, and takes the last of two", () => {
    const argv = ["-c", "4096", "--ctx-size", "8192", "-np", "2", "--cache-type-k=q8_0", "-kvu"];
    expect(readLlamaArguments(argv)).toMatchObject({
      kind: "known",
      layers: undefined,
      options: { contextLength: 8192, parallel: 2, keyType: "q8_0", sharedCache: true },
    });
    expect(readLlamaArguments(["-ngl", "-1"])).toMatchObject({ layers: "all" });
    expect(readLlamaArguments(["--n-gpu-layers", "20", "-ts", "3,1"])).toMatchObject({
      layers: 20,
      options: { split: [3, 1] },
    });
    expect(readLlamaArguments(["-fa", "off", "--no-mmap"])).toMatchObject({
      options: { flashAttention: false, mapped: false },
    });
    expect(readLlamaArguments(["--fit", "off"])).toMatchObject({ kind: "known" });
    expect(readLlamaArguments(["-ngl", "-2"])).toMatchObject({ layers: "all" });
    for (const off of ["0", "false", "disabled"])
      expect(readLlamaArguments(["-fa", off])).toMatchObject({ options: { flashAttention: false } });
    expect(readLlamaArguments(["-kvu", "--no-kv-unified"])).toMatchObject({ options: { sharedCache: false } });
    expect(readLlamaArguments(["-np", "-1"])).toMatchObject({ options: { parallel: undefined } });
  });

  it.each([
    [["-ot", "exps=CPU"], "-ot"],
    [["--mmproj", "eyes.gguf"], "--mmproj"],
    [["--fit", "on"], "--fit"],
    [["--rpc", "host:50052"], "--rpc"],
    [["-md", "draft.gguf"], "-md"],
    [["--spec-draft-model", "draft.gguf"], "--spec-draft-model"],
    [["--spec-draft-hf", "acme/draft"], "--spec-draft-hf"],
    [["--spec-type", "ngram-simple"], "--spec-type"],
    [["-np", "many"], "-np"],
    [["-ngl", "some"], "--n-gpu-layers"],
    [["-ts", "a,b"], "--tensor-split"],
    [["-ctk", "q3_k"], "-ctk"],
  ])("does not foresee %j", (argv, flag) => {
    expect(readLlamaArguments(argv)).toEqual({ kind: "unknown", flag });
  });
});

describe("readVllmArguments", () => {
  it("knows flags with one word or two, with - or _", () => {
    const argv = ["--max_model_len=4096", "-tp", "2", "--gpu-memory-utilization", "0.8", "--kv-cache-dtype=fp8_e4m3"];
    expect(readVllmArguments(argv)).toEqual({
      kind: "known",
      options: {
        contextLength: 4096,
        tensorParallel: 2,
        utilization: 0.8,
        eightBitCache: true,
        batchTokens: undefined,
      },
    });
  });

  it("knows places for adapters, and tokens that are guessed from the text itself", () => {
    const guess = '{"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 3}';
    expect(readVllmArguments(["--speculative-config", guess])).toMatchObject({ options: { guessedTokens: 4 } });
    expect(readVllmArguments(["--enable-lora"])).toMatchObject({ options: { lora: { slots: 1, rank: 16 } } });
    expect(readVllmArguments(["--enable-lora", "--max-loras", "4", "--max-lora-rank=64"])).toMatchObject({
      options: { lora: { slots: 4, rank: 64 } },
    });
  });

  it.each([
    [["--speculative-config", "{}"], "--speculative-config"],
    [["--speculative-config", '{"method": "eagle3", "model": "acme/eagle"}'], "--speculative-config"],
    [["--speculative-config", '{"method": "mtp", "num_speculative_tokens": 1}'], "--speculative-config"],
    [["--enable-lora", "--max-loras", "some"], "--max-loras"],
    [["--enable-lora", "--lora-dtype", "float32"], "--lora-dtype"],
    [["--speculative_config.method=ngram"], "--speculative-config"],
    [["--hf-overrides.max_position_embeddings", "262144"], "--hf-overrides"],
    [["--max-model-len", "8k"], "--max-model-len"],
    [["--gpu-memory-utilization", "1.5"], "--gpu-memory-utilization"],
    [["--dtype", "float32"], "--dtype"],
    [["--data-parallel-size", "2"], "--data-parallel-size"],
  ])("does not foresee %j", (argv, flag) => {
    expect(readVllmArguments(argv)).toEqual({ kind: "unknown", flag });
  });
});
