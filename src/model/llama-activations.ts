import type { GgufTensor } from "./gguf-header.js";
import type { GgufShape } from "./gguf-shape.js";
import type { LlamaSetting } from "./llama-options.js";

/** Numbers that a layer holds of each token at its widest step, beside those between layers. */
export interface Activations {
  readonly attention: number;
  readonly feedForward: number;
  readonly experts: number;
}

/**
 * How wide the steps of each layer are, by the shapes of its weights. What is held at once was found with llama-server
 * itself, whose reports these sums meet (test/contract/llama-memory.test.ts); ggml gives a result's place to another
 * when nobody wants it anymore, and looks for the place that fits best (ggml's src/ggml-alloc.c).
 */
export function activationsOf(
  tensors: readonly GgufTensor[],
  shape: GgufShape,
  { flashAttention }: Pick<LlamaSetting, "flashAttention">,
): Activations[] {
  const byLayer = groupByLayer(tensors, shape.layers.length);
  return shape.layers.map((layer, index) => {
    const shapes = byLayer[index] ?? new Map<string, readonly number[]>();
    const width = (name: string, dimension: number): number => shapes.get(name)?.[dimension] ?? 0;
    const inner = width("ffn_down.weight", 0);
    // With one matrix for both, up is twice as wide as down.
    const isGated = shapes.has("ffn_gate.weight") || width("ffn_up.weight", 1) !== inner;
    const state = layer.state > 0 ? stateWidth(shapes) : 0;
    const queries = Math.max(shape.heads * shape.headSize, width("attn_q.weight", 1));
    const attends = layer.keys > 0 || !shape.keepsCache;
    const attention = attends ? attentionWidth(shape, queries, layer.keys, flashAttention) : 0;
    return {
      attention: Math.max(attention, state),
      // Gate, up, and what becomes of both. Models of texts as a whole may have no gate, and what becomes of up takes its place.
      feedForward: (isGated || shape.keepsCache ? 3 : 1) * inner,
      experts: expertsWidth(width("ffn_down_exps.weight", 0), width("ffn_down_exps.weight", 1), shape.expertsUsed),
    };
  });
}

/** Latent queries are made in four steps: as the model has them, in the latent space, the turning part, and joined. */
function attentionWidth({ latent, heads }: GgufShape, queries: number, keys: number, isFused: boolean): number {
  if (latent === undefined) return isFused ? 4 * queries + 2 * keys : 2 * queries + 4 * keys;
  const { size, turning, keySize } = latent;
  return heads * (keySize + size + turning + size + turning);
}

/** As for one feed-forward; the results of all experts that a token uses go where gate and up were, if they fit. */
function expertsWidth(inner: number, outer: number, used: number): number {
  return 3 * used * inner + (outer > 2 * inner ? used * outer : 0);
}

/** The input of both branches, and what convolution, selection and state make of it. */
function stateWidth(shapes: ReadonlyMap<string, readonly number[]>): number {
  const wide = ["ssm_in.weight", "attn_qkv.weight", "shortconv.in_proj.weight", "time_mix_key.weight"];
  const joined = Math.max(...wide.map((name) => shapes.get(name)?.[1] ?? 0));
  const inner = shapes.get("ssm_out.weight")?.[0] ?? 0;
  return joined + 3 * inner;
}

const ownName = /^blk\.(\d+)\.(.+)$/;

function groupByLayer(tensors: readonly GgufTensor[], layers: number): Map<string, readonly number[]>[] {
  const groups = Array.from({ length: layers }, () => new Map<string, readonly number[]>());
  for (const { name, shape } of tensors) {
    const [, layer = "", own = ""] = ownName.exec(name) ?? [];
    groups[Number(layer)]?.set(own, shape);
  }
  return groups;
}
