import { z } from "zod";

import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { environment, version } from "../schema/scalars.js";
import { withoutV } from "../schema/version-constraint.js";
import { backendName, berthName } from "./reference-name.js";
import { flattenParameters } from "./reference-parameters.js";
import {
  environmentOf,
  filled,
  referenceVersion,
  unknownKey,
  versionEntry,
  type BackendFileInput,
  type ReferenceNote,
} from "./reference-version.js";

const text = z.string().nullish();

/**
 * A backend of GPUStack 2: its YAML, and what its API returns of one. It takes every key; see
 * {@link fromReference} for those that say nothing here.
 */
export const referenceBackend = z
  .looseObject({
    backend_name: z
      .string()
      .refine((given) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(berthName(given)), {
        error: "expected a name with a letter or digit, of at most 63 characters",
      })
      .describe("Name"),
    description: text,
    default_version: z
      .string({ error: "expected a string; put the version in quotes, because 0.10 without them is the number 0.1" })
      .nullish(),
    default_run_command: text,
    default_entrypoint: text,
    default_env: environment.nullish(),
    default_backend_param: z.array(z.string()).nullish(),
    health_check_path: text,
    version_configs: z.record(version, referenceVersion).nullish(),
    built_in_version_configs: z.record(version, referenceVersion).nullish(),
  })
  .describe("a backend in GPUStack's format");

export type ReferenceBackend = z.output<typeof referenceBackend>;

export interface FromReference {
  readonly file: BackendFileInput;
  readonly notes: readonly ReferenceNote[];
}

/** Keys that GPUStack has and that say nothing here, each with what it is there. */
const droppedKeys: Readonly<Record<string, string>> = {
  parameter_format: "parameters are passed as they are given",
  common_parameters: "hints of its forms",
  allowed_proxy_uris: "its gateway's, of version 2.0",
};

/** Keys with which GPUStack keeps its own books. */
const bookkeeping = new Set([
  ...["id", "created_at", "updated_at", "deleted_at", "owner_principal_id", "icon", "framework_index_map"],
  ...["is_built_in", "backend_source", "enabled"],
]);

/** GPUStack's built-in backends, of all times: their default version is that of its own release. */
const builtInNames = new Set(["vllm", "sglang", "mindie", "vox-box", "llama-box", "custom"]);

/**
 * A backend of GPUStack as Berth's own file says it, and what was changed, dropped or refused.
 *
 * @param where what names a key of the document, by its path, for errors
 * @param types all accelerator types
 * @throws BerthError `file-invalid` if no version can be taken, `command-invalid` for a parameter that cannot be split
 */
export function fromReference(
  document: ReferenceBackend,
  where: (path: readonly string[]) => string,
  types: readonly string[],
): FromReference {
  const notes: ReferenceNote[] = [];
  const name = nameOf(document, notes);
  const versions = versionsOf(document, types, notes);
  if (Object.keys(versions).length === 0) throw withoutVersions(where(["version_configs"]), document, notes);
  noteOtherKeys(document, notes);
  const runCommand = filled(document.default_run_command);
  const entrypoint = filled(document.default_entrypoint);
  const description = filled(document.description)?.trim();
  const health = healthPathOf(document, notes);
  const defaultVersion = defaultVersionOf(document, name, Object.keys(versions), notes);
  const parameters = flattenParameters(document.default_backend_param ?? [], where(["default_backend_param"]));
  const file: BackendFileInput = {
    schemaVersion: 1,
    name,
    ...(description !== undefined && { description }),
    ...(defaultVersion !== undefined && { defaultVersion }),
    ...(health !== undefined && { healthPath: health }),
    ...(entrypoint !== undefined && { entrypoint }),
    ...(runCommand !== undefined && { runCommand }),
    ...(parameters.length > 0 && { defaultParameters: parameters }),
    ...environmentOf(document.default_env),
    versions,
  };
  return { file, notes };
}

function nameOf({ backend_name: given }: ReferenceBackend, notes: ReferenceNote[]): string {
  const name = backendName(given);
  if (name !== given) notes.push({ path: ["backend_name"], kind: "changed", text: `${given} is ${name} here` });
  return name;
}

