import { BerthError } from "../lib/errors.js";
import type { HubConfig } from "./hub-config.js";
import { readHubShape, type HubShape } from "./hub-shape.js";
import { shardWeights, stagesOf } from "./hub-weights.js";
import { ownBytes, type DeviceMemory, type MemoryEstimate } from "./memory.js";
import type { WeightTensor } from "./safetensors-header.js";
import { layerTokenBytes, textBytes, tokensIn, type VllmCache } from "./vllm-cache.js";
import { loraBytes, loraStepBytes, whyNoLora, type LoraOptions } from "./vllm-lora.js";
import { activationBytes, graphBytes, libraryBytes } from "./vllm-overhead.js";

/** How vLLM is started, as far as its memory depends on it. */
export interface VllmOptions {
  /** `--max-model-len`. Default: 8192, or what the model was made for if that is less. */
  readonly contextLength?: number | undefined;
  /** Texts at once for which there is to be room. */
  readonly parallel?: number | undefined;
  readonly tensorParallel?: number | undefined;
  readonly pipelineParallel?: number | undefined;
  /** `--kv-cache-dtype fp8`. */
  readonly eightBitCache?: boolean | undefined;
  /** `--max-num-batched-tokens`. */
  readonly batchTokens?: number | undefined;
  /** `--enable-lora`. */
  readonly lora?: LoraOptions | undefined;
  /** Tokens that are guessed for each text and looked at with the next, from the text itself (`ngram`). */
  readonly guessedTokens?: number | undefined;
  /** `--gpu-memory-utilization`: the part of a device that vLLM may have in all. */
  readonly utilization?: number | undefined;
  /** Memory of one device. */
  readonly deviceBytes?: number | undefined;
}

export interface VllmModel {
  readonly config: HubConfig;
  readonly tensors: readonly WeightTensor[];
  readonly where: string;
}

export interface VllmEstimate extends MemoryEstimate {
  readonly engine: "vllm";
  readonly utilization: number;
  /** Bytes that one token takes on the fullest device. */
  readonly tokenBytes: number;
  /** What vLLM is told to take for its cache (`--kv-cache-memory-bytes`), where the device's memory is known. */
  readonly kvCacheMemoryBytes?: number;
  /** Tokens that so much holds. */
  readonly kvCacheTokens?: number;
}

const defaultContext = 8192;
const defaultUtilization = 0.9;
const blockTokens = 16;
/** `--max-num-batched-tokens` of servers on devices of 70 GiB and more, and of others (`EngineArgs` in vLLM). */
const batches = { large: 8192, small: 2048, fromBytes: 70 * 2 ** 30 };

/**
 * The memory of vLLM with a model on each of its devices. Pure.
 *
 * @throws BerthError `model-unavailable` when the configuration does not say what is needed; `usage` when the model
 * cannot be cut so
 */
