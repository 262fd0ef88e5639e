/**
 * What a model does, by its own files, and only then by what the hub says of it.
 *
 * Sources: config.json's `architectures` are the class names of Hugging Face's transformers
 * (https://huggingface.co/docs/transformers/model_doc/auto); tasks are those of https://huggingface.co/tasks;
 * `modules.json` and `config_sentence_transformers.json` are written by sentence-transformers (`SentenceTransformer.save`,
 * `CrossEncoder.save`); `model_index.json` by diffusers (`DiffusionPipeline.save_pretrained`). GGUF keys:
 * ggml's docs/gguf.md; pooling types: `enum llama_pooling_type` in llama.cpp's include/llama.h; architectures:
 * `LLM_ARCH_NAMES` in its src/llama-arch.cpp.
 */
import type { ModelCategory } from "../catalog/selection.js";

/** All that is known of a model, as it was read. */
export interface ModelMetadata {
  /** JSON documents of its folder, by path. */
  readonly documents: Readonly<Record<string, unknown>>;
  /** Metadata of its GGUF file. */
  readonly gguf: Readonly<Record<string, unknown>> | undefined;
  readonly hasProjector: boolean;
  /** The hub's word for what it is for. */
  readonly task: string | undefined;
}

export interface ModelDescription {
  readonly category: ModelCategory;
  readonly architecture: string | undefined;
}

/** Pure. What cannot be told is taken for a language model. */
export function describeModel(metadata: ModelMetadata): ModelDescription {
  return metadata.gguf === undefined ? describeFolder(metadata) : describeGguf(metadata.gguf, metadata);
}

/** The documents that tell something. */
export const tellingDocuments = [
  "config.json",
  "model_index.json",
  "modules.json",
  "config_sentence_transformers.json",
] as const;

const ggufImages = new Set([
  "flux",
  "sd1",
  "sdxl",
  "sd3",
  "aura",
  "hidream",
  "cosmos",
  "ltxv",
  "hyvid",
  "wan",
  "lumina2",
]);
const ggufEncoders = /^(?:.*bert.*|t5encoder|gemma-embedding)$/;
const pooling = { rank: 4, none: 0 } as const;

function describeGguf(
  gguf: Readonly<Record<string, unknown>>,
  { hasProjector, task }: ModelMetadata,
): ModelDescription {
  const architecture = textOf(gguf["general.architecture"]);
  const poolingType = Number(gguf[`${architecture ?? ""}.pooling_type`] ?? pooling.none);
  const told = (category: ModelCategory): ModelDescription => ({ category, architecture });
  if (hasProjector) return told("vlm");
  if (poolingType === pooling.rank) return told("reranker");
  if (poolingType > pooling.none) return told("embedding");
  if (architecture === undefined) return told(categoryOfTask(task) ?? "llm");
  if (ggufEncoders.test(architecture)) return told("embedding");
  if (ggufImages.has(architecture)) return told("image");
  if (architecture.startsWith("wavtokenizer")) return told("other");
  return told("llm");
}

function describeFolder({ documents, task }: ModelMetadata): ModelDescription {
  const config = recordOf(documents["config.json"]);
  const architectures = Array.isArray(config.architectures) ? config.architectures.map(String) : [];
  const architecture = textOf(architectures[0]);
  const category =
    (documents["model_index.json"] === undefined ? undefined : "image") ??
    categoryOfSentences(documents) ??
    (architecture === undefined ? undefined : categoryOfArchitecture(architecture, config)) ??
    categoryOfTask(task) ??
    (architecture !== undefined && /(?:Model|ForMaskedLM)$/.test(architecture) ? "embedding" : "llm");
  return { category, architecture };
}

/** What sentence-transformers saved. */
function categoryOfSentences(documents: ModelMetadata["documents"]): ModelCategory | undefined {
  const kind = recordOf(documents["config_sentence_transformers.json"]).model_type;
  if (kind === "CrossEncoder") return "reranker";
  return documents["modules.json"] === undefined ? undefined : "embedding";
}

/** By the name of the class. `ForCausalLM` alone tells little: embedding and reranking models have it too. */
const architectureRules: readonly (readonly [RegExp, ModelCategory])[] = [
  [/^Whisper|ForCTC$|ForSpeechSeq2Seq$|^Qwen3ASR|^Parakeet|^MoonshineFor/, "stt"],
  [/ForTextToSpeech$|^Vits|^Bark|^Parler|^Dia|^CosyVoice|^Csm|ForTextToWaveform$/, "tts"],
  [/^(?:Qwen3TTS|KokoroModel)/, "tts"],
  [
    /^Llava|^Mllama|^PaliGemma|^InternVL|^Idefics|^SmolVLM|VLForConditionalGeneration$|^MiniCPMV|ForImageTextToText$/,
    "vlm",
  ],
];

function categoryOfArchitecture(
  architecture: string,
  config: Readonly<Record<string, unknown>>,
): ModelCategory | undefined {
  const rule = architectureRules.find(([pattern]) => pattern.test(architecture));
  if (rule !== undefined) return rule[1];
  if (architecture.endsWith("ForSequenceClassification")) return labelsOf(config) === 1 ? "reranker" : "other";
  if ("vision_config" in config || "audio_config" in config) return "vlm";
  return undefined;
}

/** transformers takes two labels where nothing is said (`PretrainedConfig.num_labels`). */
function labelsOf({ id2label, num_labels: told }: Readonly<Record<string, unknown>>): number {
  if (typeof told === "number") return told;
  return typeof id2label === "object" && id2label !== null ? Object.keys(id2label).length : 2;
}

const tasks: Readonly<Record<string, ModelCategory>> = {
  "text-generation": "llm",
  "image-text-to-text": "vlm",
  "video-text-to-text": "vlm",
  "audio-text-to-text": "vlm",
  "visual-question-answering": "vlm",
  "any-to-any": "vlm",
  "feature-extraction": "embedding",
  "sentence-similarity": "embedding",
  "text-ranking": "reranker",
  "automatic-speech-recognition": "stt",
  "text-to-speech": "tts",
  "text-to-audio": "tts",
  "text-to-image": "image",
  "image-to-image": "image",
  "text-to-video": "image",
};

function categoryOfTask(task: string | undefined): ModelCategory | undefined {
  return task !== undefined && Object.hasOwn(tasks, task) ? tasks[task] : undefined;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && /^[\x20-\x7e]{1,100}$/.test(value) ? value : undefined;
}
