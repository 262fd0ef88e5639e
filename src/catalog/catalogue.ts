import type { Json } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { backendFile, type BackendFile, type BackendVersionEntry } from "../schema/backend.js";
import { parseConstraint, sameVersion } from "../schema/version-constraint.js";
import type { RunnerCatalogue } from "./runner-catalogue.js";
import { highestOf, resolveVersion, type ChoiceOfVersion } from "./version-choice.js";
import { satisfies } from "./version.js";

/** Where a backend, or a version of it, comes from. */
export type BackendSource = "built-in" | "community" | "project";

/** All backends that a project can use, with the files beside them. */
export interface Catalogue {
  readonly backends: Readonly<Record<string, BackendFile>>;
  /** What each backend's files say together, without defaults. */
  readonly written: Readonly<Record<string, Json>>;
  /** Source of each version, by backend. */
  readonly sources: Readonly<Record<string, Readonly<Record<string, BackendSource>>>>;
  /** SHA-256 of each file that a version names, by its path below the folder of its backend file. */
  readonly files: Readonly<Record<string, string>>;
  /** Read where one of the backends takes images from it. */
  readonly runners?: RunnerCatalogue | undefined;
  /** Names of backends that are there too, and were not read. */
  readonly unread: readonly string[];
}

/** What one file says about a backend. */
export interface BackendDocument {
  readonly name: string;
  /** As it was written, in Berth's format. */
  readonly written: Json;
  readonly source: BackendSource;
  /** The file's name, for errors. */
  readonly where: string;
  /** Where a part of it stands in the file. */
  readonly locate?: (path: readonly PropertyKey[]) => { readonly line: number; readonly column: number };
}

export interface ResolvedBackend {
  readonly backend: BackendFile;
  readonly version: string;
  readonly entry: BackendVersionEntry;
  /** Why this version. */
  readonly reason: string;
}

/** What names a backend, and what was decided before. */
export interface BackendRequest {
  readonly name: string;
  /** A version or a constraint; the backend's default version when it is left out. */
  readonly version: string | undefined;
  /** The version that was locked before: it stays while it fits. */
  readonly before?: string | undefined;
  /** Whether a version can be had where it is to run. Where it matters, the first test that some version passes counts. */
  readonly preferences?: readonly ((entry: BackendVersionEntry, version: string) => boolean)[] | undefined;
  /** What asks, for errors. */
  readonly where: string;
}

/**
 * A backend and the one of its versions that a request means.
 *
 * @throws BerthError `backend-unknown` when there is none
 */
export function findBackend(catalogue: Catalogue, request: BackendRequest): ResolvedBackend {
  const { name, before, where } = request;
  const backend = lookUp(catalogue.backends, name);
  if (backend === undefined) {
    throw new BerthError("backend-unknown", {
      where,
      what: "no backend has this name",
      got: name,
      expected: [...new Set([...Object.keys(catalogue.backends), ...catalogue.unread])].sort().join(", "),
      hint: "correct the name, or add a file backends/NAME.yaml",
    });
  }
  const available = Object.keys(backend.versions);
  const kept = before === undefined ? undefined : spelling(available, before);
  const chosen =
    kept !== undefined && allows(backend, request, kept)
      ? { version: kept, reason: "as locked before" }
      : choosePreferred(backend, available, request);
  const entry = lookUp(backend.versions, chosen.version);
  if (entry === undefined) throw new Error(`the catalogue lost ${name} ${chosen.version}`);
  return { backend, entry, ...chosen };
}

/**
 * The version that is asked for; among several, and instead of the default, one that can be had.
 */
function choosePreferred(backend: BackendFile, available: readonly string[], request: BackendRequest): ChoiceOfVersion {
  const { version: asked, preferences = [], where } = request;
  const plain = resolveVersion(available, asked, backend, where);
  if (asked !== undefined && available.some((version) => sameVersion(version, asked))) return plain;
  const passes = (version: string, test: (typeof preferences)[number]) => {
    const entry = lookUp(backend.versions, version);
    return entry !== undefined && test(entry, version);
  };
  for (const test of preferences) {
    if (passes(plain.version, test)) return plain;
    const fitting = available.filter((version) => passes(version, test));
    const chosen = highestOf(fitting, asked ?? "*", backend, where);
    if (chosen !== undefined)
      return { version: chosen, reason: `the highest that can be installed there, unlike ${plain.version}` };
  }
  return plain;
}

