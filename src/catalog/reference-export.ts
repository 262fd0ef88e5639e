import { z } from "zod";

import { BerthError } from "../lib/errors.js";
import { referenceBackend, type ReferenceBackend } from "./reference-format.js";

const mostLevels = 100;

const text = z.string().optional();
const flag = z.boolean().optional();
const texts = z.array(z.string()).optional();
const labels = z.record(z.string(), z.string()).optional();
const switched = z.looseObject({ enabled: flag }).optional();

/**
 * A model, as GPUStack's API returns it: of the years of processes (v0.4 to v0.7) and of those of containers (v2). A key
 * that one of them has not is not there, and none is null.
 */
export const referenceModel = z.looseObject({
  name: z.string().min(1),
  description: text,
  source: z.string(),
  huggingface_repo_id: text,
  huggingface_filename: text,
  ollama_library_model_name: text,
  model_scope_model_id: text,
  model_scope_file_path: text,
  local_path: text,
  replicas: z.int().min(0).optional(),
  categories: texts,
  embedding_only: flag,
  image_only: flag,
  reranker: flag,
  speech_to_text: flag,
  text_to_speech: flag,
  placement_strategy: text,
  cpu_offloading: flag,
  distributed_inference_across_workers: flag,
  worker_selector: labels,
  gpu_selector: z
    .looseObject({
      gpu_ids: texts,
      gpus_per_replica: z.int().optional(),
      worker_name: text,
      gpu_index: z.int().optional(),
    })
    .optional(),
  gpu_type_selector: z.looseObject({ type: text }).optional(),
  backend: text,
  backend_version: text,
  backend_parameters: texts,
  image_name: text,
  run_command: text,
  env: z.record(z.string(), z.string()).optional(),
  restart_on_error: flag,
  extended_kv_cache: switched,
  speculative_config: switched,
  scaling_schedule: switched,
  generic_proxy: flag,
  lora_list: z.array(z.looseObject({ lora_name: text })).optional(),
  access_policy: text,
});

const worker = z.looseObject({
  name: z.string().min(1),
  hostname: text,
  ip: text,
  advertise_address: text,
  labels,
  system_reserved: z.looseObject({ ram: z.number().optional(), vram: z.number().optional() }).optional(),
  maintenance: switched,
  status: z
    .looseObject({
      os: z.looseObject({ name: text, version: text }).optional(),
      gpu_devices: z.array(z.looseObject({ name: text, type: text, vendor: text })).optional(),
    })
    .optional(),
});

export type ReferenceModel = z.output<typeof referenceModel>;
export type ReferenceWorker = z.output<typeof worker>;

/** One thing of an export. */
export type ReferenceItem =
  | { readonly kind: "backend"; readonly value: ReferenceBackend }
  | { readonly kind: "model"; readonly value: ReferenceModel; /** Of v0.7 or earlier. */ readonly isOld: boolean }
  | { readonly kind: "worker"; readonly value: ReferenceWorker }
  | { readonly kind: "other"; readonly what: string };

/**
 * What GPUStack's API returned: one thing, a list, or a page of a list. Each is known by its keys.
 *
 * @param where what names the document, for errors
 * @throws BerthError `file-invalid` if it is of another shape, or a key has a value that it never has there
 */
export function readReferenceExport(document: unknown, where: string): ReferenceItem[] {
  if (isDeeperThan(document, mostLevels)) {
    throw new BerthError("file-invalid", {
      where,
      what: "the file is nested too deeply",
      expected: `at most ${mostLevels} levels, as what GPUStack's API returns`,
    });
  }
  const items = itemsOf(document);
  if (items === undefined) {
    throw new BerthError("file-invalid", {
      where,
      what: "this is nothing that GPUStack's API returns",
      expected: 'an object, a list, or {"items": [...]}, of inference backends, models or workers',
    });
  }
  return items.map(({ path, value }) => readItem(value, path === "" ? where : `${where} ${path}`));
}

/** Level by level, because a stack of calls ends sooner than a file does. */
function isDeeperThan(document: unknown, levels: number): boolean {
  let level: unknown[] = [document];
  for (let depth = 0; depth < levels && level.length > 0; depth++) {
    level = level.flatMap((value) => (typeof value === "object" && value !== null ? membersOf(value) : []));
  }
  return level.length > 0;
}

function membersOf(value: object): unknown[] {
  return Object.values(value);
}

function itemsOf(document: unknown): { path: string; value: object }[] | undefined {
  const page = isObject(document) && "items" in document ? document.items : document;
  const prefix = page === document ? "" : "items";
  if (!Array.isArray(page)) return isObject(page) ? [{ path: prefix, value: page }] : undefined;
  const values: unknown[] = page;
  const objects = values.flatMap((value, index) => (isObject(value) ? [{ path: `${prefix}[${index}]`, value }] : []));
  return objects.length === values.length ? objects : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readItem(value: object, where: string): ReferenceItem {
  const has = (...keys: string[]) => keys.every((key) => Object.hasOwn(value, key));
  if (has("backend_name") && !has("version_configs") && has("versions")) {
    return { kind: "other", what: "the short list of backends says nothing of images; export /v2/inference-backends" };
  }
  if (has("backend_name")) return { kind: "backend", value: parse(referenceBackend, value, where) };
  if (has("model_id", "worker_id")) {
    return { kind: "other", what: "instances follow from deployments; they are not imported" };
  }
  if (has("worker_uuid") || has("hostname", "ip")) return { kind: "worker", value: parse(worker, value, where) };
  if (has("name", "source")) {
    // Containers brought keys of their own.
    const isOld = !has("run_command") && !has("image_name") && !has("cluster_id");
    return { kind: "model", value: parse(referenceModel, value, where), isOld };
  }
  const keys = Object.keys(value).slice(0, 6).join(", ");
  return { kind: "other", what: `${where} is no backend, model or worker (it has ${keys === "" ? "no keys" : keys})` };
}

function parse<Schema extends z.ZodType>(schema: Schema, value: object, where: string): z.output<Schema> {
  const parsed = schema.safeParse(withoutNulls(value));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.map(String).join(".")}: ${message}`);
  throw new BerthError("file-invalid", { where, what: problems.slice(0, 10).join("; ") });
}

/** The API returns null for what is not there. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(entries.map(([key, member]) => [key, withoutNulls(member)]));
}
