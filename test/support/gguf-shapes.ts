import { attention, common, ends, experts, feedForward, headNorms, layersOf, tensor } from "./gguf-parts.js";
import type { Experts, GgufShape, Size, TensorType } from "./gguf-parts.js";

/** Dense layers, grouped heads. */
export function llamaShape(size: Size): GgufShape {
  const blocks = layersOf(size).flatMap((layer) => [...attention(layer, size), ...feedForward(layer, size)]);
  return { metadata: common("llama", size), tensors: [...ends(size), ...blocks] };
}

/** Mixture of experts with normalised heads, as in Qwen3-30B-A3B. */
export function qwen3moeShape(size: Size, moe: Experts): GgufShape {
  const metadata = {
    ...common("qwen3moe", size),
    "qwen3moe.expert_count": moe.experts,
    "qwen3moe.expert_used_count": moe.used,
    "qwen3moe.expert_feed_forward_length": moe.expertForward,
  };
  const blocks = layersOf(size).flatMap((layer) => [
    ...attention(layer, size),
    ...headNorms(layer, size),
    ...experts(layer, size, moe),
  ]);
  return { metadata, tensors: [...ends({ ...size, untied: true }), ...blocks] };
}

/** Every other layer sees a window. */
export function gemma2Shape(size: Size, window: number): GgufShape {
  const metadata = {
    ...common("gemma2", size),
    "gemma2.attention.sliding_window": window,
    "gemma2.attn_logit_softcapping": { float: 50 },
    "gemma2.final_logit_softcapping": { float: 30 },
  };
  const blocks = layersOf(size).flatMap((layer) => [
    ...attention(layer, size),
    ...feedForward(layer, size),
    tensor(`blk.${layer}.post_attention_norm.weight`, [size.width], "F32"),
    tensor(`blk.${layer}.post_ffw_norm.weight`, [size.width], "F32"),
  ]);
  return { metadata, tensors: [...ends(size), ...blocks] };
}

/** Windows, experts in MXFP4 and attention sinks, as in gpt-oss. */
export function gptOssShape(size: Size, moe: Experts, window: number): GgufShape {
  const metadata = {
    ...common("gpt-oss", size),
    "gpt-oss.expert_count": moe.experts,
    "gpt-oss.expert_used_count": moe.used,
    "gpt-oss.expert_feed_forward_length": moe.expertForward,
    "gpt-oss.attention.sliding_window": window,
  };
  const { width, heads } = size;
  const bias = (layer: number, name: string, shape: number[]) => tensor(`blk.${layer}.${name}.bias`, shape, "F32");
  const blocks = layersOf(size).flatMap((layer) => [
    ...attention(layer, size).filter(({ name }) => !name.includes("ffn_norm")),
    tensor(`blk.${layer}.post_attention_norm.weight`, [width], "F32"),
    tensor(`blk.${layer}.attn_sinks.weight`, [heads], "F32"),
    ...experts(layer, { ...size, type: "MXFP4" }, moe),
    bias(layer, "attn_output", [width]),
    bias(layer, "ffn_gate_inp", [moe.experts]),
    bias(layer, "ffn_gate_exps", [moe.expertForward, moe.experts]),
    bias(layer, "ffn_up_exps", [moe.expertForward, moe.experts]),
    bias(layer, "ffn_down_exps", [width, moe.experts]),
  ]);
  return { metadata, tensors: [...ends({ ...size, untied: true }), ...blocks] };
}

