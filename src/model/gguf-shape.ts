import type { GgufHeader } from "./gguf-header.js";
import {
  hybrids,
  indexed,
  isKnownArchitecture,
  recurrent,
  windowRules,
  withoutCache,
  withoutOutput,
} from "./gguf-architecture.js";
import { readMetadata, type GgufMetadata } from "./gguf-metadata.js";

/** What one layer keeps of a text. */
export interface LayerShape {
  /** Numbers kept of each token: keys, values, and keys that choose. All 0 where the layer keeps a state or nothing. */
  readonly keys: number;
  readonly values: number;
  readonly choosingKeys: number;
  /** Only so many tokens are kept. */
  readonly window: number | undefined;
  /** 32-bit numbers kept of each text, however long. */
  readonly state: number;
}

/** What the memory of a model depends on beside its weights. */
export interface GgufShape {
  readonly architecture: string;
  /** Whether Berth knows how the engine makes the memory of it; if not, all layers are taken to keep everything. */
  readonly isKnown: boolean;
  readonly layers: readonly LayerShape[];
  readonly width: number;
  readonly vocabulary: number;
  /** Tokens that the model was made for. */
  readonly contextLength: number;
  readonly heads: number;
  readonly headSize: number;
  /** Latent attention: the size of what a key is made from, of the part that turns, and of a whole key. */
  readonly latent: { readonly size: number; readonly turning: number; readonly keySize: number } | undefined;
  readonly keepsCache: boolean;
  /** Whether it tells of each word of the vocabulary how likely it is; models of texts as a whole do not. */
  readonly hasOutput: boolean;
  readonly expertsUsed: number;
}

/** @throws BerthError `model-unavailable` when the file does not say what is needed */
export function readGgufShape(header: GgufHeader, where: string): GgufShape {
  const metadata = readMetadata(header, where);
  const { architecture, vocabulary } = metadata;
  const width = metadata.required("embedding_length");
  const heads = Math.max(0, ...(metadata.perLayer("attention.head_count", metadata.required("block_count")) ?? [0]));
  const latentKeys = metadata.number("attention.key_length_mla") ?? 0;
  const latentSize = metadata.number("attention.kv_lora_rank") ?? 0;
  return {
    architecture,
    isKnown: isKnownArchitecture(architecture),
    layers: readLayers(metadata, width),
    width,
    vocabulary,
    contextLength: metadata.required("context_length"),
    heads,
    headSize: headSizes(metadata, width, heads).key,
    latent:
      latentKeys > 0 && latentSize > 0
        ? { size: latentSize, turning: metadata.number("rope.dimension_count") ?? 0, keySize: latentKeys }
        : undefined,
    keepsCache: !withoutCache.has(architecture),
    hasOutput: !withoutOutput.has(architecture),
    expertsUsed: metadata.number("expert_used_count") ?? 0,
  };
}

function readLayers(metadata: GgufMetadata, width: number): LayerShape[] {
  const { architecture } = metadata;
  const count = metadata.required("block_count");
  const trunk = count - (metadata.number("nextn_predict_layers") ?? 0);
  const heads = metadata.perLayer("attention.head_count", count);
  const kvHeads = metadata.perLayer("attention.head_count_kv", count) ?? heads ?? new Array<number>(count).fill(0);
  if (heads === undefined && !recurrent.has(architecture)) metadata.required("attention.head_count");
  const sizes = headSizes(metadata, width, Math.max(0, ...(heads ?? [])));
  const isLatent = (metadata.number("attention.key_length_mla") ?? 0) > 0;
  const states = statefulLayers(metadata, kvHeads);
  const windows = readWindows(metadata, count, trunk);
  const caching = cachingLayers(metadata, trunk);
  const isKnown = isKnownArchitecture(architecture);
  const mayChoose = indexed.has(architecture) || !isKnown;
  const choosing = mayChoose ? (metadata.number("attention.indexer.key_length") ?? 0) : 0;
  const keepsBoth = hybrids[architecture] === "both" || !isKnown;
  return Array.from({ length: count }, (_, layer) => {
    const window = windows?.[layer];
    const [key, value] = window === undefined ? [sizes.key, sizes.value] : [sizes.windowKey, sizes.windowValue];
    const keeps = layer < caching && !withoutCache.has(architecture) && (!states[layer] || keepsBoth);
    const own = keeps ? (kvHeads[layer] ?? 0) : 0;
    return {
      keys: own * key,
      values: isLatent ? 0 : own * value,
      choosingKeys: keeps ? choosing : 0,
      window,
      state: states[layer] === true && layer < trunk ? stateOf(metadata, width, heads?.[layer] ?? 0) : 0,
    };
  });
}

