import type { HubConfig } from "./hub-config.js";
import { readHubShape, type HubShape } from "./hub-shape.js";
import type { WeightTensor } from "./safetensors-header.js";

/**
 * The weights that a model with this configuration has, as transformers names them: for a model of which there is the
 * configuration alone. Decoders with gated feed-forward, experts and latent attention; biases are left out, which are
 * a ten-thousandth of a model.
 *
 * @throws BerthError `model-unavailable` when the configuration does not say what is needed
 */
export function deriveTensors(config: HubConfig): WeightTensor[] {
  const shape = readHubShape(config);
  const bytes = weightBytesOf(config);
  const tensor = (name: string, rows: number, columns: number): WeightTensor => ({
    name: `${name}.weight`,
    shape: [rows, columns],
    bytes: Math.ceil(rows * columns * bytes(name)),
  });
  const layers = Array.from({ length: shape.layers }, (_, layer) => {
    const own = (name: string, rows: number, columns: number) => tensor(`model.layers.${layer}.${name}`, rows, columns);
    return [...attention(config, shape, own), ...feedForward(config, shape, layer, own), own("norm", 2, shape.width)];
  });
  const isTied = config.flag("tie_word_embeddings") ?? false;
  return [
    tensor("model.embed_tokens", shape.vocabulary, shape.width),
    ...layers.flat(),
    tensor("model.norm", 1, shape.width),
    ...(isTied ? [] : [tensor("lm_head", shape.vocabulary, shape.width)]),
  ];
}

type Own = (name: string, rows: number, columns: number) => WeightTensor;

function attention(
  config: HubConfig,
  { width, heads, kvHeads, headSize, latentSize }: HubShape,
  own: Own,
): WeightTensor[] {
  if (latentSize === undefined) {
    return [
      own("self_attn.q_proj", heads * headSize, width),
      own("self_attn.k_proj", kvHeads * headSize, width),
      own("self_attn.v_proj", kvHeads * headSize, width),
      own("self_attn.o_proj", width, heads * headSize),
    ];
  }
  const rank = config.number("q_lora_rank") ?? 0;
  const latent = config.required("kv_lora_rank");
  const [plain, turning, value] = [
    config.required("qk_nope_head_dim"),
    config.required("qk_rope_head_dim"),
    config.required("v_head_dim"),
  ];
  const queries = heads * (plain + turning);
  return [
    ...(rank === 0
      ? [own("self_attn.q_proj", queries, width)]
      : [own("self_attn.q_a_proj", rank, width), own("self_attn.q_b_proj", queries, rank)]),
    own("self_attn.kv_a_proj_with_mqa", latent + turning, width),
    own("self_attn.kv_b_proj", heads * (plain + value), latent),
    own("self_attn.o_proj", width, heads * value),
  ];
}

function feedForward(config: HubConfig, { width }: HubShape, layer: number, own: Own): WeightTensor[] {
  const gated = (name: string, inner: number) => [
    own(`${name}.gate_proj`, inner, width),
    own(`${name}.up_proj`, inner, width),
    own(`${name}.down_proj`, width, inner),
  ];
  const experts = config.number("n_routed_experts", "num_experts", "num_local_experts") ?? 0;
  const isDense = experts === 0 || layer < (config.number("first_k_dense_replace") ?? 0);
  if (isDense) return gated("mlp", config.required("intermediate_size"));
  const inner = config.number("moe_intermediate_size") ?? config.required("intermediate_size");
  const shared =
    (config.number("n_shared_experts") ?? 0) * inner + (config.number("shared_expert_intermediate_size") ?? 0);
  return [
    ...Array.from({ length: experts }, (_, expert) => gated(`mlp.experts.${expert}`, inner)).flat(),
    ...(shared > 0 ? gated("mlp.shared_experts", shared) : []),
    own("mlp.gate", experts, width),
  ];
}

const dtypeBytes: Readonly<Partial<Record<string, number>>> = { float32: 4, float16: 2, bfloat16: 2, float8_e4m3fn: 1 };

/** Bytes of one weight: what the configuration's quantisation says of projections, and its `torch_dtype` of the others. */
function weightBytesOf(config: HubConfig): (name: string) => number {
  const whole = dtypeBytes[config.text("dtype") ?? config.text("torch_dtype") ?? "bfloat16"] ?? 2;
  const quantization = config.object("quantization_config");
  if (quantization === undefined) return () => whole;
  const spared = [quantization.modules_to_not_convert, quantization.ignored_layers, quantization.ignore].flatMap(
    (list) => (Array.isArray(list) ? list.map(String) : []),
  );
  const bits = bitsOf(quantization);
  return (name) => {
    const isProjection = /_proj(?:_with_mqa)?$/.test(name) || /experts/.test(name);
    const isSpared = spared.some(
      (part) => name === part || name.startsWith(`${part}.`) || (!part.startsWith("model.") && name.includes(part)),
    );
    return isProjection && !isSpared ? bits / 8 : whole;
  };
}

/** Bits of a weight, with the scales of its group. */
function bitsOf(quantization: Readonly<Record<string, unknown>>): number {
  const number = (key: string) => (typeof quantization[key] === "number" ? quantization[key] : undefined);
  const method = String(quantization.quant_method);
  if (/fp8/.test(method)) return 8;
  if (method === "mxfp4") return 4.25;
  if (method === "bitsandbytes") return quantization.load_in_4bit === true ? 4.5 : 8;
  const bits = number("bits") ?? number("w_bit") ?? 8;
  const group = number("group_size") ?? 128;
  return bits + (bits < 8 && group > 0 ? (16 + bits) / group : 0);
}
