import type { GgufShape } from "./gguf-shape.js";
import type { Activations } from "./llama-activations.js";
import { cellsOf } from "./llama-cache.js";
import type { Offload, Place } from "./llama-offload.js";
import type { LlamaSetting } from "./llama-options.js";

const floatBytes = 4;

/** Results between layers that are held at once, in widths of the model, by what a place does. */
const heldBetween = {
  all: 5,
  device: 4,
  hostOfDevices: 4,
  firstOfSeveral: 16,
  laterOfSeveral: 11,
  hostOfSeveral: 10,
};
/** Steps that several devices work on at once (`GGML_SCHED_MAX_COPIES` in ggml's src/ggml-backend.cpp). */
const stepsAtOnce = 4;

export interface ComputeProblem {
  readonly shape: GgufShape;
  readonly setting: LlamaSetting;
  readonly offload: Offload;
  readonly activations: readonly Activations[];
  /** Bytes of the largest weights that stay on the host, which a device may borrow for a step. */
  readonly largestOnHost: number;
}

/**
 * The compute buffer of each place as llama-server reserves it: a step of `-ub` tokens, one result for each text, and
 * the cache full (`sched_reserve` in llama.cpp's src/llama-context.cpp). It holds the input and its masks to the end,
 * and beside them what the widest step holds. With several devices that have all layers, four steps are under way, and
 * each has its own input (`pipeline_parallel` there).
 */
export function computeBytes(problem: ComputeProblem, place: Place): number {
  const { shape, setting, offload, largestOnHost } = problem;
  const hasOutput = offload.output === place;
  const layers = offload.layers.flatMap((each, index) => (each === place ? [index] : []));
  const isHost = place === "host";
  if (!isHost && layers.length === 0 && !hasOutput) return 0;
  const isAll = offload.output === "host" && offload.layers.every((each) => each === "host");
  if (!isHost && isAll) return 0;
  const results = Math.min(setting.parallel, setting.batch) * shape.vocabulary * floatBytes;
  if (!isHost && layers.length === 0) return results + setting.parallel * shape.width * floatBytes;
  const pipelined = isPipelined(problem);
  const widest = widestStep(problem, layers, isHost);
  const between = heldIn(place, problem, pipelined) * shape.width * setting.batch * floatBytes;
  const masks = maskBytes(shape, setting) * (pipelined ? stepsAtOnce : 1);
  const borrowed = !isHost && !setting.remote && offload.layers.includes("host") ? largestOnHost : 0;
  // Towards the end most of the widest step's place is free again.
  const atEnd = hasOutput ? results + (widest * 2) / 3 : 0;
  return masks + between + Math.max(widest, atEnd) + borrowed;
}

function heldIn(place: Place, { shape, offload, setting }: ComputeProblem, pipelined: boolean): number {
  const [first] = setting.split.keys();
  if (pipelined) {
    if (place === "host") return heldBetween.hostOfSeveral;
    return place === first ? heldBetween.firstOfSeveral : heldBetween.laterOfSeveral;
  }
  const hasHostLayers = offload.layers.includes("host");
  const isOnHost = hasHostLayers || setting.layers === 0 || !shape.keepsCache;
  if (place === "host") return isOnHost ? heldBetween.all : heldBetween.hostOfDevices;
  return heldBetween.device;
}

function isPipelined({ setting, offload }: ComputeProblem): boolean {
  const all = offload.output !== "host" && !offload.layers.includes("host");
  return setting.split.length > 1 && all && !setting.cacheOnHost && setting.expertsOnHost === 0;
}

function widestStep(
  { shape, setting, activations }: ComputeProblem,
  layers: readonly number[],
  isHost: boolean,
): number {
  const { batch, expertsOnHost, flashAttention } = setting;
  let widest = 0;
  for (const [index, own] of activations.entries()) {
    const isHere = layers.includes(index);
    const hasExperts = index < expertsOnHost ? isHost : isHere;
    const cells = isHere ? cellsOf(shape.layers[index] ?? { window: undefined }, setting) : 0;
    const scores = flashAttention || own.attention === 0 || !shape.keepsCache ? 0 : shape.heads * cells;
    const attention = isHere ? own.attention + scores : 0;
    widest = Math.max(widest, attention, isHere ? own.feedForward : 0, hasExperts ? own.experts : 0);
  }
  const states = layers.reduce((most, index) => Math.max(most, shape.layers[index]?.state ?? 0), 0);
  // As they were and as they become.
  return (widest * batch + 2 * states * setting.parallel) * floatBytes;
}

/** Which cells each token may see: a mask for all of them and one for windows, in 16 bits with flash attention. */
function maskBytes(shape: GgufShape, setting: LlamaSetting): number {
  const numberBytes = setting.flashAttention ? 2 : floatBytes;
  if (!shape.keepsCache) return setting.batch * setting.batch * numberBytes;
  const attending = shape.layers.filter(({ keys }) => keys > 0);
  const full = attending.find(({ window }) => window === undefined);
  const windowed = attending.find(({ window }) => window !== undefined);
  const cells = [full, windowed].map((layer) => (layer === undefined ? 0 : cellsOf(layer, setting)));
  return cells.reduce((total, own) => total + own, 0) * setting.batch * numberBytes;
}
