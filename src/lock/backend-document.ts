import { z } from "zod";

import { acceleratorTypesWith, findUnknownTypes } from "../catalog/accelerator-types.js";
import { fromReference, referenceBackend } from "../catalog/reference-format.js";
import type { ReferenceNote } from "../catalog/reference-version.js";
import type { Json } from "../lib/canonical.js";
import { backendFile, backendOverlay, type BackendOverlay } from "../schema/backend.js";
import { readLayers, type ParsedYaml } from "../schema/document.js";
import { invalid, parseText, type YamlText } from "../schema/yaml-text.js";

/** A backend file, in either format. */
export interface BackendText {
  /** What one file says: a project's may leave out what Berth's own says of the same backend. */
  readonly value: BackendOverlay;
  /** What the file says in Berth's own format, without defaults. */
  readonly written: Json;
  /** What became of parts of GPUStack's format, each with `file:line:column`. */
  readonly notes: readonly string[];
  readonly format: "berth" | "reference";
  /** The notes for those who tell them apart. */
  readonly remarks: readonly Remark[];
  /** Where a part of the backend stands in the file, by its path in Berth's own format. */
  readonly locate: (path: readonly PropertyKey[]) => { line: number; column: number };
}

export interface Remark extends ReferenceNote {
  readonly line: number;
  readonly column: number;
}

const eitherFormat = z.looseObject({}).describe("a backend file");

/**
 * Reads a backend file in Berth's own format or in GPUStack's, which is known by its `backend_name`. In
 * the latter an unknown key is a note, in Berth's own an error.
 *
 * @param types all accelerator types. Default: those that Berth knows without any file of runner images
 * @throws BerthError `file-invalid`, with `file:line:column` of each problem
 */
export function readBackendDocument(
  text: string,
  fileName: string,
  types: readonly string[] = acceleratorTypesWith([]),
): BackendText {
  const parsedText = parseText(text, fileName);
  if (!isOfReference(parsedText)) {
    const own = readLayers([parsedText], backendOverlay);
    const unknown = findUnknownTypes(own.value, types);
    if (unknown.length > 0) throw invalid(unknown.map(({ path, text }) => ({ ...own.locate(path), text })));
    return { ...own, notes: [], remarks: [], format: "berth", locate: (path) => own.locate(path) };
  }
  const parsed = readLayers([parsedText], referenceBackend);
  const place = ({ line, column }: { line: number; column: number }) => `${fileName}:${line}:${column}`;
  const { file, notes } = fromReference(parsed.value, (path) => place(parsed.locate(path, "key")), types);
  const remarks = notes.map((note) => ({ ...note, ...parsed.locate(note.path, "key") }));
  remarks.sort((a, b) => a.line - b.line || a.column - b.column);
  return {
    value: backendFile.parse(file),
    written: plain(file),
    notes: remarks.map((remark) => `${place(remark)}: ${remark.text}`),
    remarks,
    format: "reference",
    locate: (path) => locateReference(parsed, path),
  };
}

/** Whether a backend file is in GPUStack's format. */
export function isReferenceFormat(text: string, fileName: string): boolean {
  return isOfReference(parseText(text, fileName));
}

function isOfReference(text: YamlText): boolean {
  return Object.hasOwn(readLayers([text], eitherFormat).value, "backend_name");
}

/** A value without the members that are undefined, which YAML and JSON have not. */
function plain(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

const referenceKeys: Readonly<Record<string, string>> = {
  name: "backend_name",
  defaultVersion: "default_version",
  runCommand: "default_run_command",
  entrypoint: "default_entrypoint",
  env: "default_env",
  defaultParameters: "default_backend_param",
  healthPath: "health_check_path",
  versions: "version_configs",
};
const referenceVersionKeys: Readonly<Record<string, string>> = {
  install: "image_name",
  runCommand: "run_command",
  entrypoint: "entrypoint",
  env: "env",
};

function locateReference(parsed: ParsedYaml<typeof referenceBackend>, path: readonly PropertyKey[]) {
  const [field = "", version, part, ...others] = path;
  const key = referenceKeys[String(field)] ?? field;
  if (key !== "version_configs" || version === undefined) return parsed.locate([key, ...path.slice(1)]);
  const configs = Object.hasOwn(parsed.value.version_configs ?? {}, version) ? key : "built_in_version_configs";
  if (part === undefined) return parsed.locate([configs, version], "key");
  const inner = referenceVersionKeys[String(part)] ?? part;
  return parsed.locate([configs, version, inner, ...(inner === "env" ? others : [])]);
}
