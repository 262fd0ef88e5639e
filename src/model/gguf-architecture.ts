/**
 * What llama.cpp does differently for some architectures when it makes their memory. Read in llama.cpp, build 11549:
 * `llama_model::create_memory` and `load_swa_pattern` (src/llama-model.cpp), `llama_kv_cache_iswa` and
 * `load_arch_hparams` of each src/models/*.cpp, `llm_arch_is_recurrent` and `llm_arch_is_hybrid` (src/llama-arch.cpp).
 */

/** Layers that see a window: all but one of each `period`, that one being the last or, `denseFirst`, the first. */
export interface WindowRule {
  readonly period: number;
  readonly denseFirst?: boolean;
  /** The window where the file names none. Without, such a file has no windows. */
  readonly otherwise?: number;
  /** The window whatever the file names, unless it says 0. */
  readonly fixed?: number;
  /** Only models of so many layers have windows. */
  readonly layers?: number;
}

export const windowRules: Readonly<Partial<Record<string, WindowRule>>> = {
  afmoe: { period: 4 },
  cohere2: { period: 4 },
  cohere2moe: { period: 4, denseFirst: true },
  "exaone-moe": { period: 4, otherwise: 128 },
  exaone4: { period: 4, otherwise: 4096, layers: 64 },
  gemma2: { period: 2, otherwise: 4096 },
  gemma3: { period: 6 },
  gemma3n: { period: 5 },
  // These five say in a list which of their layers see a window.
  gemma4: { period: 1 },
  granite_swa: { period: 1 },
  maple: { period: 1 },
  mimo2: { period: 1 },
  step35: { period: 1 },
  "gpt-oss": { period: 2 },
  laguna: { period: 4, denseFirst: true },
  // Every layer that attends.
  lfm2: { period: 0 },
  lfm2moe: { period: 0 },
  llama4: { period: 4, otherwise: 8192, fixed: 8192 },
  mellum: { period: 4 },
  "muse-glimmer": { period: 4 },
  olmo2: { period: 4 },
  plamo3: { period: 8 },
  smallthinker: { period: 4, denseFirst: true, fixed: 4096 },
  spark2_5: { period: 1 },
};

/** Models that read all of a text at once and keep nothing. */
export const withoutCache: ReadonlySet<string> = new Set([
  ...["bert", "modern-bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2", "jina-bert-v3", "eurobert"],
  ...["gemma-embedding", "gemma-embedding2", "wavtokenizer-dec", "dream", "llada", "llada-moe", "rnd1", "clef"],
]);

/** Models without an output over the vocabulary, whose device needs no copy of the input for it: seen of bert. */
export const withoutOutput: ReadonlySet<string> = new Set([
  ...["bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3"],
]);

/** Models whose every layer keeps a state, and none a cache. */
export const recurrent: ReadonlySet<string> = new Set(["mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"]);

/** How the layers that keep a state are told from those that keep a cache: by having no heads for it, by a period, or both everywhere. */
export type HybridRule = "no-heads" | "interval" | "both";

export const hybrids: Readonly<Partial<Record<string, HybridRule>>> = {
  bailingmoe3: "no-heads",
  "falcon-h1": "both",
  granitehybrid: "no-heads",
  jamba: "no-heads",
  "kimi-linear": "no-heads",
  lfm2: "no-heads",
  lfm2moe: "no-heads",
  "minimax-01": "interval",
  nemotron_h: "no-heads",
  nemotron_h_moe: "no-heads",
  plamo2: "no-heads",
  qwen35: "interval",
  qwen35moe: "interval",
  qwen3next: "interval",
};

/** Models with a second cache, of keys that choose what is attended to. */
export const indexed: ReadonlySet<string> = new Set(["deepseek32", "glm-dsa"]);

const plain = `llama deci falcon grok gpt2 gptj gptneox mpt baichuan starcoder refact bloom stablelm qwen qwen2 qwen2moe
  qwen2vl qwen3 qwen3moe qwen3vl qwen3vlmoe phi2 phi3 phimoe plamo codeshell orion internlm2 minicpm minicpm3 gemma
  starcoder2 xverse command-r dbrx olmo olmoe openelm arctic deepseek deepseek2 deepseek2-ocr chatglm glm4 glm4moe
  bitnet jais jais2 nemotron exaone granite granitemoe chameleon plm bailingmoe bailingmoe2 dots1 arcee ernie4_5
  ernie4_5-moe hunyuan-moe hunyuan-dense hunyuan_vl hy_v3 smollm3 seed_oss grovemoe apertus minimax-m2 cogvlm
  pangu-embedded mistral3 mistral4 paddleocr llama-embed maincoder nanbeige`;

const known: ReadonlySet<string> = new Set([
  ...plain.split(/\s+/),
  ...Object.keys(windowRules),
  ...withoutCache,
  ...recurrent,
  ...Object.keys(hybrids),
  ...indexed,
]);

/** Whether it was read how llama.cpp makes the memory of such models. */
export function isKnownArchitecture(architecture: string): boolean {
  return known.has(architecture);
}