/** How a backend's files write a version. */
function spelling(available: readonly string[], version: string): string | undefined {
  return available.find((name) => name === version) ?? available.find((name) => sameVersion(name, version));
}

/** Without a request the version that was locked stays, whatever the default is now. */
function allows(backend: BackendFile, { version, where }: BackendRequest, before: string): boolean {
  if (version === undefined || sameVersion(version, before)) return true;
  const isNamed = Object.keys(backend.versions).some((name) => sameVersion(name, version));
  return !isNamed && satisfies(before, parseConstraint(version, where), backend.buildNumber);
}

/**
 * A catalogue from what files say, the first file first: of a backend that several files tell, the last one's fields
 * count, and its versions are added to those before or take their place. `env`, `flags` and `container` count key by key.
 *
 * @throws BerthError `file-invalid` when what they say together is no backend
 */
export function assembleCatalogue(
  documents: readonly BackendDocument[],
  files: Readonly<Record<string, string>>,
  unread: readonly string[] = [],
): Catalogue {
  const written = new Map<string, Json>();
  const sources = new Map<string, Record<string, BackendSource>>();
  for (const document of documents) {
    const { name, source } = document;
    const below = written.get(name);
    written.set(name, below === undefined ? document.written : mergeWritten(below, document.written));
    const own = Object.keys(versionsOf(document.written));
    const others = Object.entries(sources.get(name) ?? {}).filter(([before]) => !replaces(own, before));
    sources.set(name, Object.fromEntries([...others, ...own.map((version) => [version, source] as const)]));
  }
  const backends = [...written].map(([name, text]) => [name, parseMerged(name, text, documents)] as const);
  return {
    backends: Object.fromEntries(backends),
    written: Object.fromEntries(written),
    sources: Object.fromEntries(sources),
    files,
    unread,
  };
}

function parseMerged(name: string, written: Json, documents: readonly BackendDocument[]): BackendFile {
  const result = backendFile.safeParse(written);
  if (result.success) return result.data;
  const own = documents.filter((document) => document.name === name);
  const problems = result.error.issues.map(({ path, message }) => {
    // Of several files the last one that says it.
    const says = own.findLast(({ written }) => Object.hasOwn(fieldsOf(written), path[0] ?? "")) ?? own.at(-1);
    const place = says?.locate?.(path);
    const at = place === undefined ? "" : `:${place.line}:${place.column}`;
    const part = `${says?.where ?? name}${at}: "${path.map(String).join(".")}"`;
    if (message.endsWith(", received undefined")) return `${part} is missing, and no other file of this backend has it`;
    return `${part}: ${message.replace(/^Invalid input: /, "")}`;
  });
  throw new BerthError("file-invalid", { what: problems.join("\n") });
}

type Fields = Readonly<Record<string, Json | undefined>>;

/** Maps in which a file says only the keys that it changes. */
const keyed = ["env", "flags", "container"] as const;

function mergeWritten(below: Json, over: Json): Json {
  const own = versionsOf(over);
  const kept = Object.entries(versionsOf(below)).filter(([version]) => !replaces(Object.keys(own), version));
  const [lower, upper] = [fieldsOf(below), fieldsOf(over)];
  const maps = keyed
    .filter((key) => Object.hasOwn(lower, key) && Object.hasOwn(upper, key))
    .map((key) => [key, { ...fieldsOf(lower[key] ?? null), ...fieldsOf(upper[key] ?? null) }] as const);
  return { ...lower, ...upper, ...Object.fromEntries(maps), versions: { ...Object.fromEntries(kept), ...own } };
}

/** `v0.19.0` and `0.19.0` are one version, whichever way a file writes it. */
function replaces(versions: readonly string[], before: string): boolean {
  return versions.some((version) => sameVersion(version, before));
}

function versionsOf(written: Json): Fields {
  return fieldsOf(fieldsOf(written).versions ?? null);
}

function fieldsOf(written: Json): Fields {
  return isFields(written) ? written : {};
}

function isFields(value: Json): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
