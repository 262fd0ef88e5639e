import type { GgufHeader } from "./gguf-header.js";
import { readGgufShape, type GgufShape } from "./gguf-shape.js";
import { activationsOf } from "./llama-activations.js";
import { cacheBytes } from "./llama-cache.js";
import { computeBytes } from "./llama-compute.js";
import { placeLayers, placesOf, type Offload, type Place } from "./llama-offload.js";
import { decideOptions, type LlamaOptions, type LlamaSetting } from "./llama-options.js";
import { placeWeights } from "./llama-weights.js";
import { sum, type DeviceMemory, type MemoryEstimate } from "./memory.js";
import { projectorMemory } from "./projector-memory.js";

export interface LlamaModel {
  /** Header of the file, or of all its parts, with their tensors joined. */
  readonly header: GgufHeader;
  readonly projector?: GgufHeader | undefined;
  /** What names the model, for errors. */
  readonly where: string;
}

/** Program, tables of the vocabulary and threads: 44 MiB with a vocabulary of 262,144, measured (docs/estimates.md). */
const hostRuntimeBytes = 32 * 2 ** 20;
const bytesPerWord = 64;
/** What drivers and libraries take for each device: what gguf-parser is told by GPUStack, 150 and 500 MiB. */
const driverBytes = { host: 150 * 2 ** 20, device: 500 * 2 ** 20 };

/**
 * The memory of llama-server with a model, place by place. Pure, from the file's header alone.
 *
 * @throws BerthError `model-unavailable` when the header does not say what is needed; `usage`
 */
export function estimateLlama(model: LlamaModel, options: LlamaOptions): MemoryEstimate {
  const { header, where } = model;
  const shape = readGgufShape(header, where);
  const setting = decideOptions(options, shape);
  const offload = placeLayers(shape.layers.length, setting);
  return {
    engine: "llama-cpp",
    architecture: shape.architecture,
    isUpperBound: !shape.isKnown,
    contextLength: setting.textTokens,
    parallel: setting.parallel,
    places: measurePlaces(model, shape, setting, offload),
    notes: notesOn(shape, setting, model),
  };
}

function measurePlaces(
  { header, projector }: LlamaModel,
  shape: GgufShape,
  setting: LlamaSetting,
  offload: Offload,
): DeviceMemory[] {
  const weights = placeWeights(header.tensors, offload, setting, shape);
  const caches = cacheBytes(shape, setting);
  const onHost = (index: number) => offload.layers[index] === "host" || index < setting.expertsOnHost;
  const largestOnHost = header.tensors.reduce((most, { name, bytes }) => {
    const layer = /^blk\.(\d+)\./.exec(name)?.[1];
    return layer !== undefined && onHost(Number(layer)) ? Math.max(most, bytes) : most;
  }, 0);
  const activations = activationsOf(header.tensors, shape, setting);
  const problem = { shape, setting, offload, activations, largestOnHost };
  const eyes = projector === undefined ? undefined : projectorMemory(projector);
  const eyesPlace: Place = setting.split.length === 0 ? "host" : 0;
  return placesOf(setting).map((place) => {
    const isHost = place === "host";
    const own = offload.layers.flatMap((each, layer) => (each === place ? [caches[layer] ?? 0] : []));
    const cache = setting.cacheOnHost ? (isHost ? sum(caches) : 0) : sum(own);
    const sees = place === eyesPlace ? eyes : undefined;
    return {
      device: place,
      layers: own.length + (offload.output === place ? 1 : 0),
      weightsBytes: (weights.bytes.get(place) ?? 0) + (isHost ? weights.repackedBytes : 0) + (sees?.weightsBytes ?? 0),
      cacheBytes: cache,
      computeBytes: computeBytes(problem, place) + (sees?.computeBytes ?? 0),
      outputBytes: isHost ? setting.parallel * shape.vocabulary * 4 : 0,
      runtimeBytes: runtimeBytes(shape, setting, place),
    };
  });
}

function runtimeBytes({ vocabulary }: GgufShape, { split, remote }: LlamaSetting, place: Place): number {
  if (place !== "host") return driverBytes.device;
  const program = hostRuntimeBytes + vocabulary * bytesPerWord;
  return program + (split.length > 0 && !remote ? driverBytes.host : 0);
}

function notesOn(shape: GgufShape, setting: LlamaSetting, { projector }: LlamaModel): string[] {
  const notes: string[] = [];
  if (!shape.isKnown)
    notes.push(
      `how llama.cpp makes the memory of ${shape.architecture} is not known: every layer is taken to keep all`,
    );
  if (setting.sharedCache && setting.parallel > 1)
    notes.push(`${setting.parallel} texts share a cache of ${setting.cacheTokens} tokens`);
  if (shape.keepsCache && setting.textTokens > shape.contextLength)
    notes.push(`the model was made for ${shape.contextLength} tokens`);
  if (projector !== undefined) notes.push("what the projector computes is an upper bound");
  return notes;
}
