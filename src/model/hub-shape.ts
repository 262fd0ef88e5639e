import type { HubConfig } from "./hub-config.js";

/** What the memory of a Hub model depends on beside its weights. */
export interface HubShape {
  readonly architecture: string;
  readonly isKnown: boolean;
  /** For each layer the window it sees, if it does not see all. Empty for models that keep nothing. */
  readonly windows: readonly (number | undefined)[];
  readonly layers: number;
  readonly width: number;
  readonly inner: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** Latent attention keeps one vector of this size in place of keys and values. */
  readonly latentSize: number | undefined;
  readonly vocabulary: number;
  readonly contextLength: number;
}

const decoders = `llama mistral mixtral qwen2 qwen2_moe qwen2_vl qwen2_5_vl qwen3 qwen3_moe qwen3_vl phi3 phi gemma gemma2
  gemma3 gemma3_text deepseek_v2 deepseek_v3 gpt_oss starcoder2 cohere cohere2 olmo olmo2 olmoe granite granitemoe glm
  glm4 glm4_moe seed_oss smollm3 internlm2 exaone4 mistral3 llava internvl ernie4_5 dots1 stablelm`;
const known = new Set(decoders.split(/\s+/));
/** Models that read all of a text at once. */
const encoders = /^(?:bert|roberta|xlm-roberta|modernbert|distilbert|mpnet|nomic_bert|new|gte|electra|deberta.*)$/;

/** @throws BerthError `model-unavailable` when the configuration does not say what is needed */
export function readHubShape(config: HubConfig): HubShape {
  const { modelType } = config;
  const layers = config.required("num_hidden_layers", "n_layer", "num_layers");
  const width = config.required("hidden_size", "n_embd", "d_model");
  const heads = config.required("num_attention_heads", "n_head", "num_heads");
  const latent = config.number("kv_lora_rank");
  const inner = config.number("intermediate_size", "n_inner", "ffn_dim") ?? 4 * width;
  const chosen = config.number("num_experts_per_tok") ?? 0;
  const isEncoder = encoders.test(modelType);
  return {
    architecture: config.architecture,
    isKnown: known.has(modelType) || isEncoder,
    windows: isEncoder ? [] : readWindows(config, layers),
    layers,
    width,
    inner: Math.max(inner, chosen * (config.number("moe_intermediate_size") ?? 0)),
    heads,
    kvHeads: config.number("num_key_value_heads") ?? heads,
    headSize: config.number("head_dim") ?? Math.floor(width / heads),
    latentSize: latent === undefined || latent === 0 ? undefined : latent + (config.number("qk_rope_head_dim") ?? 0),
    vocabulary: config.required("vocab_size"),
    contextLength: config.number("max_position_embeddings", "n_positions", "seq_length", "max_sequence_length") ?? 2048,
  };
}

/** Models that transformers gives windows without a list of layers, and after how many layers one sees all. */
const periods: Readonly<Partial<Record<string, number>>> = { gemma2: 2, gemma3: 6, gemma3_text: 6, cohere2: 4 };
const allWindowed: ReadonlySet<string> = new Set(["mistral", "mixtral", "phi3", "starcoder2"]);

/** `layer_types` and `sliding_window` of transformers' configurations; vLLM reads the same (`get_sliding_window`). */
function readWindows(config: HubConfig, layers: number): (number | undefined)[] {
  const { modelType } = config;
  const window = config.number("sliding_window") ?? 0;
  const isUsed = known.has(modelType) && window > 0 && config.flag("use_sliding_window") !== false;
  const types = config.list("layer_types");
  const period = config.number("sliding_window_pattern") ?? periods[modelType];
  return Array.from({ length: layers }, (_, layer) => {
    if (!isUsed) return undefined;
    if (types !== undefined) return types[layer] === "sliding_attention" ? window : undefined;
    if (period !== undefined) return (layer + 1) % period === 0 ? undefined : window;
    return allWindowed.has(modelType) ? window : undefined;
  });
}