/** Latent attention, experts after the first layers, as in DeepSeek-V3. */
export function deepseek2Shape(size: Size, moe: Experts, dense: number): GgufShape {
  const { width, heads, type = "Q4_K" } = size;
  const [queryRank, latent, rope, nope, value] = [1536, 512, 64, 128, 128];
  const metadata = {
    ...common("deepseek2", size),
    "deepseek2.attention.head_count_kv": 1,
    "deepseek2.attention.key_length": latent + rope,
    "deepseek2.attention.value_length": latent,
    "deepseek2.attention.key_length_mla": nope + rope,
    "deepseek2.attention.value_length_mla": value,
    "deepseek2.attention.q_lora_rank": queryRank,
    "deepseek2.attention.kv_lora_rank": latent,
    "deepseek2.rope.dimension_count": rope,
    "deepseek2.leading_dense_block_count": dense,
    "deepseek2.expert_count": moe.experts,
    "deepseek2.expert_used_count": moe.used,
    "deepseek2.expert_shared_count": 1,
    "deepseek2.expert_feed_forward_length": moe.expertForward,
    "deepseek2.expert_weights_scale": { float: 2.5 },
    "deepseek2.expert_gating_func": 2,
  };
  const own = (layer: number, name: string, shape: number[], as: TensorType = type) =>
    tensor(`blk.${layer}.${name}.weight`, shape, as);
  const shared = (layer: number) => [
    own(layer, "ffn_gate_shexp", [width, moe.expertForward]),
    own(layer, "ffn_up_shexp", [width, moe.expertForward]),
    own(layer, "ffn_down_shexp", [moe.expertForward, width]),
  ];
  const blocks = layersOf(size).flatMap((layer) => [
    own(layer, "attn_norm", [width], "F32"),
    own(layer, "attn_q_a_norm", [queryRank], "F32"),
    own(layer, "attn_kv_a_norm", [latent], "F32"),
    own(layer, "attn_q_a", [width, queryRank]),
    own(layer, "attn_q_b", [queryRank, heads * (nope + rope)]),
    own(layer, "attn_kv_a_mqa", [width, latent + rope], "Q8_0"),
    own(layer, "attn_k_b", [nope, latent, heads], "Q8_0"),
    own(layer, "attn_v_b", [latent, value, heads], "Q8_0"),
    own(layer, "attn_output", [heads * value, width]),
    own(layer, "ffn_norm", [width], "F32"),
    ...(layer < dense ? feedForward(layer, size) : [...experts(layer, size, moe), ...shared(layer)]),
  ]);
  return { metadata, tensors: [...ends({ ...size, untied: true }), ...blocks] };
}

/** Reads all of a text at once and tells one number of it, as bge-reranker-v2-m3: biases, no gate, no output. */
export function rerankerShape(size: Size): GgufShape {
  const { width, feedForward: inner, vocabulary, type = "F16" } = size;
  const metadata = {
    ...common("bert", size),
    "bert.context_length": 8192,
    "bert.attention.causal": false,
    "bert.attention.layer_norm_epsilon": { float: 1e-5 },
    "bert.pooling_type": 4,
    "tokenizer.ggml.token_type_count": 1,
  };
  const both = (name: string, shape: number[], as: TensorType) => [
    tensor(`${name}.weight`, shape, as),
    tensor(`${name}.bias`, shape.slice(-1), "F32"),
  ];
  const blocks = layersOf(size).flatMap((layer) => [
    ...["attn_q", "attn_k", "attn_v", "attn_output"].flatMap((name) =>
      both(`blk.${layer}.${name}`, [width, width], type),
    ),
    ...["attn_output_norm", "layer_output_norm"].flatMap((name) => both(`blk.${layer}.${name}`, [width], "F32")),
    ...both(`blk.${layer}.ffn_up`, [width, inner], type),
    ...both(`blk.${layer}.ffn_down`, [inner, width], type),
  ]);
  const tensors = [
    tensor("token_embd.weight", [width, vocabulary], type),
    tensor("token_types.weight", [width, 1], "F32"),
    tensor("position_embd.weight", [width, 8192], "F32"),
    ...both("token_embd_norm", [width], "F32"),
    ...both("cls", [width, width], type),
    ...both("cls.output", [width, 1], type),
  ];
  return { metadata, tensors: [...tensors, ...blocks] };
}
