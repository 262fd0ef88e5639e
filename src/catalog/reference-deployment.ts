import type { Json } from "../lib/canonical.js";
import { environment, secretReference, version } from "../schema/scalars.js";
import { deploymentEntry } from "../schema/stack.js";
import { isSecretVariable } from "./backend-secrets.js";
import { convertArguments, type ConvertedArguments } from "./reference-arguments.js";
import { referenceModel, type ReferenceModel } from "./reference-export.js";
import { convertSource, isGguf } from "./reference-model.js";
import { backendName } from "./reference-name.js";
import { stripCommand } from "./secret-words.js";

/** A deployment of a stack file, from a model of GPUStack. */
export interface ConvertedDeployment {
  readonly name: string;
  /** What the stack file can say. */
  readonly entry: Record<string, Json>;
  /** What a person must still say before the stack file is whole. */
  readonly toComplete: readonly string[];
  /** What GPUStack does and nothing in a stack file says. */
  readonly withoutCounterpart: readonly string[];
  /** What is otherwise than there. */
  readonly changes: readonly string[];
}

export interface ModelContext {
  /** The deployment's name. */
  readonly name: string;
  /** Of v0.7 or earlier. */
  readonly isOld: boolean;
  /** Those of the model's backend: there they are no part of the model. */
  readonly defaultParameters: readonly string[];
}

type Said = Pick<ConvertedDeployment, "entry"> & {
  toComplete: string[];
  withoutCounterpart: string[];
  changes: string[];
};

const categories: Readonly<Record<string, string>> = {
  embedding: "embedding",
  reranker: "reranker",
  speech_to_text: "stt",
  text_to_speech: "tts",
  image: "image",
};

/** Its bookkeeping, and what it has found out by itself. */
const bookkeeping = new Set([
  ...["id", "created_at", "updated_at", "deleted_at", "cluster_id", "owner_principal_id", "ready_replicas", "meta"],
  ...["distributable", "has_stale_lora_instances", "enable_model_route", "instances"],
]);

/**
 * A model as a deployment says it, as far as the stack file's schema of this version of Berth has fields for it.
 *
 * @throws BerthError `command-invalid` for parameters that cannot be split
 */
export function convertModel(
  model: ReferenceModel,
  { name, isOld, defaultParameters }: ModelContext,
): ConvertedDeployment {
  const backend = model.backend === undefined || model.backend === "" ? "auto" : backendName(model.backend);
  const said: Said = { entry: { backend }, toComplete: [], withoutCounterpart: [], changes: [] };
  if (name !== model.name) said.changes.push(`clients name the model ${name} here, and ${model.name} there`);
  sayEngine(model, backend, said);
  const { model: source, toComplete } = convertSource(model);
  if (source !== undefined) said.entry.model = source;
  if (toComplete !== undefined) said.toComplete.push(toComplete);
  const where = `model ${model.name}`;
  sayArguments(convertArguments(model.backend_parameters ?? [], { backend, isOld, where }), defaultParameters, said);
  sayEnvironment(model, said);
  sayPlacement(model, backend, said);
  sayOthers(model, said);
  return { name, ...said };
}

/** Writes a field if the schema has it; else tells that nothing has it. */
function say(said: Said, field: string, value: Json, text: string): void {
  if (Object.hasOwn(deploymentEntry.shape, field)) said.entry[field] = value;
  else said.withoutCounterpart.push(text);
}

function sayEngine(model: ReferenceModel, backend: string, said: Said): void {
  if (backend === "auto" && isGguf(model)) said.changes.push("for GGUF, `auto` is llama-cpp");
  const wanted = model.backend_version ?? "";
  if (version.safeParse(wanted).success) said.entry.backendVersion = wanted;
  else if (wanted !== "") said.withoutCounterpart.push(`backend version ${JSON.stringify(wanted)}`);
  const image = model.image_name ?? "";
  if (image !== "") say(said, "imageName", image, `image ${image} of this deployment alone`);
  const { text: command = "", names } = stripCommand(model.run_command ?? "");
  if (command !== "") say(said, "runCommand", command, "a run command of this deployment alone");
  if (names.length === 0) return;
  const what =
    command === "" ? "the run command is left out, because it holds" : "left out of the run command, because it is";
  said.toComplete.push(`${names.join(", ")}: ${what} a secret: use apiKey or secretEnv`);
}

function sayArguments(
  { contextLength, parameters, secretFlags }: ConvertedArguments,
  defaults: readonly string[],
  said: Said,
): void {
  if (contextLength !== undefined) said.entry.contextLength = contextLength;
  if (parameters.length > 0 || defaults.length > 0) said.entry.parameters = parameters;
  for (const flag of secretFlags) {
    said.toComplete.push(`${flag} is left out, because its value is a secret: use apiKey or secretEnv`);
  }
  if (parameters.some((word) => word.includes("{data_dir}"))) {
    said.toComplete.push("{data_dir} in the parameters is GPUStack's data directory: write the path");
  }
}

