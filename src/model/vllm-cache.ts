import type { HubShape } from "./hub-shape.js";
import { roundUp, sum } from "./memory.js";

/** How vLLM keeps what texts say. */
export interface VllmCache {
  readonly tensorParallel: number;
  /** Bytes of one number: 2, or 1 with an 8-bit cache. */
  readonly numberBytes: number;
  /** Tokens in a block. */
  readonly blockTokens: number;
  /** Tokens of one step, which windows keep beside what they look back at. */
  readonly batchTokens: number;
}

/** Layers that keep equally much are allocated together. */
interface LayerGroup {
  readonly window: number | undefined;
  readonly layers: number;
}

/**
 * Bytes that one token takes on a device in so many layers: `FullAttentionSpec` and `MLAAttentionSpec` in vLLM's
 * vllm/v1/kv_cache_interface.py. Heads are dealt out to devices, at least one to each; latent vectors are on all.
 */
export function layerTokenBytes(shape: HubShape, { tensorParallel, numberBytes }: VllmCache): number {
  if (shape.latentSize !== undefined) return shape.latentSize * numberBytes;
  return 2 * Math.max(1, Math.ceil(shape.kvHeads / tensorParallel)) * shape.headSize * numberBytes;
}

/** What one text of so many tokens takes on the device with these layers. */
export function textBytes(shape: HubShape, windows: HubShape["windows"], cache: VllmCache, tokens: number): number {
  const page = layerTokenBytes(shape, cache) * cache.blockTokens;
  return sum(groupLayers(windows).map(({ window, layers }) => blocksOf(window, cache, tokens) * page * layers));
}

/** How many tokens of one text fit into so many bytes of a device (`GPU KV cache size` in vLLM's log). */
export function tokensIn(shape: HubShape, windows: HubShape["windows"], cache: VllmCache, bytes: number): number {
  const groups = groupLayers(windows);
  const page = layerTokenBytes(shape, cache) * cache.blockTokens;
  const width = groups[0]?.layers ?? 0;
  if (width === 0 || page === 0) return 0;
  const blocks = Math.floor(bytes / page / width);
  return Math.floor(blocks / groups.length) * cache.blockTokens;
}

/** `max_memory_usage_bytes` of `FullAttentionSpec` and `SlidingWindowSpec`, in blocks. */
function blocksOf(window: number | undefined, { blockTokens, batchTokens }: VllmCache, tokens: number): number {
  if (window === undefined) return roundUp(tokens, blockTokens) / blockTokens;
  const kept = Math.min(window - 1 + batchTokens, tokens);
  return roundUp(kept, blockTokens) / blockTokens + 1;
}

/**
 * Groups of equally many layers, all of one kind each, filled up where a kind has too few
 * (`_get_kv_cache_groups_uniform_page_size` in vllm/v1/core/kv_cache_utils.py).
 */
function groupLayers(windows: HubShape["windows"]): LayerGroup[] {
  const counts = new Map<number | undefined, number>();
  for (const window of windows) counts.set(window, (counts.get(window) ?? 0) + 1);
  const sizes = [...counts.values()];
  if (sizes.length === 0) return [];
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  const layers = most < least * 1.25 ? most : least;
  return [...counts].flatMap(([window, count]) =>
    Array.from({ length: Math.ceil(count / layers) }, () => ({ window, layers })),
  );
}
