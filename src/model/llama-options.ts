import { BerthError } from "../lib/errors.js";
import type { GgufShape } from "./gguf-shape.js";
import { roundUp } from "./memory.js";
import type { CacheType } from "./gguf-types.js";

/** How llama-server is started, as far as its memory depends on it. What is left out is as the server has it. */
export interface LlamaOptions {
  /** `-c`. Default: 8192, or what the model was made for if that is less. */
  readonly contextLength?: number | undefined;
  /** `-np`. Default: 4, which share one cache. */
  readonly parallel?: number | undefined;
  /** `-kvu`: texts share one cache. Default: whether `parallel` is left out. */
  readonly sharedCache?: boolean | undefined;
  /** `-ub`. */
  readonly batch?: number | undefined;
  /** `-fa`. The server's default uses it wherever it is there. */
  readonly flashAttention?: boolean | undefined;
  readonly keyType?: CacheType | undefined;
  readonly valueType?: CacheType | undefined;
  /** `--swa-full`: windows keep everything. */
  readonly fullWindows?: boolean | undefined;
  /** `-ngl`. Default: all that there are, if there is a device. */
  readonly layers?: number | undefined;
  /** Shares of the devices, `--tensor-split`. Default: no device. */
  readonly split?: readonly number[] | undefined;
  /** The devices are RPC servers. */
  readonly remote?: boolean | undefined;
  /** Experts of the first so many layers stay on the host, `--n-cpu-moe`. */
  readonly expertsOnHost?: number | undefined;
  /** `-nkvo`: the cache stays on the host. */
  readonly cacheOnHost?: boolean | undefined;
  /** Whether the file is mapped; if not, weights that are laid out anew are there only once. */
  readonly mapped?: boolean | undefined;
}

/** All of it, decided. */
export interface LlamaSetting {
  readonly parallel: number;
  readonly sharedCache: boolean;
  /** Tokens of all texts, and of one, as the server rounds them. */
  readonly cacheTokens: number;
  readonly textTokens: number;
  /** Tokens of one step. */
  readonly batch: number;
  readonly flashAttention: boolean;
  readonly keyType: CacheType;
  readonly valueType: CacheType;
  readonly fullWindows: boolean;
  readonly layers: number;
  readonly split: readonly number[];
  readonly remote: boolean;
  readonly expertsOnHost: number;
  readonly cacheOnHost: boolean;
  readonly mapped: boolean;
}

const defaultContext = 8192;
const automaticParallel = 4;
const cachePadding = 256;

/**
 * Decides what is left out, as llama-server does: four texts that share a cache when nobody says how many
 * (tools/server/server.cpp), the tokens of a cache in multiples of 256 (`llama_context` in src/llama-context.cpp).
 *
 * @throws BerthError `usage`
 */
export function decideOptions(options: LlamaOptions, shape: GgufShape): LlamaSetting {
  const parallel = options.parallel ?? automaticParallel;
  const sharedCache = options.sharedCache ?? options.parallel === undefined;
  const asked = options.contextLength ?? Math.min(defaultContext, shape.contextLength);
  const padded = roundUp(asked, cachePadding);
  const textTokens = sharedCache ? padded : roundUp(Math.floor(padded / parallel), cachePadding);
  const cacheTokens = sharedCache ? padded : textTokens * parallel;
  const split = options.split ?? [];
  const flashAttention = options.flashAttention ?? true;
  const valueType = options.valueType ?? "f16";
  if (!flashAttention && !["f16", "bf16", "f32"].includes(valueType))
    throw new BerthError("usage", {
      what: "values of the cache can be quantised with flash attention only",
      got: `${valueType} without flash attention`,
    });
  return {
    parallel,
    sharedCache,
    cacheTokens,
    textTokens,
    batch: Math.min(options.batch ?? 512, cacheTokens),
    flashAttention,
    keyType: options.keyType ?? "f16",
    valueType,
    fullWindows: options.fullWindows ?? false,
    layers: split.length === 0 ? 0 : Math.min(options.layers ?? Infinity, shape.layers.length + 1),
    split,
    remote: options.remote ?? false,
    expertsOnHost: options.expertsOnHost ?? 0,
    cacheOnHost: options.cacheOnHost ?? false,
    mapped: options.mapped ?? true,
  };
}