/** Values that look like secrets stay out of a file that is committed. */
function sayEnvironment({ env }: ReferenceModel, said: Said): void {
  const plain: Record<string, string> = {};
  const secrets: Record<string, { secret: string }> = {};
  for (const [name, value] of Object.entries(env ?? {})) {
    if (/^GPUSTACK_|^PYPI_PACKAGES_INSTALL$/.test(name)) {
      said.withoutCounterpart.push(`environment variable ${name}, which tells GPUStack something`);
    } else if (!environment.safeParse({ [name]: value }).success) {
      said.withoutCounterpart.push(`environment variable ${JSON.stringify(name)}, whose name is none`);
    } else if (!isSecretVariable(name, value)) {
      plain[name] = value;
    } else if (secretReference.safeParse({ secret: name }).success) {
      secrets[name] = { secret: name };
      said.toComplete.push(`the secret ${name}: pulumi config set --secret berth:${name}`);
    } else {
      said.toComplete.push(`${name} is left out, because its value is likely a secret: add it to secretEnv`);
    }
  }
  if (Object.keys(plain).length > 0) said.entry.env = plain;
  if (Object.keys(secrets).length > 0) said.entry.secretEnv = secrets;
}

function sayPlacement(model: ReferenceModel, backend: string, said: Said): void {
  const replicas = model.replicas ?? 1;
  if (replicas !== 1) say(said, "replicas", replicas, `${replicas} replicas`);
  const labels = Object.entries(model.worker_selector ?? {});
  if (labels.length > 0) {
    const text = `workers with ${labels.map(([label, value]) => `${label}=${value}`).join(", ")}`;
    say(said, "hostSelector", Object.fromEntries(labels), text);
  }
  const missing = said.withoutCounterpart;
  const { gpu_selector: gpus, gpu_type_selector: sliced, placement_strategy: strategy } = model;
  const ids = [...(gpus?.gpu_ids ?? [])];
  if (gpus?.worker_name !== undefined) ids.push(`${gpus.worker_name}:${gpus.gpu_index ?? ""}`);
  if (ids.length > 0) missing.push(`GPUs ${ids.join(", ")}`);
  if (gpus?.gpus_per_replica !== undefined) missing.push(`${gpus.gpus_per_replica} GPUs for each replica`);
  if (sliced !== undefined) missing.push(`a slice of a GPU of type ${sliced.type ?? ""}`);
  if (strategy !== undefined && strategy !== "spread") missing.push(`placement strategy ${strategy}`);
  if (model.cpu_offloading === true && backend !== "llama-box") missing.push("offloading to the CPU");
  const distributes = ["auto", "llama-box", "vllm", "sglang", "mindie"].includes(backend);
  if (model.distributed_inference_across_workers === true && !distributes) missing.push("distribution across workers");
}

function sayOthers(model: ReferenceModel, said: Said): void {
  const category = categoryOf(model);
  if (category !== undefined) say(said, "category", category, `category ${category}`);
  const missing = said.withoutCounterpart;
  if (model.restart_on_error === false) missing.push("no restart after an error");
  if (model.extended_kv_cache?.enabled === true) missing.push("extended KV cache");
  if (model.speculative_config?.enabled === true) missing.push("speculative decoding");
  if (model.scaling_schedule?.enabled === true) missing.push("scaling by a schedule");
  if (model.generic_proxy === true) missing.push("generic proxy");
  const adapters = model.lora_list ?? [];
  if (adapters.length > 0)
    missing.push(`LoRA adapters ${adapters.map(({ lora_name: lora }) => lora ?? "?").join(", ")}`);
  const access = model.access_policy;
  if (access !== undefined && access !== "authed") missing.push(`access policy ${access}`);
  for (const key of Object.keys(model)) {
    if (!Object.hasOwn(referenceModel.shape, key) && !bookkeeping.has(key)) missing.push(`unknown key "${key}"`);
  }
}

function categoryOf(model: ReferenceModel): string | undefined {
  const old: [boolean | undefined, string][] = [
    [model.embedding_only, "embedding"],
    [model.reranker, "reranker"],
    [model.image_only, "image"],
    [model.speech_to_text, "stt"],
    [model.text_to_speech, "tts"],
  ];
  const given = model.categories ?? [];
  const known = given.flatMap((category) => (Object.hasOwn(categories, category) ? (categories[category] ?? []) : []));
  return given.includes("llm") ? undefined : (known[0] ?? old.find(([is]) => is === true)?.[1]);
}
