import pLimit from "p-limit";

import { BerthError } from "../lib/errors.js";
import { chooseFiles, type FileChoice } from "../model/file-choice.js";
import { readGgufHeader, type GgufHeader } from "../model/gguf-header.js";
import { readConfig, type HubConfig } from "../model/hub-config.js";
import { deriveTensors } from "../model/hub-tensors.js";
import type { LlamaModel } from "../model/llama-estimate.js";
import type { MemoryModel } from "../model/memory-model.js";
import type { ModelRepository } from "../model/repository.js";
import {
  readHeaderLength,
  readSafetensorsHeader,
  safetensorsLengthBytes,
  type WeightTensor,
} from "../model/safetensors-header.js";

/** What is read of a model to know its memory, wherever it is. */
export type ModelFiles = Pick<ModelRepository, "files" | "read" | "readRange">;

/**
 * Reads what a model's memory depends on: headers of its files and its configuration, and no weights. Where a
 * repository holds the same weights twice, they count once.
 *
 * @throws BerthError `model-unavailable` when anything of it is not to be had; nothing is taken for zero
 */
export async function readMemoryModel(
  files: ModelFiles,
  patterns: readonly string[] | undefined,
  where: string,
): Promise<MemoryModel> {
  const hasWeights = files.files.some(({ path }) => /\.(?:safetensors|gguf|bin|pt|pth)$/i.test(path));
  if (!hasWeights) return deriveModel(files, where);
  const choice = chooseFiles(files.files, patterns, where);
  if (choice.format === "gguf") return { engine: "llama-cpp", model: await readGgufModel(files, choice, where) };
  const config = await readModelConfig(files, where);
  const tensors = await readTensors(files, choice, where);
  return { engine: "vllm", model: { config, tensors, where }, isDerived: false };
}

async function readGgufModel(files: ModelFiles, choice: FileChoice, where: string): Promise<LlamaModel> {
  const parts = choice.files.filter(({ path }) => /\.gguf$/i.test(path) && path !== choice.projector);
  const headers: GgufHeader[] = [];
  for (const { path } of parts) headers.push(await readHeader(files, path, where));
  const [first, ...others] = headers;
  if (first === undefined) throw new Error("a GGUF model without files");
  // The first part has the metadata, each its own tensors.
  const header = { ...first, tensors: [first, ...others].flatMap(({ tensors }) => tensors) };
  const projector = choice.projector === undefined ? undefined : await readHeader(files, choice.projector, where);
  return { header, projector, where };
}

export function readHeader(files: ModelFiles, path: string, where: string): Promise<GgufHeader> {
  return readGgufHeader((offset, bytes) => files.readRange(path, offset, bytes), `${where}, ${path}`);
}

async function readModelConfig(files: ModelFiles, where: string): Promise<HubConfig> {
  if (!files.files.some(({ path }) => path === "config.json"))
    throw unreadable(where, "no config.json", "a model in the form that transformers writes");
  const text = Buffer.from(await files.read("config.json")).toString("utf8");
  try {
    return readConfig(JSON.parse(text), `${where}, config.json`);
  } catch (error) {
    if (error instanceof SyntaxError) throw unreadable(`${where}, config.json`, error.message, "JSON");
    throw error;
  }
}

/** A configuration without weights: those that it asks for. */
async function deriveModel(files: ModelFiles, where: string): Promise<MemoryModel> {
  const config = await readModelConfig(files, where);
  return { engine: "vllm", model: { config, tensors: deriveTensors(config), where }, isDerived: true };
}

/** Headers of safetensors; other files of weights count whole. */
async function readTensors(files: ModelFiles, { files: chosen }: FileChoice, where: string): Promise<WeightTensor[]> {
  const limit = pLimit(4);
  const weights = chosen.filter(({ path }) => /\.(?:safetensors|bin|pt|pth)$/i.test(path));
  const read = async ({ path, sizeBytes }: { path: string; sizeBytes: number }): Promise<WeightTensor[]> => {
    if (!/\.safetensors$/i.test(path)) return [{ name: path, shape: [sizeBytes], bytes: sizeBytes }];
    const place = `${where}, ${path}`;
    const length = readHeaderLength(await files.readRange(path, 0, safetensorsLengthBytes), place);
    const header = await files.readRange(path, safetensorsLengthBytes, length);
    return readSafetensorsHeader(header.subarray(0, length), place);
  };
  return (await Promise.all(weights.map((file) => limit(() => read(file))))).flat();
}

function unreadable(where: string, got: string, expected: string): BerthError {
  return new BerthError("model-unavailable", {
    where,
    what: "the model's configuration cannot be read",
    got,
    expected,
    hint: "take another revision or repository",
  });
}
