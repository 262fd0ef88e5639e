import { existsSync } from "node:fs";

import { BerthError } from "../lib/errors.js";
import { formatMemory } from "../lib/format.js";
import { openHubRepository } from "../lock/hub.js";
import { openLocalModel } from "../lock/local-model.js";
import { readHeader, readMemoryModel } from "../lock/model-memory.js";
import { partPattern } from "../model/gguf-files.js";
import type { MemoryModel } from "../model/memory-model.js";
import type { CacheType } from "../model/gguf-types.js";
import { estimateLlama } from "../model/llama-estimate.js";
import { totalBytes, type DeviceMemory, type MemoryEstimate } from "../model/memory.js";
import { estimateVllm, type VllmEstimate } from "../model/vllm-estimate.js";
import { repositoryName } from "../schema/scalars.js";
import { plainTable } from "./table.js";
import type { Workplace } from "./workplace.js";

export interface EstimateOptions {
  context?: number;
  parallel?: number;
  batch?: number;
  /** Of llama.cpp. */
  layers?: number;
  split?: number[];
  rpc?: boolean;
  flashAttention?: boolean;
  cacheTypeK?: CacheType;
  cacheTypeV?: CacheType;
  expertsOnHost?: number;
  mmap?: boolean;
  mmproj?: string;
  /** Of vLLM. */
  tp?: number;
  pp?: number;
  deviceMemory?: number;
  utilization?: number;
  cacheFp8?: boolean;
  /** Of the Hub. */
  files?: string[];
  revision?: string;
  endpoint?: string;
  json?: boolean;
}

type Estimate = MemoryEstimate | VllmEstimate;

/** Tells how much memory a model takes, from the headers of its files. Loads nothing and changes nothing. */
export async function estimate(workplace: Workplace, model: string, options: EstimateOptions): Promise<void> {
  const read = await readModel(workplace, model, options);
  const made = estimateModel(read, options);
  workplace.print(options.json === true ? JSON.stringify(made, undefined, 2) : formatEstimate(model, made));
}

async function readModel({ environment }: Workplace, model: string, options: EstimateOptions): Promise<MemoryModel> {
  if (!existsSync(model) && repositoryName.safeParse(model).success && model.includes("/")) {
    const access = { repo: model, endpoint: options.endpoint, token: environment.HF_TOKEN, where: model };
    return readMemoryModel(await openHubRepository(access, options.revision ?? "main"), options.files, model);
  }
  const local = await openLocalModel(model);
  const patterns = local.name === undefined ? options.files : [partPattern(local.name)];
  const read = await readMemoryModel(local, patterns, model);
  if (options.mmproj === undefined || read.engine !== "llama-cpp") return read;
  const place = await openLocalModel(options.mmproj);
  if (place.name === undefined) throw notAFile(options.mmproj);
  return { ...read, model: { ...read.model, projector: await readHeader(place, place.name, options.mmproj) } };
}

/** Pure. */
export function estimateModel(read: MemoryModel, options: EstimateOptions): Estimate {
  const { context: contextLength, parallel } = options;
  if (read.engine === "llama-cpp") {
    return estimateLlama(read.model, {
      contextLength,
      parallel,
      batch: options.batch,
      layers: options.layers,
      // Layers go to a device: one, where nobody says how many there are.
      split: options.split ?? (options.layers === undefined ? undefined : [1]),
      remote: options.rpc,
      flashAttention: options.flashAttention,
      keyType: options.cacheTypeK,
      valueType: options.cacheTypeV,
      expertsOnHost: options.expertsOnHost,
      mapped: options.mmap,
    });
  }
  const made = estimateVllm(read.model, {
    contextLength,
    parallel,
    batchTokens: options.batch,
    tensorParallel: options.tp,
    pipelineParallel: options.pp,
    utilization: options.utilization,
    deviceBytes: options.deviceMemory === undefined ? undefined : options.deviceMemory * 2 ** 30,
    eightBitCache: options.cacheFp8,
  });
  const derived = "there are no weights: they are counted by the configuration";
  return read.isDerived ? { ...made, notes: [derived, ...made.notes] } : made;
}

/** For people: what it is, a row for each place, what vLLM is given, and what has to be known. */
export function formatEstimate(name: string, made: Estimate): string {
  const { engine, architecture, contextLength, parallel, places, isUpperBound, notes } = made;
  const texts = parallel === 1 ? "one text" : `${parallel} texts`;
  const bound = isUpperBound ? ", at most" : "";
  return [
    `${name}: ${architecture}, ${engine}, ${texts} of ${contextLength} tokens${bound}`,
    plainTable(
      ["PLACE", "LAYERS", "WEIGHTS", "CACHE", "COMPUTE", "OUTPUT", "RUNTIME", "TOTAL"],
      places.map((place) => [nameOf(place), String(place.layers), ...sizesOf(place).map(formatMemory)]),
    ),
    ...("utilization" in made ? vllmLines(made) : []),
    ...notes.map((note) => `note: ${note}`),
  ].join("\n");
}

function nameOf({ device }: DeviceMemory): string {
  return device === "host" ? "host" : `device ${device}`;
}

function sizesOf(place: DeviceMemory): number[] {
  const { weightsBytes, cacheBytes, computeBytes, outputBytes, runtimeBytes } = place;
  return [weightsBytes, cacheBytes, computeBytes, outputBytes, runtimeBytes, totalBytes(place)];
}

function vllmLines({ tokenBytes, utilization, kvCacheMemoryBytes, kvCacheTokens }: VllmEstimate): string[] {
  const perToken = `a token takes ${(tokenBytes / 1024).toFixed(1)} KiB of a device`;
  if (kvCacheMemoryBytes === undefined) return [perToken];
  const held = kvCacheTokens === undefined ? "" : `, which hold ${kvCacheTokens} tokens`;
  return [
    perToken,
    `with --gpu-memory-utilization ${utilization}: --kv-cache-memory-bytes ${kvCacheMemoryBytes} (${formatMemory(kvCacheMemoryBytes)})${held}`,
  ];
}

function notAFile(path: string): BerthError {
  return new BerthError("usage", { where: path, what: "a projector is a file", hint: "name the GGUF file" });
}
