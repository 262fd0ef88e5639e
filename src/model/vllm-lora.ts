/** What vLLM sets aside for adapters (LoRA), whatever adapters are loaded. Pure. */
import type { HubShape } from "./hub-shape.js";
import { layerOf, sharesOf } from "./hub-weights.js";
import type { WeightTensor } from "./safetensors-header.js";

/** `--enable-lora`. */
export interface LoraOptions {
  /** `--max-loras`: adapters of one step, each of which has a place. */
  readonly slots: number;
  /** `--max-lora-rank`: every place is as large as for this. */
  readonly rank: number;
}

/** An adapter's numbers are those of the model, 16 bits (`LoRAConfig.lora_dtype`). */
const numberBytes = 2;
/** Words that an adapter may add, in versions that let it (`lora_extra_vocab_size`). */
const addedWords = 256;
/** Matrices that are cut along what goes in (`RowParallelLinear`); all others are cut along what comes out. */
const rowName = /\.(?:o_proj|out_proj|down_proj|dense|fc2|wo|w2|c_proj|dense_4h_to_h)\.weight$/;
/** Matrices that vLLM takes for several, each with a first half of its own (`MergedQKVParallelLinearWithLoRA`). */
const fusedNames: readonly (readonly [RegExp, number])[] = [
  [/qkv|query_key_value|W_pack/i, 3],
  [/gate_up/, 2],
];
const mostFused = 3;
const expertName = /experts?\./;
const otherName = /norm|embed_tokens|wte|word_embeddings|tok_embeddings|lm_head|embed_out/;

/** Why it cannot be told; undefined where it can. */
export function whyNoLora(tensors: readonly WeightTensor[]): string | undefined {
  if (tensors.some(({ name }) => expertName.test(name))) return "what adapters of experts take is not worked out";
  // What is packed has other shapes than the matrix that an adapter is of.
  const isPlain = tensors.every(
    ({ shape, bytes }) => bytes >= numberBytes * shape.reduce((all, size) => all * size, 1),
  );
  return isPlain
    ? undefined
    : "what adapters take is not worked out for weights that are quantised, or are no safetensors";
}

/**
 * Bytes of the places for adapters on the fullest device: for each matrix of the layers, `rank` numbers for all that
 * goes in and all that comes out (`create_lora_weights` in vllm/lora/layers/base_linear.py and
 * column_parallel_linear.py: `lora_a_stacked` and `lora_b_stacked`), which is an upper bound for models of which vLLM
 * adapts less; and for the vocabulary, which some versions adapt.
 */
export function loraBytes(
  tensors: readonly WeightTensor[],
  shape: Pick<HubShape, "kvHeads" | "vocabulary" | "width">,
  tensorParallel: number,
  { slots, rank }: LoraOptions,
): number {
  const perRank = tensors.reduce((sum, tensor) => sum + numbersOf(tensor, shape, tensorParallel), 0);
  const words = shape.vocabulary + addedWords + shape.width;
  return slots * numberBytes * (rank * (perRank + 2 * words) + addedWords * shape.width);
}

/** Numbers of an adapter for each of its ranks. */
function numbersOf({ name, shape }: WeightTensor, { kvHeads }: Pick<HubShape, "kvHeads">, devices: number): number {
  const [out, into] = shape;
  if (out === undefined || into === undefined || shape.length !== 2) return 0;
  if (layerOf(name) === undefined || otherName.test(name)) return 0;
  const parts = sharesOf(name, shape, devices, kvHeads);
  if (rowName.test(name)) return Math.ceil(into / parts) + out;
  const [, fused] = fusedNames.find(([pattern]) => pattern.test(name)) ?? [undefined, 1];
  return into * fused + Math.ceil(out / parts);
}

/** What adapters take beside their places: results between both halves of three matrices at once, in 32 bits. */
export function loraStepBytes(batchTokens: number, { rank }: LoraOptions): number {
  return mostFused * batchTokens * rank * 4;
}
