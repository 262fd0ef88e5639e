import { readFileSync } from "node:fs";

import { readConfig } from "../../../src/model/hub-config.js";
import { deriveTensors } from "../../../src/model/hub-tensors.js";
import type { MemoryModel } from "../../../src/model/memory-model.js";
import { readHeader } from "../../support/gguf-file.js";
import { llamaShape } from "../../support/gguf-shapes.js";
import { ggufHeader } from "../../support/gguf-writer.js";

/** A published model for vLLM, its weights by its configuration. */
export function hubModel(name: string): MemoryModel {
  const file = new URL(`../../fixtures/model-configs/${name}/config.json`, import.meta.url);
  const config = readConfig(JSON.parse(readFileSync(file, "utf8")), name);
  return { engine: "vllm", model: { config, tensors: deriveTensors(config), where: name }, isDerived: true };
}

const size = {
  layers: 32,
  width: 4096,
  feedForward: 14_336,
  heads: 32,
  kvHeads: 8,
  headSize: 128,
  vocabulary: 128_256,
};

/** A GGUF model of the shape of Llama 3.1 8B, 4 bits: 4.4 GiB of weights. */
export async function ggufModel(): Promise<MemoryModel> {
  const { metadata, tensors } = llamaShape(size);
  const header = await readHeader(ggufHeader(metadata, tensors).header);
  return { engine: "llama-cpp", model: { header, where: "sample" } };
}