export function estimateVllm({ config, tensors, where }: VllmModel, options: VllmOptions): VllmEstimate {
  const shape = readHubShape(config);
  const { tensorParallel = 1, pipelineParallel = 1, parallel = 1, utilization = defaultUtilization, lora } = options;
  assertCut(shape, tensorParallel, pipelineParallel, where);
  if (utilization <= 0 || utilization > 1)
    throw new BerthError("usage", {
      what: "the utilization is no part of a device",
      got: String(utilization),
      expected: "more than 0, and 1 at most",
    });
  if (tensors.length === 0) throw noWeights(where);
  const noLora = lora === undefined ? undefined : whyNoLora(tensors);
  if (noLora !== undefined) throw new BerthError("usage", { where, what: noLora });
  const contextLength = options.contextLength ?? Math.min(defaultContext, shape.contextLength);
  const { deviceBytes } = options;
  const large = deviceBytes !== undefined && deviceBytes >= batches.fromBytes;
  const batchTokens = options.batchTokens ?? (large ? batches.large : batches.small);
  const numberBytes = options.eightBitCache === true ? 1 : 2;
  const cache: VllmCache = { tensorParallel, numberBytes, blockTokens, batchTokens };
  const weights = shardWeights(tensors, shape, { tensorParallel, pipelineParallel });
  const stages = stagesOf(shape.layers, pipelineParallel);
  const windowsOf = (device: number) =>
    shape.windows.filter((_, layer) => stages[layer] === Math.floor(device / tensorParallel));
  const places = weights.map((weightsBytes, device): DeviceMemory => {
    const windows = windowsOf(device);
    return {
      device,
      layers: stages.filter((stage) => stage === Math.floor(device / tensorParallel)).length,
      weightsBytes: weightsBytes + (lora === undefined ? 0 : loraBytes(tensors, shape, tensorParallel, lora)),
      cacheBytes: textBytes(shape, windows, cache, contextLength) * parallel,
      computeBytes:
        activationBytes(shape, tensorParallel, batchTokens, options.guessedTokens) +
        (lora === undefined ? 0 : loraStepBytes(batchTokens, lora)),
      outputBytes: 0,
      // Steps with adapters have graphs of their own (`cudagraph_specialize_lora`).
      runtimeBytes: libraryBytes(tensorParallel * pipelineParallel) + (lora === undefined ? 0 : graphBytes),
    };
  });
  const fullest = Math.max(...weights.map((_, device) => windowsOf(device).length));
  const budget = deviceBytes === undefined ? undefined : budgetOf(places, deviceBytes * utilization);
  const tokens =
    budget === undefined || shape.windows.length === 0
      ? undefined
      : Math.min(...places.map((_, device) => tokensIn(shape, windowsOf(device), cache, budget)));
  return {
    engine: "vllm",
    architecture: shape.architecture,
    isUpperBound: !shape.isKnown,
    contextLength,
    parallel,
    utilization,
    places,
    tokenBytes: layerTokenBytes(shape, cache) * fullest,
    ...(budget === undefined ? {} : { kvCacheMemoryBytes: budget }),
    ...(tokens === undefined ? {} : { kvCacheTokens: tokens }),
    notes: [...notesOn(shape, contextLength), ...(lora === undefined ? [] : [loraNote])],
  };
}

/** What is left of a device's part for the cache, on the device that has least left. Never below nothing. */
function budgetOf(places: readonly DeviceMemory[], partBytes: number): number {
  const left = places.map((place) => partBytes - (ownBytes(place) - place.cacheBytes) - place.runtimeBytes);
  return Math.max(0, Math.floor(Math.min(...left)));
}

function assertCut(shape: HubShape, tensorParallel: number, pipelineParallel: number, where: string): void {
  const refuse = (what: string, got: string, hint: string) => new BerthError("usage", { where, what, got, hint });
  if (shape.heads % tensorParallel !== 0)
    throw refuse(
      "the devices do not divide the model's attention heads",
      `${tensorParallel} devices, ${shape.heads} heads`,
      "take a tensor parallel size that divides them",
    );
  if (shape.vocabulary > 0 && pipelineParallel > shape.layers)
    throw refuse("there are more groups of layers than layers", String(pipelineParallel), "take fewer");
}

function noWeights(where: string): BerthError {
  return new BerthError("model-unavailable", {
    where,
    what: "no weights of the model were found",
    hint: "check that the files are those of a model",
  });
}

const loraNote = "weights are with the places for adapters, of which every matrix of the layers is taken to have one";

function notesOn(shape: HubShape, contextLength: number): string[] {
  const notes = ["activations, graphs and libraries are taken from rules, not measured"];
  if (!shape.isKnown)
    notes.push(`how vLLM makes the cache of ${shape.architecture} is not known: every layer is taken to keep all`);
  if (contextLength > shape.contextLength) notes.push(`the model was made for ${shape.contextLength} tokens`);
  if (shape.windows.length === 0) notes.push("such a model reads all of a text at once and keeps no cache");
  return notes;
}
