/** What vLLM's arguments say of its memory. Names of flags: `EngineArgs` of vLLM. Pure. */
import { z } from "zod";

import { flagValue, hasFlag, numberOf, readFlags, type GivenFlags } from "./engine-flags.js";
import type { VllmOptions } from "./vllm-estimate.js";
import type { LoraOptions } from "./vllm-lora.js";

/** vLLM's names of the number of groups of layers. */
const pipelineFlags = ["--pipeline-parallel-size", "-pp"] as const;

/** Arguments whose effect on the memory is not worked out. */
const unforeseen = [
  ...["--lora-dtype", "--enable-lora-bias", "--enable-tower-connector-lora", "--default-mm-loras"],
  ...["--cpu-offload-gb", "--kv-cache-memory-bytes"],
  ...["--data-parallel-size", "-dp"],
  ...["--enable-expert-parallel", "--decode-context-parallel-size", "-dcp", "--hf-overrides", "--config"],
];

export type VllmArguments =
  | { readonly kind: "known"; readonly options: VllmOptions }
  /** An argument that is not foreseen. */
  | { readonly kind: "unknown"; readonly flag: string };

/** @param argv parameters, one argument each; of a flag that is there twice the last counts */
export function readVllmArguments(argv: readonly string[]): VllmArguments {
  const given = readFlags(argv);
  const guess = readGuess(given);
  const odd = findUnforeseen(given) ?? oddNumber(given) ?? (guess === "unknown" ? speculation : undefined);
  if (odd !== undefined) return { kind: "unknown", flag: odd };
  const cache = flagValue(given, "--kv-cache-dtype");
  return {
    kind: "known",
    options: {
      contextLength: numberOf(given, "--max-model-len"),
      tensorParallel: numberOf(given, "-tp", "--tensor-parallel-size"),
      pipelineParallel: numberOf(given, ...pipelineFlags),
      eightBitCache: cache?.startsWith("fp8") === true ? true : undefined,
      batchTokens: numberOf(given, "--max-num-batched-tokens"),
      utilization: numberOf(given, "--gpu-memory-utilization"),
      ...(hasFlag(given, "--enable-lora") ? { lora: readLora(given) } : {}),
      ...(typeof guess === "number" ? { guessedTokens: guess } : {}),
    },
  };
}

const speculation = "--speculative-config";

/**
 * Tokens that are guessed from the text itself, which needs no model (`NgramProposer` in vllm/v1/spec_decode works on
 * the host). Other ways load a draft that no lock has, or layers of the model's own.
 */
function readGuess(given: GivenFlags): number | "unknown" | undefined {
  const isGiven = [...given.keys()].some((flag) => flag.replace(/\..*$/, "") === speculation);
  if (!isGiven) return undefined;
  const { data } = ngram.safeParse(parseJson(given.get(speculation)));
  return data === undefined ? "unknown" : data.num_speculative_tokens;
}

const ngram = z.object({
  method: z.literal("ngram"),
  num_speculative_tokens: z.int().min(1),
  model: z.never().optional(),
});

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

/** `LoRAConfig` of vLLM: one adapter at a time, of rank 16, where nobody says otherwise. */
function readLora(given: GivenFlags): LoraOptions {
  return { slots: numberOf(given, "--max-loras") ?? 1, rank: numberOf(given, "--max-lora-rank") ?? 16 };
}

/** `--hf-overrides.rope_theta 1` is a part of `--hf-overrides`. */
function findUnforeseen(given: GivenFlags): string | undefined {
  const names = [...given.keys()].map((flag) => flag.replace(/\..*$/, ""));
  return unforeseen.find((flag) => names.includes(flag));
}

/**
 * Devices that groups of layers and copies of the model are on, for each that tensor parallelism has. 1 where the words
 * say nothing of it, or nothing that is a number.
 */
export function groupsOf(argv: readonly string[]): number {
  return copiesOf(argv) * (stagesIn(argv) ?? 1);
}

/** Copies of the model. Those that share attention alone are on the devices that there are. */
export function copiesOf(argv: readonly string[]): number {
  const given = readFlags(argv);
  return hasFlag(given, "--enable-dp-attention")
    ? 1
    : (countOf(given, "-dp", "--data-parallel-size", "--dp-size") ?? 1);
}

/**
 * Groups of layers, each on devices of its own; undefined where the words say nothing of it.
 *
 * @param flags the engine's own names for it, beside those of vLLM and SGLang
 */
export function stagesIn(argv: readonly string[], flags: readonly string[] = []): number | undefined {
  return countOf(readFlags(argv), ...flags, ...pipelineFlags, "--pp-size");
}

/** Undefined for what is no number too. */
function countOf(given: GivenFlags, ...names: readonly string[]): number | undefined {
  const value = numberOf(given, ...names);
  return value !== undefined && Number.isInteger(value) && value > 0 ? value : undefined;
}

/** `8k` and `auto` are numbers to vLLM alone. */
function oddNumber(given: GivenFlags): string | undefined {
  const whole = [
    ...["--max-model-len", "-tp", "--tensor-parallel-size", ...pipelineFlags, "--max-num-batched-tokens"],
    ...["--max-loras", "--max-lora-rank"],
  ];
  const isWhole = (flag: string) => /^[1-9]\d*$/.test(given.get(flag) ?? "");
  const share = Number(given.get("--gpu-memory-utilization") ?? 1);
  if (hasFlag(given, "--gpu-memory-utilization") && !(share > 0 && share <= 1)) return "--gpu-memory-utilization";
  // Weights become larger than their files; all other types leave them as they are or make them smaller.
  if (["float", "float32"].includes(given.get("--dtype") ?? "")) return "--dtype";
  return whole.find((flag) => given.has(flag) && !isWhole(flag));
}
