import { z } from "zod";

import type { backendFile } from "../schema/backend.js";
import { environment } from "../schema/scalars.js";
import { parseImageReference } from "./image-reference.js";

/** What a backend file of Berth's own says, before defaults. */
export type BackendFileInput = z.input<typeof backendFile>;

const text = z.string().nullish();

const imageName = z
  .string()
  .regex(/^(?:[a-z0-9][A-Za-z0-9._:/-]{0,300}(?:@sha256:[0-9a-f]{64})?)?$/, { error: "expected an image reference" })
  .nullish();

/** A version of a backend of GPUStack 2. */
export const referenceVersion = z.looseObject({
  image_name: imageName,
  custom_framework: text,
  built_in_frameworks: z.array(z.string()).nullish(),
  env: environment.nullish(),
  entrypoint: text,
  run_command: text,
});

type ReferenceVersion = z.output<typeof referenceVersion>;

/** Something to tell about a document of GPUStack. */
export interface ReferenceNote {
  /** The key it is about. */
  readonly path: readonly string[];
  readonly text: string;
  /** `refused`: this part is not taken, and whoever relies on it must do something. `unknown`: nobody knows the key. */
  readonly kind: "changed" | "dropped" | "unknown" | "refused";
}

/**
 * A version as Berth's own file says it; undefined if it has no image, or a framework that Berth does not know.
 *
 * @param path where it stands in the document
 * @param known all accelerator types
 * @param notes gets what is to be told of it
 */
export function versionEntry(
  config: ReferenceVersion,
  path: readonly string[],
  known: readonly string[],
  notes: ReferenceNote[],
): BackendFileInput["versions"][string] | undefined {
  const types = acceleratorTypesOf(config, path, known, notes);
  if (types === "refused") return undefined;
  for (const key of Object.keys(config)) {
    if (!Object.hasOwn(referenceVersion.shape, key)) notes.push(unknownKey([...path, key]));
  }
  const runCommand = filled(config.run_command);
  const entrypoint = filled(config.entrypoint);
  const image = filled(config.image_name);
  if (image === undefined) {
    const text = "no image, so this version is left out: only a file in Berth's own format can say how to install it";
    notes.push({ path, kind: "refused", text });
    return undefined;
  }
  return {
    install: { image: imageInstall(image, types, [...path, "image_name"], notes) },
    ...(entrypoint !== undefined && { entrypoint }),
    ...(runCommand !== undefined && { runCommand }),
    ...environmentOf(config.env),
  };
}

function imageInstall(image: string, types: string[] | undefined, path: readonly string[], notes: ReferenceNote[]) {
  const { name, tag, digest } = parseImageReference(image);
  // That format says nothing of platforms, but some of its tags do.
  const isArm = tag !== undefined && /(?:^|[^a-z0-9])(?:aarch64|arm64)(?:[^a-z0-9]|$)/i.test(tag);
  if (isArm) notes.push({ path, kind: "changed", text: "by its tag this is an image for linux/arm64" });
  return {
    reference: tag === undefined ? name : `${name}:${tag}`,
    ...(digest !== undefined && { digest }),
    ...(isArm && { platforms: ["linux/arm64" as const] }),
    ...(types !== undefined && { acceleratorTypes: types }),
  };
}

/** The frameworks as accelerator types; undefined when none is named, which is any. A hard filter is never guessed. */
function acceleratorTypesOf(
  config: ReferenceVersion,
  path: readonly string[],
  types: readonly string[],
  notes: ReferenceNote[],
): string[] | undefined | "refused" {
  const own = filled(config.custom_framework);
  const key = own === undefined ? "built_in_frameworks" : "custom_framework";
  const given = own === undefined ? (config.built_in_frameworks ?? []) : [own];
  if (given.length === 0) return undefined;
  const known = (framework: string) => types.find((type) => type === framework.trim().toLowerCase());
  const unknown = given.filter((framework) => known(framework) === undefined);
  if (unknown.length === 0) return [...new Set(given.flatMap((framework) => known(framework) ?? []))];
  const hint = unknown.some((framework) => /^(?:npu|ascend)$/i.test(framework)) ? "; Ascend NPUs are cann" : "";
  const text = `no accelerator type is called ${unknown.join(", ")}, so this version is left out; known are ${types.join(", ")}${hint}`;
  notes.push({ path: [...path, key], kind: "refused", text });
  return "refused";
}

/** Empty texts count as not given, as they do there. */
export function filled(given: string | null | undefined): string | undefined {
  return given === null || given === undefined || given.trim() === "" ? undefined : given;
}

/** Variables, unless there are none. */
export function environmentOf(env: Record<string, string> | null | undefined): { env?: Record<string, string> } {
  return env === null || env === undefined || Object.keys(env).length === 0 ? {} : { env };
}

/** The note on a key that neither GPUStack nor Berth has. */
export function unknownKey(path: readonly string[]): ReferenceNote {
  return { path, kind: "unknown", text: `unknown key "${path.at(-1) ?? ""}", left out` };
}
