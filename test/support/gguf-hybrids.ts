import { attention, common, ends, experts, feedForward, headNorms, layersOf, tensor } from "./gguf-parts.js";
import type { Experts, GgufShape, Size, TensorType } from "./gguf-parts.js";

/** A state for each sequence, and no attention. */
export function mambaShape(size: Size, state: { readonly state: number; readonly kernel: number }): GgufShape {
  const { width, type = "Q8_0" } = size;
  const inner = 2 * width;
  const rank = width / 16;
  const metadata = {
    ...common("mamba", { ...size, feedForward: 0, heads: 0, kvHeads: 0, headSize: 0 }),
    "mamba.ssm.conv_kernel": state.kernel,
    "mamba.ssm.inner_size": inner,
    "mamba.ssm.state_size": state.state,
    "mamba.ssm.time_step_rank": rank,
  };
  const own = (layer: number, name: string, shape: number[], as: TensorType = "F32") =>
    tensor(`blk.${layer}.${name}`, shape, as);
  const blocks = layersOf(size).flatMap((layer) => [
    own(layer, "attn_norm.weight", [width]),
    own(layer, "ssm_in.weight", [width, 2 * inner], type),
    own(layer, "ssm_conv1d.weight", [state.kernel, inner]),
    own(layer, "ssm_conv1d.bias", [inner]),
    own(layer, "ssm_x.weight", [inner, rank + 2 * state.state], type),
    own(layer, "ssm_dt.weight", [rank, inner]),
    own(layer, "ssm_dt.bias", [inner]),
    own(layer, "ssm_a", [state.state, inner]),
    own(layer, "ssm_d", [inner]),
    own(layer, "ssm_out.weight", [inner, width], type),
  ]);
  return { metadata, tensors: [...ends({ ...size, type }), ...blocks] };
}

/** Attention in some layers, short convolutions in the others, as in LFM2. */
export function lfm2Shape(size: Size, attends: readonly number[], kernel: number): GgufShape {
  const { width, type = "Q4_K" } = size;
  const kvHeads = layersOf(size).map((layer) => (attends.includes(layer) ? size.kvHeads : 0));
  const metadata = {
    ...common("lfm2", size),
    "lfm2.attention.head_count_kv": kvHeads,
    "lfm2.shortconv.l_cache": kernel,
  };
  const own = (layer: number, name: string, shape: number[], as: TensorType) =>
    tensor(`blk.${layer}.${name}.weight`, shape, as);
  const convolution = (layer: number) => [
    own(layer, "attn_norm", [width], "F32"),
    own(layer, "ffn_norm", [width], "F32"),
    own(layer, "shortconv.conv", [kernel, width], "F32"),
    own(layer, "shortconv.in_proj", [width, 3 * width], type),
    own(layer, "shortconv.out_proj", [width, width], type),
  ];
  const blocks = layersOf(size).flatMap((layer) => [
    ...(attends.includes(layer) ? [...attention(layer, size), ...headNorms(layer, size)] : convolution(layer)),
    ...feedForward(layer, size),
  ]);
  const tensors = ends(size).map((each) =>
    each.name === "output_norm.weight" ? { ...each, name: "token_embd_norm.weight" } : each,
  );
  return { metadata, tensors: [...tensors, ...blocks] };
}

interface StateSpace {
  readonly state: number;
  readonly groups: number;
  readonly heads: number;
  readonly kernel: number;
}

