import type { HubShape } from "./hub-shape.js";
import { sum } from "./memory.js";
import type { WeightTensor } from "./safetensors-header.js";

/** How a model is cut: within layers, and into groups of layers. */
export interface Sharding {
  readonly tensorParallel: number;
  readonly pipelineParallel: number;
}

const layerName = /(?:^|\.)(?:layers|h|blocks|block)\.(\d+)\./;
/** What every device has whole: norms, choices of experts, and the small first halves of latent projections. */
const wholeName = /norm|\.gate\.(?:weight|e_score_correction_bias)$|router|q_a_proj|kv_a_proj|rotary|inv_freq/;
const keyValueName = /\.(?:k_proj|v_proj)\./;
const visionName = /vision|visual|audio/;
const inputName = /embed_tokens|wte|word_embeddings|tok_embeddings/;
const outputName = /lm_head|embed_out|^output\./;

/**
 * Bytes of weights on each device of an instance, group after group of layers. vLLM cuts matrices and vocabularies
 * evenly (`ColumnParallelLinear`, `RowParallelLinear`, `VocabParallelEmbedding`), heads of keys and values no further
 * than into single ones, and layers as evenly as they go, the last groups getting more before the very last
 * (`get_pp_indices` in vllm/distributed/utils.py). Experts come to the same, cut or dealt out.
 */
export function shardWeights(
  tensors: readonly WeightTensor[],
  { layers, kvHeads }: Pick<HubShape, "layers" | "kvHeads">,
  { tensorParallel, pipelineParallel }: Sharding,
): number[] {
  const stages = stagesOf(layers, pipelineParallel);
  const last = pipelineParallel - 1;
  const bytes = new Array<number>(pipelineParallel).fill(0);
  const isTied = !tensors.some(({ name }) => outputName.test(name));
  for (const { name, bytes: whole, shape } of tensors) {
    const parts = sharesOf(name, shape, tensorParallel, kvHeads);
    const share = Math.ceil(whole / parts);
    const layer = layerOf(name);
    const isVision = visionName.test(name);
    if (layer !== undefined) add(bytes, stages[layer] ?? last, share);
    else if (inputName.test(name)) {
      add(bytes, 0, share);
      if (isTied && last > 0) add(bytes, last, share);
    } else if (isVision) add(bytes, 0, share);
    else add(bytes, last, share);
  }
  return bytes.flatMap((own) => new Array<number>(tensorParallel).fill(own));
}

/** The layer of the language model that a tensor is of; undefined for one of none. */
export function layerOf(name: string): number | undefined {
  const layer = layerName.exec(name)?.[1];
  return layer === undefined || visionName.test(name) ? undefined : Number(layer);
}

/** Bytes of all weights, once. */
export function weightBytes(tensors: readonly WeightTensor[]): number {
  return sum(tensors.map(({ bytes }) => bytes));
}

function add(bytes: number[], stage: number, share: number): void {
  bytes[stage] = (bytes[stage] ?? 0) + share;
}

/** How many devices share a tensor out among them. */
export function sharesOf(name: string, shape: readonly number[], tensorParallel: number, kvHeads: number): number {
  if (wholeName.test(name)) return 1;
  if (keyValueName.test(name)) return Math.min(tensorParallel, Math.max(1, kvHeads));
  // Scales and the like of one number.
  return shape.reduce((product, size) => product * size, 1) <= 1 ? 1 : tensorParallel;
}

/** The stage of each layer. */
export function stagesOf(layers: number, stages: number): number[] {
  const least = Math.floor(layers / stages);
  const counts = new Array<number>(stages).fill(least);
  const left = layers - least * stages;
  for (let extra = 0; extra < left; extra++) {
    const stage = Math.max(0, stages - 2 - extra);
    counts[stage] = (counts[stage] ?? 0) + 1;
  }
  return counts.flatMap((count, stage) => new Array<number>(count).fill(stage));
}
