import { describe, expect, it } from "vitest";

import { convertModel, type ConvertedDeployment } from "../../../src/catalog/reference-deployment.js";
import { readReferenceExport } from "../../../src/catalog/reference-export.js";
import { deploymentEntry } from "../../../src/schema/stack.js";

/** A model of v2 by its differences from one that says nothing. */
function convert(model: object, context: { name?: string; defaultParameters?: string[] } = {}): ConvertedDeployment {
  const plain = { name: "m", source: "local_path", local_path: "/models/m.gguf", run_command: null };
  const [item] = readReferenceExport({ ...plain, ...model }, "m.json");
  if (item?.kind !== "model") throw new Error("this is no model");
  return convertModel(item.value, { name: "m", isOld: item.isOld, defaultParameters: [], ...context });
}

const sha256 = "0".repeat(64);

describe("convertModel", () => {
  it("says all of a plain model but its sha256, which GPUStack has not", () => {
    const { entry, toComplete, withoutCounterpart, changes } = convert({ backend: "vLLM", backend_version: "0.19.0" });
    expect(entry).toEqual({
      backend: "vllm",
      backendVersion: "0.19.0",
      model: { source: "file", path: "/models/m.gguf" },
    });
    expect([toComplete, withoutCounterpart, changes]).toEqual([["the model's sha256"], [], []]);
    const model = { source: "file", path: "/models/m.gguf", sha256 };
    expect(deploymentEntry.safeParse({ ...entry, model }).error).toBeUndefined();
  });

  it.each<[object, object]>([
    [{}, {}],
    [{ huggingface_filename: "a dir/m.gguf" }, { files: ["a dir/m.gguf"] }],
    [{ huggingface_filename: "*Q4*.gguf" }, { files: ["*Q4*.gguf"] }],
    [{ huggingface_filename: "m-00001-of-00002.gguf" }, { files: ["m-*-of-00002.gguf"] }],
  ])("takes a repository of Hugging Face with the files %j, and leaves nothing to say", (files, chosen) => {
    const { entry, toComplete } = convert({ source: "huggingface", huggingface_repo_id: "org/repo", ...files });
    expect(entry.model).toEqual({ source: "huggingface", repo: "org/repo", ...chosen });
    expect(toComplete).toEqual([]);
    expect(deploymentEntry.safeParse(entry).error).toBeUndefined();
  });

  it.each<[object, object | undefined, string]>([
    [
      { source: "huggingface", huggingface_repo_id: "evil/repo?x=", huggingface_filename: "m.gguf" },
      undefined,
      "m.gguf of evil/repo?x= on Hugging Face",
    ],
    [
      { source: "model_scope", model_scope_model_id: "org/repo", model_scope_file_path: "m.gguf" },
      undefined,
      "m.gguf of org/repo on ModelScope",
    ],
    [
      { source: "ollama_library", ollama_library_model_name: "m:1b" },
      undefined,
      "the model m:1b of the Ollama library",
    ],
    [{ local_path: "/models/Qwen2.5-7B" }, undefined, "the folder /models/Qwen2.5-7B of a worker"],
    [{ local_path: "relative.gguf" }, undefined, "the folder relative.gguf of a worker"],
    [{ source: "tomorrow" }, undefined, "a model from tomorrow"],
  ])("takes the source %j as far as there is one like it", (source, model, missing) => {
    const { entry, toComplete } = convert(source);
    expect(entry.model).toEqual(model);
    expect(toComplete).toHaveLength(1);
    expect(toComplete[0]).toContain(missing);
  });

  it("gives the context length its field, by the flag of each engine", () => {
    const lengthOf = (backend: string, ...backend_parameters: string[]) => {
      const { entry } = convert({ backend, backend_parameters });
      return [entry.contextLength, entry.parameters];
    };
    expect(lengthOf("vLLM", "--max-model-len 4096", "--x")).toEqual([4096, ["--x"]]);
    expect(lengthOf("SGLang", "--context-length=4096")).toEqual([4096, undefined]);
    expect(lengthOf("llama-box", "-c", "4096")).toEqual([4096, undefined]);
    expect(lengthOf("vLLM", "-c 4096")).toEqual([undefined, ["-c", "4096"]]);
    expect(lengthOf("vLLM", "--max-model-len auto")).toEqual([undefined, ["--max-model-len", "auto"]]);
    expect(lengthOf("vLLM", "--max-model-len 8")).toEqual([undefined, ["--max-model-len", "8"]]);
    expect(lengthOf("constructor", "--x 1")).toEqual([undefined, ["--x", "1"]]);
  });

  it("says that a deployment has no parameters where its backend has some by default", () => {
    expect(convert({ backend: "b" }, { defaultParameters: ["--fast"] }).entry.parameters).toEqual([]);
    expect(convert({ backend: "b" }).entry.parameters).toBeUndefined();
  });

  it("leaves no secret in what is written or told", () => {
    const converted = convert({
      backend_parameters: ["--api-key hunter2 hunter3", "--hf_token=hunter2", "--tokenizer t", "--max-tokens", "5"],
      env: { HF_TOKEN: "hunter2", MY_API_KEY_2: "hunter2", TOKENIZERS_PARALLELISM: "false", AWS_SECRET: "hunter2" },
    });
    expect(JSON.stringify(converted)).not.toMatch(/hunter/);
    expect(converted.entry).toMatchObject({
      parameters: ["--tokenizer", "t", "--max-tokens", "5"],
      env: { TOKENIZERS_PARALLELISM: "false" },
      secretEnv: { HF_TOKEN: { secret: "HF_TOKEN" }, MY_API_KEY_2: { secret: "MY_API_KEY_2" } },
    });
    expect(converted.toComplete).toContain("the secret HF_TOKEN: pulumi config set --secret berth:HF_TOKEN");
    expect(converted.toComplete.filter((text) => text.includes("is left out"))).toHaveLength(2);
  });

  it.each<[object, object]>([
    [{ run_command: "vllm serve {{model_path}} --api-key sk-hunter2 --port {{port}}" }, {}],
    [{ run_command: "vllm serve {{model_path}} --api-key=hunter2" }, {}],
    [{ run_command: 'HF_TOKEN=hunter2 vllm serve "{{model_path}}"' }, {}],
    [{ run_command: "sh -c 'vllm serve --api-key hunter2'" }, {}],
    [{ backend_parameters: ['--hf-overrides={"token": "hunter2"}'] }, {}],
    [{ backend_parameters: ["--proxy http://user:hunter2@proxy:80", "--fast"] }, { parameters: ["--fast"] }],
    [{ env: { DB_PASS: "hunter2", OPENAI_API_KEYS: "hunter2" } }, {}],
    [{ env: { HTTPS_PROXY: "http://u:hunter2@proxy" } }, { secretEnv: { HTTPS_PROXY: { secret: "HTTPS_PROXY" } } }],
    [{ env: { _TOKEN: "hunter2", PLAIN: "1" } }, { env: { PLAIN: "1" } }],
  ])("leaves the secret of %j out, and says so", (model, rest) => {
    const converted = convert(model);
    expect(JSON.stringify(converted)).not.toContain("hunter2");
    expect(converted.entry).toMatchObject(rest);
    expect(converted.toComplete.length).toBeGreaterThan(1);
  });

  it.each([
    [{ backend: null }, "auto"],
    [{ backend: "" }, "auto"],
    [{ backend: "VoxBox" }, "vox-box"],
    [{ backend: "ascend-mindie" }, "mindie"],
    [{ backend: "Custom" }, "custom"],
    [{ backend: "llama.cpp-custom" }, "llama-cpp-custom"],
  ])("of %j names the backend %s", (model, backend) => {
    expect(convert(model).entry.backend).toBe(backend);
  });

  it("tells that clients name the model otherwise", () => {
    expect(convert({ name: "Qwen2.5" }, { name: "qwen2-5" }).changes).toContain(
      "clients name the model qwen2-5 here, and Qwen2.5 there",
    );
  });

  it.each<[object, string]>([
    [{ gpu_selector: { gpu_ids: ["w:cuda:0", "w:cuda:1"] } }, "GPUs w:cuda:0, w:cuda:1"],
    [{ gpu_selector: { worker_name: "w", gpu_index: 1 } }, "GPUs w:1"],
    [{ gpu_selector: { gpus_per_replica: 2 } }, "2 GPUs for each replica"],
    [{ gpu_type_selector: { type: "pool" } }, "a slice of a GPU of type pool"],
    [{ placement_strategy: "binpack" }, "placement strategy binpack"],
    [{ backend: "vLLM", cpu_offloading: true }, "offloading to the CPU"],
    [{ backend: "Custom", distributed_inference_across_workers: true }, "distribution across workers"],
    [{ restart_on_error: false }, "no restart after an error"],
    [{ extended_kv_cache: { enabled: true } }, "extended KV cache"],
    [{ speculative_config: { enabled: true } }, "speculative decoding"],
    [{ scaling_schedule: { enabled: true } }, "scaling by a schedule"],
    [{ generic_proxy: true }, "generic proxy"],
    [{ lora_list: [{ lora_name: "a" }, { lora_name: "b" }] }, "LoRA adapters a, b"],
    [{ access_policy: "public" }, "access policy public"],
    [{ env: { GPUSTACK_X: "1" } }, "environment variable GPUSTACK_X, which tells GPUStack something"],
    [{ env: { "a b": "1" } }, 'environment variable "a b", whose name is none'],
    [{ backend_version: "../x" }, 'backend version "../x"'],
    [{ tomorrow: 1 }, 'unknown key "tomorrow"'],
  ])("lists %j as without counterpart", (model, text) => {
    expect(convert(model).withoutCounterpart).toEqual([text]);
  });

  it.each<[object, string, unknown]>([
    [{ replicas: 2 }, "replicas", 2],
    [{ worker_selector: { pool: "a" } }, "hostSelector", { pool: "a" }],
    [{ image_name: "i:1" }, "imageName", "i:1"],
    [{ run_command: "serve" }, "runCommand", "serve"],
    [{ categories: ["text_to_speech"] }, "category", "tts"],
    [{ embedding_only: true }, "category", "embedding"],
  ])("says %j as %s where stack files have that, and lists it where they have not", (model, field, value) => {
    const { entry, withoutCounterpart } = convert(model);
    const known = Object.hasOwn(deploymentEntry.shape, field);
    expect(entry[field]).toEqual(known ? value : undefined);
    expect(withoutCounterpart).toHaveLength(known ? 0 : 1);
  });

  it("lists nothing that is off, or as it always is", () => {
    const { withoutCounterpart } = convert({
      replicas: 1,
      placement_strategy: "spread",
      cpu_offloading: false,
      distributed_inference_across_workers: false,
      worker_selector: {},
      restart_on_error: true,
      scaling_schedule: { enabled: false },
      lora_list: [],
      access_policy: "authed",
      categories: ["llm"],
      meta: { n_ctx: 1 },
      id: 1,
      cluster_id: 1,
      tomorrow: null,
    });
    expect(withoutCounterpart).toEqual([]);
  });
});
