import { describe, expect, it } from "vitest";

import { describeModel, type ModelMetadata } from "../../../src/model/category.js";

const nothing: ModelMetadata = { documents: {}, gguf: undefined, hasProjector: false, task: undefined };
const folder = (config: object, task?: string, others: Record<string, unknown> = {}) =>
  describeModel({ ...nothing, documents: { "config.json": config, ...others }, task });
const gguf = (metadata: Record<string, unknown>, hasProjector = false) =>
  describeModel({ ...nothing, gguf: metadata, hasProjector });

describe("what a model does, by its configuration", () => {
  it.each([
    [{ architectures: ["LlamaForCausalLM"] }, undefined, "llm"],
    [{ architectures: ["Qwen3ForCausalLM"] }, "text-ranking", "reranker"],
    [{ architectures: ["Qwen2VLForConditionalGeneration"] }, undefined, "vlm"],
    [{ architectures: ["Gemma3ForConditionalGeneration"], vision_config: {} }, "text-generation", "vlm"],
    [{ architectures: ["BertModel"] }, undefined, "embedding"],
    [{ architectures: ["XLMRobertaForSequenceClassification"], id2label: { 0: "LABEL_0" } }, undefined, "reranker"],
    [{ architectures: ["BertForSequenceClassification"], id2label: { 0: "no", 1: "yes" } }, undefined, "other"],
    [{ architectures: ["WhisperForConditionalGeneration"] }, undefined, "stt"],
    [{ architectures: ["ParlerTTSForConditionalGeneration"] }, undefined, "tts"],
    [{}, "automatic-speech-recognition", "stt"],
    [{}, "text-to-speech", "tts"],
    [{}, "constructor", "llm"],
    [[], undefined, "llm"],
  ])("%j for %s is %s", (config, task, category) => {
    expect(folder(config, task).category).toBe(category);
  });

  it("is an embedding or a ranking where sentence-transformers says so, whatever its class", () => {
    const config = { architectures: ["Qwen3ForCausalLM"] };
    expect(folder(config, undefined, { "modules.json": [] }).category).toBe("embedding");
    const crossEncoder = { "config_sentence_transformers.json": { model_type: "CrossEncoder" } };
    expect(folder(config, undefined, { "modules.json": [], ...crossEncoder }).category).toBe("reranker");
  });

  it("is an image where it is a pipeline of diffusers", () => {
    const documents = { "model_index.json": { _class_name: "FluxPipeline" } };
    expect(describeModel({ ...nothing, documents }).category).toBe("image");
  });

  it("comes with its architecture, unless that is no name", () => {
    expect(folder({ architectures: ["LlamaForCausalLM"] }).architecture).toBe("LlamaForCausalLM");
    expect(folder({ architectures: ["\u001b[2J"] }).architecture).toBeUndefined();
    expect(folder({ architectures: "x" }).architecture).toBeUndefined();
  });
});

describe("what a GGUF model does", () => {
  it.each([
    [{ "general.architecture": "qwen3" }, false, "llm"],
    [{ "general.architecture": "qwen3", "qwen3.pooling_type": 0 }, false, "llm"],
    [{ "general.architecture": "qwen3", "qwen3.pooling_type": 3 }, false, "embedding"],
    [{ "general.architecture": "bert", "bert.pooling_type": 4 }, false, "reranker"],
    [{ "general.architecture": "nomic-bert" }, false, "embedding"],
    [{ "general.architecture": "qwen2vl" }, true, "vlm"],
    [{ "general.architecture": "flux" }, false, "image"],
    [{}, false, "llm"],
  ])("%j with a projector: %s, is %s", (metadata, hasProjector, category) => {
    expect(gguf(metadata, hasProjector).category).toBe(category);
  });
});
