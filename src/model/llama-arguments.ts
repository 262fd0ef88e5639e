/** What llama-server's arguments say of its memory. Names of flags: `common/arg.cpp` of llama.cpp. Pure. */
import { flagValue, hasFlag, numberOf, readFlags, type GivenFlags } from "./engine-flags.js";
import { cacheTypes, type CacheType } from "./gguf-types.js";
import type { LlamaOptions } from "./llama-options.js";

/** Arguments whose effect on the memory is not worked out. */
const unforeseen = [
  ...["-ot", "--override-tensor", "-sm", "--split-mode", "-mg", "--main-gpu", "-dev", "--device", "--rpc"],
  ...["-mm", "--mmproj", "-mmu", "--mmproj-url", "-hfd", "--hf-repo-draft"],
  ...["-md", "--model-draft", "--lora", "--lora-scaled", "--control-vector", "-cmoe", "--cpu-moe", "-otd", "-devd"],
  ...["--control-vector-scaled", "-hfrd", "--spec-draft-hf", "--spec-draft-model", "--spec-draft-device"],
  ...["--device-draft", "--spec-draft-override-tensor", "--override-tensor-draft", "--model-vocoder", "-mv"],
];

const shared = ["-kvu", "--kv-unified"];
const unshared = ["-no-kvu", "--no-kv-unified"];

export type LlamaArguments =
  | { readonly kind: "known"; readonly options: LlamaOptions; readonly layers: number | "all" | undefined }
  /** An argument that is not foreseen. */
  | { readonly kind: "unknown"; readonly flag: string };

/** @param argv parameters, one argument each; of a flag that is there twice the last counts */
export function readLlamaArguments(argv: readonly string[]): LlamaArguments {
  const given = readFlags(argv);
  const odd = unforeseen.find((flag) => given.has(flag)) ?? oddNumber(given) ?? oddFit(given) ?? oddGuess(given);
  if (odd !== undefined) return { kind: "unknown", flag: odd };
  const layers = readLayers(given);
  const split = flagValue(given, "-ts", "--tensor-split")?.split(/[,/]/).map(Number);
  if (Number.isNaN(layers) || split?.some((share) => !(share >= 0)) === true)
    return { kind: "unknown", flag: Number.isNaN(layers) ? "--n-gpu-layers" : "--tensor-split" };
  const options: LlamaOptions = {
    contextLength: numberOf(given, "-c", "--ctx-size"),
    parallel: readParallel(given),
    sharedCache: readSharedCache(given),
    batch: numberOf(given, "-ub", "--ubatch-size"),
    flashAttention: isOff(flagValue(given, "-fa", "--flash-attn")) ? false : undefined,
    keyType: cacheTypeOf(flagValue(given, "-ctk", "--cache-type-k")),
    valueType: cacheTypeOf(flagValue(given, "-ctv", "--cache-type-v")),
    fullWindows: hasFlag(given, "--swa-full") ? true : undefined,
    split,
    expertsOnHost: numberOf(given, "-ncmoe", "--n-cpu-moe"),
    cacheOnHost: hasFlag(given, "-nkvo", "--no-kv-offload") ? true : undefined,
    mapped: hasFlag(given, "--no-mmap") ? false : undefined,
  };
  return { kind: "known", options, layers };
}

/** How many devices are to share the model; undefined when nobody says. */
export function splitCount(argv: readonly string[]): number | undefined {
  return flagValue(readFlags(argv), "-ts", "--tensor-split")?.split(/[,/]/).length;
}

/** What is fitted to what is free is known to nobody before. */
function oddFit(given: GivenFlags): string | undefined {
  return ["-fit", "--fit"].find((flag) => given.has(flag) && !isOff(given.get(flag)));
}

/** Guessed tokens need a draft, layers of the model's own, or at least results of more tokens at once. */
function oddGuess(given: GivenFlags): string | undefined {
  const types = given.get("--spec-type") ?? "none";
  return types === "none" ? undefined : "--spec-type";
}

/** The one that was given last. */
function readSharedCache(given: GivenFlags): boolean | undefined {
  const last = [...given.keys()].findLast((flag) => [...shared, ...unshared].includes(flag));
  return last === undefined ? undefined : shared.includes(last);
}

/** `is_falsey` of llama.cpp. */
function isOff(value: string | undefined): boolean {
  return value !== undefined && ["off", "disabled", "0", "false"].includes(value);
}

/** `all`, `auto` and numbers below 0 are all layers; undefined when nobody says. */
function readLayers(given: GivenFlags): number | "all" | undefined {
  const value = flagValue(given, "-ngl", "--gpu-layers", "--n-gpu-layers");
  if (value === undefined) return undefined;
  return ["all", "auto"].includes(value) || Number(value) < 0 ? "all" : Number(value);
}

/** -1 is the server's own number. */
function readParallel(given: GivenFlags): number | undefined {
  const value = numberOf(given, "-np", "--parallel");
  return value === -1 ? undefined : value;
}

function oddNumber(given: GivenFlags): string | undefined {
  const numbers = ["-np", "--parallel", "-ub", "--ubatch-size", "-ncmoe", "--n-cpu-moe", "-c", "--ctx-size"];
  const oddly = (flag: string) => given.has(flag) && !Number.isInteger(Number(given.get(flag)));
  const types = ["-ctk", "--cache-type-k", "-ctv", "--cache-type-v"];
  return numbers.find(oddly) ?? types.find((flag) => given.has(flag) && cacheTypeOf(given.get(flag)) === undefined);
}

function cacheTypeOf(name: string | undefined): CacheType | undefined {
  return cacheTypes.find((type) => type === name);
}