/** Layers from this one on keep no cache of their own: they use an earlier one's, or only predict further tokens. */
function cachingLayers(metadata: GgufMetadata, trunk: number): number {
  if (metadata.architecture === "gemma3n") return Math.min(20, trunk);
  return trunk - (metadata.architecture === "gemma4" ? (metadata.number("attention.shared_kv_layers") ?? 0) : 0);
}

function headSizes(metadata: GgufMetadata, width: number, heads: number) {
  const equal = heads === 0 ? 0 : Math.floor(width / heads);
  const key = metadata.number("attention.key_length") ?? equal;
  const value = metadata.number("attention.value_length") ?? equal;
  return {
    key,
    value,
    windowKey: metadata.number("attention.key_length_swa") ?? key,
    windowValue: metadata.number("attention.value_length_swa") ?? value,
  };
}

function statefulLayers(metadata: GgufMetadata, kvHeads: readonly number[]): readonly boolean[] {
  const { architecture } = metadata;
  if (recurrent.has(architecture)) return kvHeads.map(() => true);
  const rule = hybrids[architecture];
  if (rule === "both" || !isKnownArchitecture(architecture)) return kvHeads.map(() => true);
  if (rule === undefined) return kvHeads.map(() => false);
  if (rule === "interval") {
    const told = metadata.flags("attention.recurrent_layers");
    const interval = metadata.number("full_attention_interval") ?? (architecture === "minimax-01" ? 8 : 4);
    return told ?? kvHeads.map((_, layer) => (layer + 1) % interval !== 0);
  }
  // Nemotron-H has a third kind: layers that only feed forward.
  const inner = metadata.perLayer("feed_forward_length", kvHeads.length);
  const isNemotron = architecture.startsWith("nemotron_h");
  return kvHeads.map((own, layer) => own === 0 && !(isNemotron && (inner?.[layer] ?? 0) > 0));
}

/** `load_swa_pattern` and what each architecture does before it. Undefined where a layer sees all. */
function readWindows(
  metadata: GgufMetadata,
  count: number,
  trunk: number,
): readonly (number | undefined)[] | undefined {
  const rule = windowRules[metadata.architecture];
  if (rule === undefined || (rule.layers !== undefined && rule.layers !== trunk)) return undefined;
  const told = metadata.number("attention.sliding_window") ?? rule.otherwise ?? 0;
  if (told === 0) return undefined;
  const window = rule.fixed ?? told;
  const flags = metadata.flags("attention.sliding_window_pattern");
  const period = metadata.number("attention.sliding_window_pattern") ?? rule.period;
  const sees = (layer: number): boolean => {
    if (flags !== undefined) return flags[layer] ?? false;
    if (layer >= trunk) return false;
    if (period === 0) return true;
    return rule.denseFirst === true ? layer % period !== 0 : layer % period < period - 1;
  };
  return Array.from({ length: count }, (_, layer) => (sees(layer) ? window : undefined));
}

/** `llama_hparams::n_embd_r` and `n_embd_s`: the last inputs of convolutions, and the state proper. */
function stateOf(metadata: GgufMetadata, width: number, heads: number): number {
  const of = (key: string): number => metadata.number(key) ?? 0;
  const wkv = of("wkv.head_size");
  if (wkv > 0) return (metadata.number("token_shift_count") ?? 2) * width + width * wkv;
  const shortKernel = of("shortconv.l_cache");
  if (shortKernel > 0) return width * (shortKernel - 1);
  const kda = of("kda.head_dim");
  const kernel = of("ssm.conv_kernel");
  if (kda > 0) return 3 * (kernel > 0 ? kernel - 1 : 3) * heads * kda + kda * kda * heads;
  if (metadata.architecture === "minimax-01") return (metadata.number("attention.key_length") ?? 0) ** 2 * heads;
  const [inner, state] = [of("ssm.inner_size"), of("ssm.state_size")];
  return Math.max(0, kernel - 1) * (inner + 2 * of("ssm.group_count") * state) + state * inner;
}
