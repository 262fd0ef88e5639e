import type { LlamaModel } from "./llama-estimate.js";
import type { VllmModel } from "./vllm-estimate.js";

/** What a model's memory depends on, by the engine that loads it. */
export type MemoryModel =
  | { readonly engine: "llama-cpp"; readonly model: LlamaModel }
  | { readonly engine: "vllm"; readonly model: VllmModel; readonly isDerived: boolean };
