import type { GgufTensorSpec, GgufValue, tensorTypes } from "./gguf-writer.js";

/** A model's header: what llama.cpp's conversion writes for the architecture, with a vocabulary that has no texts. */
export interface GgufShape {
  readonly metadata: Readonly<Record<string, GgufValue>>;
  readonly tensors: readonly GgufTensorSpec[];
}

export type TensorType = keyof typeof tensorTypes;

export interface Size {
  readonly layers: number;
  readonly width: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly vocabulary: number;
  readonly type?: TensorType;
  /** Whether the output has weights of its own. */
  readonly untied?: boolean;
}

export interface Experts {
  readonly experts: number;
  readonly used: number;
  readonly expertForward: number;
}

export const tensor = (name: string, shape: readonly number[], type: TensorType): GgufTensorSpec => ({
  name,
  shape,
  type,
});

export function common(architecture: string, size: Size): Record<string, GgufValue> {
  const own = (key: string) => `${architecture}.${key}`;
  return {
    "general.architecture": architecture,
    "tokenizer.ggml.model": "no_vocab",
    [own("vocab_size")]: size.vocabulary,
    [own("context_length")]: 131_072,
    [own("embedding_length")]: size.width,
    [own("block_count")]: size.layers,
    [own("feed_forward_length")]: size.feedForward,
    [own("attention.head_count")]: size.heads,
    [own("attention.head_count_kv")]: size.kvHeads,
    [own("attention.key_length")]: size.headSize,
    [own("attention.value_length")]: size.headSize,
    [own("attention.layer_norm_rms_epsilon")]: { float: 1e-6 },
    [own("rope.dimension_count")]: size.headSize,
  };
}

export function ends({ width, vocabulary, untied, type = "Q4_K" }: Size): GgufTensorSpec[] {
  return [
    tensor("token_embd.weight", [width, vocabulary], type),
    tensor("output_norm.weight", [width], "F32"),
    ...(untied === true ? [tensor("output.weight", [width, vocabulary], type)] : []),
  ];
}

export function attention(layer: number, { width, heads, kvHeads, headSize, type = "Q4_K" }: Size): GgufTensorSpec[] {
  const own = (name: string, shape: number[]) => tensor(`blk.${layer}.${name}.weight`, shape, type);
  return [
    tensor(`blk.${layer}.attn_norm.weight`, [width], "F32"),
    own("attn_q", [width, heads * headSize]),
    own("attn_k", [width, kvHeads * headSize]),
    own("attn_v", [width, kvHeads * headSize]),
    own("attn_output", [heads * headSize, width]),
    tensor(`blk.${layer}.ffn_norm.weight`, [width], "F32"),
  ];
}

export function feedForward(layer: number, { width, feedForward: inner, type = "Q4_K" }: Size): GgufTensorSpec[] {
  return [
    tensor(`blk.${layer}.ffn_gate.weight`, [width, inner], type),
    tensor(`blk.${layer}.ffn_up.weight`, [width, inner], type),
    tensor(`blk.${layer}.ffn_down.weight`, [inner, width], type),
  ];
}

export function experts(layer: number, { width, type = "Q4_K" }: Size, { experts: count, expertForward }: Experts) {
  return [
    tensor(`blk.${layer}.ffn_gate_inp.weight`, [width, count], "F32"),
    tensor(`blk.${layer}.ffn_gate_exps.weight`, [width, expertForward, count], type),
    tensor(`blk.${layer}.ffn_up_exps.weight`, [width, expertForward, count], type),
    tensor(`blk.${layer}.ffn_down_exps.weight`, [expertForward, width, count], type),
  ];
}

export function headNorms(layer: number, { headSize }: Size): GgufTensorSpec[] {
  return [
    tensor(`blk.${layer}.attn_q_norm.weight`, [headSize], "F32"),
    tensor(`blk.${layer}.attn_k_norm.weight`, [headSize], "F32"),
  ];
}

export const layersOf = ({ layers }: Size) => Array.from({ length: layers }, (_, layer) => layer);
