import type { GgufShape, LayerShape } from "./gguf-shape.js";
import { bytesOf, cacheTypeOf } from "./gguf-types.js";
import type { LlamaSetting } from "./llama-options.js";
import { roundUp } from "./memory.js";

const windowPadding = 256;
const stateBytes = 4;

/**
 * Cells of a layer's cache for one stream of texts. A window keeps what all texts that share the cache may look back
 * at, and the tokens of a step beside, in multiples of 256 (`llama_kv_cache_iswa` in llama.cpp's
 * src/llama-kv-cache-iswa.cpp).
 */
export function cellsOf({ window }: Pick<LayerShape, "window">, setting: LlamaSetting): number {
  const { textTokens, sharedCache, parallel, batch, fullWindows } = setting;
  if (window === undefined || fullWindows) return textTokens;
  return roundUp(Math.min(textTokens, window * (sharedCache ? parallel : 1) + batch), windowPadding);
}

/**
 * What each layer keeps (`llama_kv_cache`, `llama_memory_recurrent`, `llama_memory_hybrid`, `llama_kv_cache_dsa` in
 * llama.cpp's src). Latent attention keeps no values: they are made from the keys. Without flash attention values lie
 * across, and then those of all layers are as wide as the widest.
 */
export function cacheBytes(shape: GgufShape, setting: LlamaSetting): number[] {
  const { flashAttention, parallel, sharedCache } = setting;
  const streams = sharedCache ? 1 : parallel;
  const [keyType, valueType] = [cacheTypeOf(setting.keyType), cacheTypeOf(setting.valueType)];
  const widest = Math.max(0, ...shape.layers.map(({ values }) => values));
  return shape.layers.map((layer) => {
    const cells = cellsOf(layer, setting) * streams;
    const values = flashAttention || layer.values === 0 ? layer.values : widest;
    const keys = bytesOf(layer.keys, keyType) + bytesOf(layer.choosingKeys, keyType);
    return cells * (keys + bytesOf(values, valueType)) + layer.state * stateBytes * parallel;
  });
}