function healthPathOf({ health_check_path: given }: ReferenceBackend, notes: ReferenceNote[]): string | undefined {
  const path = filled(given)?.trim();
  if (path === undefined || path.startsWith("/")) return path;
  notes.push({ path: ["health_check_path"], kind: "changed", text: `${path} is /${path} here` });
  return `/${path}`;
}

/** The one given, if it was taken; else the only one, as there, unless the backend is one that Berth has too. */
function defaultVersionOf(
  { default_version: given }: ReferenceBackend,
  name: string,
  versions: readonly string[],
  notes: ReferenceNote[],
): string | undefined {
  const wanted = filled(given);
  if (wanted !== undefined && versions.includes(wanted)) return wanted;
  if (wanted !== undefined) {
    const text = `there is no version ${wanted} here; deployments must name theirs`;
    notes.push({ path: ["default_version"], kind: builtInNames.has(name) ? "dropped" : "refused", text });
    return undefined;
  }
  return versions.length === 1 && !builtInNames.has(name) ? versions[0] : undefined;
}

function versionsOf(
  document: ReferenceBackend,
  types: readonly string[],
  notes: ReferenceNote[],
): BackendFileInput["versions"] {
  const versions: BackendFileInput["versions"] = {};
  const taken = new Map<string, string>();
  for (const [name, config] of Object.entries(document.version_configs ?? {})) {
    const path = ["version_configs", name];
    const entry = isTaken(name, taken, path, notes) ? undefined : versionEntry(config, path, types, notes);
    if (entry === undefined) continue;
    versions[name] = entry;
    taken.set(withoutV(name), name);
  }
  // Of its community backends the API returns the versions here; of its own, without images, those of its runners.
  let runners = 0;
  for (const [name, config] of Object.entries(document.built_in_version_configs ?? {})) {
    if (Object.hasOwn(versions, name)) continue;
    if (filled(config.image_name) === undefined) runners += 1;
    else {
      const path = ["built_in_version_configs", name];
      const entry = isTaken(name, taken, path, notes) ? undefined : versionEntry(config, path, types, notes);
      if (entry === undefined) continue;
      versions[name] = entry;
      taken.set(withoutV(name), name);
    }
  }
  if (runners > 0) {
    const text = `${runners} of its own versions, whose images it does not name here`;
    notes.push({ path: ["built_in_version_configs"], kind: "dropped", text });
  }
  return versions;
}

/** Here `v1.0` and `1.0` are one version; of two the first is taken. */
function isTaken(
  name: string,
  taken: ReadonlyMap<string, string>,
  path: readonly string[],
  notes: ReferenceNote[],
): boolean {
  const first = taken.get(withoutV(name));
  if (first === undefined) return false;
  notes.push({ path, kind: "refused", text: `the same version as ${first}, so this one is left out` });
  return true;
}

function noteOtherKeys(document: ReferenceBackend, notes: ReferenceNote[]): void {
  const keys = Object.keys(document).filter((key) => bookkeeping.has(key) && !isEmpty(document[key]));
  const [first] = keys;
  if (first !== undefined) {
    notes.push({ path: [first], kind: "dropped", text: `left out, as only GPUStack needs it: ${keys.join(", ")}` });
  }
  for (const [key, value] of Object.entries(document)) {
    if (Object.hasOwn(referenceBackend.shape, key) || bookkeeping.has(key)) continue;
    const reason = lookUp(droppedKeys, key);
    if (reason === undefined) notes.push(unknownKey([key]));
    else if (!isEmpty(value)) notes.push({ path: [key], kind: "dropped", text: `${key} is left out: ${reason}` });
  }
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === "" || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

function withoutVersions(
  where: string,
  { backend_name }: ReferenceBackend,
  notes: readonly ReferenceNote[],
): BerthError {
  return new BerthError("file-invalid", {
    where,
    what: `the backend ${backend_name} has no version that can be taken`,
    expected: "at least one version in version_configs, with an image",
    detail: notes
      .filter(({ kind }) => kind === "refused")
      .map(({ path, text }) => `${path.join(".")}: ${text}`)
      .join("\n"),
  });
}
