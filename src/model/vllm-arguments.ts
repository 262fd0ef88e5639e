/** What vLLM's arguments say of its memory. Names of flags: `EngineArgs` of vLLM. Pure. */
import { flagValue, hasFlag, numberOf, readFlags, type GivenFlags } from "./engine-flags.js";
import type { VllmOptions } from "./vllm-estimate.js";

/** Arguments whose effect on the memory is not worked out. */
const unforeseen = [
  ...["--speculative-config", "--enable-lora", "--lora-modules", "--cpu-offload-gb", "--kv-cache-memory-bytes"],
  ...["--data-parallel-size", "-dp", "--pipeline-parallel-size", "-pp"],
  ...["--enable-expert-parallel", "--decode-context-parallel-size", "-dcp", "--hf-overrides", "--config"],
];

export type VllmArguments =
  | { readonly kind: "known"; readonly options: VllmOptions }
  /** An argument that is not foreseen. */
  | { readonly kind: "unknown"; readonly flag: string };

/** @param argv parameters, one argument each; of a flag that is there twice the last counts */
export function readVllmArguments(argv: readonly string[]): VllmArguments {
  const given = readFlags(argv);
  const odd = findUnforeseen(given) ?? oddNumber(given);
  if (odd !== undefined) return { kind: "unknown", flag: odd };
  const cache = flagValue(given, "--kv-cache-dtype");
  return {
    kind: "known",
    options: {
      contextLength: numberOf(given, "--max-model-len"),
      tensorParallel: numberOf(given, "-tp", "--tensor-parallel-size"),
      eightBitCache: cache?.startsWith("fp8") === true ? true : undefined,
      batchTokens: numberOf(given, "--max-num-batched-tokens"),
      utilization: numberOf(given, "--gpu-memory-utilization"),
    },
  };
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
  const given = readFlags(argv);
  const count = (...names: string[]) => {
    const value = numberOf(given, ...names) ?? 1;
    return Number.isInteger(value) && value > 0 ? value : 1;
  };
  // Copies that share attention alone are on the devices that there are.
  const copies = hasFlag(given, "--enable-dp-attention") ? 1 : count("-dp", "--data-parallel-size", "--dp-size");
  return copies * count("-pp", "--pipeline-parallel-size", "--pp-size");
}

/** `8k` and `auto` are numbers to vLLM alone. */
function oddNumber(given: GivenFlags): string | undefined {
  const whole = ["--max-model-len", "-tp", "--tensor-parallel-size", "--max-num-batched-tokens"];
  const isWhole = (flag: string) => /^[1-9]\d*$/.test(given.get(flag) ?? "");
  const share = Number(given.get("--gpu-memory-utilization") ?? 1);
  if (hasFlag(given, "--gpu-memory-utilization") && !(share > 0 && share <= 1)) return "--gpu-memory-utilization";
  // Weights become larger than their files; all other types leave them as they are or make them smaller.
  if (["float", "float32"].includes(given.get("--dtype") ?? "")) return "--dtype";
  return whole.find((flag) => given.has(flag) && !isWhole(flag));
}