/** Gated delta networks, attention in every fourth layer, as in Qwen3-Next. */
export function qwen3nextShape(size: Size, moe: Experts, { state, groups, heads, kernel }: StateSpace): GgufShape {
  const { width, headSize, type = "Q4_K" } = size;
  const [keys, values] = [state * groups, state * heads];
  const metadata = {
    ...common("qwen3next", size),
    "qwen3next.rope.dimension_count": headSize / 4,
    "qwen3next.expert_count": moe.experts,
    "qwen3next.expert_used_count": moe.used,
    "qwen3next.expert_feed_forward_length": moe.expertForward,
    "qwen3next.expert_shared_feed_forward_length": moe.expertForward,
    "qwen3next.ssm.conv_kernel": kernel,
    "qwen3next.ssm.inner_size": values,
    "qwen3next.ssm.state_size": state,
    "qwen3next.ssm.time_step_rank": heads,
    "qwen3next.ssm.group_count": groups,
  };
  const own = (layer: number, name: string, shape: number[], as: TensorType = type) =>
    tensor(`blk.${layer}.${name}`, shape, as);
  const delta = (layer: number) => [
    own(layer, "attn_norm.weight", [width], "F32"),
    own(layer, "ssm_in.weight", [width, 2 * keys + 2 * values]),
    own(layer, "ssm_conv1d.weight", [kernel, 2 * keys + values], "F32"),
    own(layer, "ssm_dt.bias", [heads], "F32"),
    own(layer, "ssm_a", [heads], "F32"),
    own(layer, "ssm_ba.weight", [width, 2 * heads]),
    own(layer, "ssm_norm.weight", [state], "F32"),
    own(layer, "ssm_out.weight", [values, width]),
  ];
  const gated = (layer: number) =>
    attention(layer, size).flatMap((each) => {
      if (each.name.endsWith("ffn_norm.weight")) return [];
      return each.name.endsWith("attn_q.weight") ? [{ ...each, shape: [width, 2 * size.heads * headSize] }] : [each];
    });
  const blocks = layersOf(size).flatMap((layer) => [
    ...(layer % 4 === 3 ? [...gated(layer), ...headNorms(layer, size)] : delta(layer)),
    own(layer, "post_attention_norm.weight", [width], "F32"),
    ...experts(layer, size, moe),
    own(layer, "ffn_gate_inp_shexp.weight", [width], "F32"),
    own(layer, "ffn_gate_shexp.weight", [width, moe.expertForward]),
    own(layer, "ffn_up_shexp.weight", [width, moe.expertForward]),
    own(layer, "ffn_down_shexp.weight", [moe.expertForward, width]),
  ]);
  return { metadata, tensors: [...ends({ ...size, untied: true }), ...blocks] };
}

/** Mamba-2 layers, attention in few, as in Granite 4. */
export function graniteHybridShape(size: Size, attends: readonly number[], space: StateSpace): GgufShape {
  const { width, type = "Q4_K" } = size;
  const { state, groups, heads, kernel } = space;
  const inner = 2 * width;
  const kvHeads = layersOf(size).map((layer) => (attends.includes(layer) ? size.kvHeads : 0));
  const metadata = {
    ...common("granitehybrid", size),
    "granitehybrid.attention.head_count_kv": kvHeads,
    "granitehybrid.ssm.conv_kernel": kernel,
    "granitehybrid.ssm.inner_size": inner,
    "granitehybrid.ssm.state_size": state,
    "granitehybrid.ssm.time_step_rank": heads,
    "granitehybrid.ssm.group_count": groups,
  };
  const own = (layer: number, name: string, shape: number[], as: TensorType = type) =>
    tensor(`blk.${layer}.${name}`, shape, as);
  const mamba = (layer: number) => [
    own(layer, "attn_norm.weight", [width], "F32"),
    own(layer, "ssm_in.weight", [width, 2 * inner + 2 * groups * state + heads]),
    own(layer, "ssm_conv1d.weight", [kernel, inner + 2 * groups * state], "F32"),
    own(layer, "ssm_conv1d.bias", [inner + 2 * groups * state], "F32"),
    own(layer, "ssm_dt.bias", [heads], "F32"),
    own(layer, "ssm_a", [1, heads], "F32"),
    own(layer, "ssm_d", [1, heads], "F32"),
    own(layer, "ssm_norm.weight", [inner / groups, groups], "F32"),
    own(layer, "ssm_out.weight", [inner, width]),
    own(layer, "ffn_norm.weight", [width], "F32"),
  ];
  const blocks = layersOf(size).flatMap((layer) => [
    ...(attends.includes(layer) ? attention(layer, size) : mamba(layer)),
    ...feedForward(layer, size),
  ]);
  return { metadata, tensors: [...ends(size), ...blocks] };
}
