import { BerthError } from "../lib/errors.js";

/** A model's config.json, the part that tells of its text model. */
export interface HubConfig {
  readonly modelType: string;
  readonly architecture: string;
  /** The first of these keys that is a number. */
  number(...keys: readonly string[]): number | undefined;
  /** @throws BerthError `model-unavailable` */
  required(...keys: readonly string[]): number;
  text(key: string): string | undefined;
  list(key: string): readonly unknown[] | undefined;
  flag(key: string): boolean | undefined;
  object(key: string): Readonly<Record<string, unknown>> | undefined;
}

/**
 * Reads config.json as transformers writes it (`PretrainedConfig`). Models that also see or hear have their text model's
 * part in `text_config`; what is not there counts for the whole.
 *
 * @throws BerthError `model-unavailable` when it is no object
 */
export function readConfig(document: unknown, where: string): HubConfig {
  if (!isObject(document)) throw lacking(where, "no JSON object", "config.json of a model");
  const inner = document.text_config ?? document.llm_config ?? document.language_config;
  const own: Readonly<Record<string, unknown>> = { ...document, ...(isObject(inner) ? inner : {}) };
  const architectures = Array.isArray(document.architectures) ? document.architectures : [];
  const number = (...keys: readonly string[]): number | undefined =>
    keys
      .map((key) => own[key])
      .find((value): value is number => typeof value === "number" && Number.isFinite(value) && value >= 0);
  return {
    modelType: typeof own.model_type === "string" ? own.model_type : "unknown",
    architecture: typeof architectures[0] === "string" ? architectures[0] : "unknown",
    number,
    required(...keys) {
      const value = number(...keys);
      if (value === undefined || value === 0) throw lacking(where, `no ${keys.join(" or ")}`, "a positive number");
      return value;
    },
    text: (key) => (typeof own[key] === "string" ? own[key] : undefined),
    list: (key) => (Array.isArray(own[key]) ? (own[key] as unknown[]) : undefined),
    flag: (key) => (typeof own[key] === "boolean" ? own[key] : undefined),
    object: (key) => (isObject(own[key]) ? own[key] : undefined),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function lacking(where: string, got: string, expected: string): BerthError {
  return new BerthError("model-unavailable", {
    where,
    what: "config.json does not say what the model's memory depends on",
    got,
    expected,
    hint: "take another revision or repository",
  });
}
