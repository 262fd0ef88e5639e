import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

import { usableBackends } from "../catalog/backend-choice.js";
import { assembleCatalogue, type BackendDocument, type BackendSource, type Catalogue } from "../catalog/catalogue.js";
import { namedFiles } from "../catalog/named-file.js";
import { backendFolders } from "../install/content.js";
import { sha256, type Json } from "../lib/canonical.js";
import { BerthError, systemCode } from "../lib/errors.js";
import { shown } from "../lib/shown.js";
import { readLayers, readYaml } from "../schema/document.js";
import { environmentsFile, type EnvironmentsFile } from "../schema/environments.js";
import { isMap, mergeStacks } from "../schema/layers.js";
import type { Promotable } from "../schema/lock.js";
import { stackFile, stackFileName, type StackFile } from "../schema/stack.js";
import { placeOf } from "../schema/yaml-issues.js";
import { invalid, keyOffset, largestDocumentBytes, parseText, tooLarge, type YamlText } from "../schema/yaml-text.js";
import { readBackendDocument } from "./backend-document.js";
import { environmentOf, type Environment } from "./environment.js";
import { lockPath, readLockNow } from "./lock-file.js";
import { readAcceleratorTypes, readRunners } from "./runner-files.js";
import { completeStack, environmentPart, releasePaths, unpromotedNames } from "./promoted-stack.js";

/** A stack file with all that is read beside it. */
export interface Project {
  /** Where relative paths begin. */
  readonly root: string;
  /** Absolute path of the stack file. */
  readonly stackPath: string;
  readonly stack: StackFile;
  /** What the stack file says, without defaults, and with what it extends. */
  readonly written: Json;
  readonly catalogue: Catalogue;
  /** What `stacks/environments.yaml` says of the stack. */
  readonly environment?: Environment | undefined;
  /** What was promoted to it, for a stack that takes its releases from the one before alone. */
  readonly promoted?: Promotable | undefined;
  /** Names in such a stack file of which nothing was promoted. */
  readonly unpromoted?: readonly string[];
  /** The lock's text that what was promoted stands in. */
  readonly lockText?: string | undefined;
}

export interface ProjectOptions {
  /** The stack, which environments are named by. Default: as its file is named. */
  readonly stackName?: string;
  /** What is promoted to it. Default: what its lock has. */
  readonly promoted?: Promotable | undefined;
}

/** Reads a stack file, with those that it extends, and the backends that it can use. */
export function readProject(
  root: string,
  file: string,
  packageRoot: string,
  { stackName, promoted }: ProjectOptions = {},
): Project {
  const stackPath = resolve(root, file);
  const name = stackName ?? basename(stackPath).replace(/\.ya?ml$/, "");
  const texts = readLayerTexts(root, stackPath);
  const environment = environmentOf(readEnvironments(root), name);
  const hasPredecessor = environment?.predecessor !== undefined;
  const found = hasPredecessor && promoted === undefined ? readPromoted(root, stackPath) : undefined;
  const taken = hasPredecessor ? (promoted ?? found?.promoted) : undefined;
  if (taken !== undefined) refuseReleaseFields(texts, environment?.predecessor ?? "");
  const merged = mergeStacks(texts.map(({ value }) => value));
  const { value: stack, written } = readLayers(texts, stackFile, () =>
    taken === undefined ? merged : completeStack(merged, taken),
  );
  const catalogue = readCatalogue(root, packageRoot, usableBackends(stack));
  const project = { root, stackPath, stack, catalogue, environment };
  if (taken === undefined) return { ...project, written };
  const unpromoted = unpromotedNames(merged, taken);
  return { ...project, written: environmentPart(merged, taken), promoted: taken, unpromoted, lockText: found?.text };
}

/** The environments of a project; undefined where it orders none. */
export function readEnvironments(root: string): EnvironmentsFile | undefined {
  const path = join(root, "stacks", "environments.yaml");
  if (existsSync(join(root, "stacks", "environments.yml"))) throw otherName();
  if (!existsSync(path)) return undefined;
  const name = shown(root, path);
  return readYaml(readDocument(path, name), name, environmentsFile).value;
}

function otherName(): BerthError {
  return new BerthError("file-invalid", {
    where: "stacks/environments.yml",
    what: "the file has a name that nobody looks for",
    expected: "stacks/environments.yaml",
    hint: "rename it",
  });
}

/** A stack file and those that it extends, the lowest first. */
function readLayerTexts(root: string, stackPath: string): [...YamlText[], YamlText] {
  const texts: [...YamlText[], YamlText] = [readText(root, stackPath)];
  const paths = [stackPath];
  for (let base = baseOf(texts[0]); base !== undefined; base = baseOf(texts[0])) {
    const path = join(dirname(stackPath), base);
    if (paths.includes(path)) throw endlessLayers(paths, path, root);
    paths.push(path);
    texts.unshift(readText(root, path));
  }
  return texts;
}

function readText(root: string, path: string): YamlText {
  const name = shown(root, path);
  return parseText(readDocument(path, name), name);
}

/** A name that is none the schema refuses. */
function baseOf({ value }: YamlText): string | undefined {
  const base = isMap(value) ? value.extends : undefined;
  return typeof base === "string" && stackFileName.safeParse(base).success ? base : undefined;
}

function endlessLayers(paths: readonly string[], path: string, root: string): BerthError {
  return new BerthError("file-invalid", {
    where: shown(root, paths.at(-1) ?? path),
    what: "the stack files extend each other",
    got: [...paths, path].map((each) => shown(root, each)).join(" -> "),
    hint: "let the last one extend none of the others",
  });
}

/** Versions, models and arguments are what is promoted: they are written where they are made. */
function refuseReleaseFields(texts: readonly YamlText[], predecessor: string): void {
  const own = texts.at(-1);
  if (own === undefined) return;
  const issues = releasePaths(own.value).map((path) => ({
    ...placeOf(own, keyOffset, path),
    text: `"${path.join(".")}" is of the release, which comes from ${predecessor} by \`berth promote\`; expected fields of this environment`,
  }));
  if (issues.length > 0) throw invalid(issues);
}

/** Nothing, where nothing was promoted yet. */
function readPromoted(root: string, stackPath: string): { promoted: Promotable; text: string | undefined } {
  const path = lockPath(stackPath);
  const { lock, text } = readLockNow(path, shown(root, path), () => true);
  const preload = lock?.preload === undefined ? {} : { preload: lock.preload };
  return { promoted: { release: lock?.release ?? {}, ...preload }, text };
}

/**
 * The built-in backends, those of the community, and over them the project's.
 *
 * @param asked the backends that are asked for. Of Berth's own the others are known by name alone: each `pulumi up`
 * reads the catalogue, and parsing all of it takes half a second
 */
export function readCatalogue(root: string, packageRoot: string, asked?: readonly string[]): Catalogue {
  const reading = { root, types: readAcceleratorTypes(root, packageRoot) };
  const builtIn = join(packageRoot, "backends");
  const project = join(root, "backends");
  const own =
    project === builtIn
      ? []
      : [readFolder(join(project, "community"), "community", reading), readFolder(project, "project", reading)];
  // What a project says of one of Berth's is read over it.
  const changed = own.flatMap(({ documents }) => documents.map(({ name }) => name));
  const wanted = asked === undefined ? undefined : [...asked, ...changed];
  const folders = [
    readFolder(builtIn, "built-in", reading, wanted),
    readFolder(join(builtIn, "community"), "community", reading, wanted),
    ...own,
  ];
  const documents = folders.flatMap(({ documents: of }) => of);
  const named = new Set(folders.flatMap(({ named: of }) => of));
  const catalogue = assembleCatalogue(
    documents,
    digestFiles(named, backendFolders(root, packageRoot)),
    folders.flatMap(({ unread }) => unread),
  );
  return hasRunnerImages(catalogue) ? { ...catalogue, runners: readRunners(root, packageRoot) } : catalogue;
}

function hasRunnerImages({ backends }: Catalogue): boolean {
  const versions = Object.values(backends).flatMap((backend) => Object.values(backend.versions));
  return versions.some(({ install }) => install.runnerImage !== undefined);
}

/** SHA-256 of the files that backends name, each from the first folder that has it; those of none are left out. */
function digestFiles(files: Iterable<string>, folders: readonly string[]): Record<string, string> {
  const found = [...files].sort().flatMap((file) => {
    const content = folders.map((folder) => readFile(join(folder, file))).find((bytes) => bytes !== undefined);
    return content === undefined ? [] : [[file, sha256(content)] as const];
  });
  return Object.fromEntries(found);
}

function readFile(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EISDIR"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}

interface Folder {
  readonly documents: readonly BackendDocument[];
  /** Files that versions of these backends name. */
  readonly named: readonly string[];
  /** Names of backends that nobody asks for. */
  readonly unread: readonly string[];
}

interface Reading {
  readonly root: string;
  /** All accelerator types. */
  readonly types: readonly string[];
}

/** Hidden files are those of editors. */
export const backendFileName = /^[^.].*\.ya?ml$/;

function readFolder(
  folder: string,
  source: BackendSource,
  { root, types }: Reading,
  asked?: readonly string[],
): Folder {
  const documents: BackendDocument[] = [];
  const unread: string[] = [];
  const named: string[] = [];
  for (const entry of list(folder)) {
    if (entry.isDirectory() || !backendFileName.test(entry.name)) continue;
    const path = join(folder, entry.name);
    const where = shown(root, path);
    const text = readDocument(path, where);
    const [, name] = /^name: ([a-z0-9-]+)$/m.exec(text) ?? [];
    if (asked !== undefined && name !== undefined && !asked.includes(name)) {
      unread.push(name);
      continue;
    }
    const { value, written, locate } = readBackendDocument(text, where, types);
    documents.push({ name: value.name, written, source, where, locate });
    for (const version of Object.values(value.versions ?? {}))
      named.push(...namedFiles(version).map(({ file }) => file));
  }
  return { documents, named, unread };
}

/** A file too large to be read is refused before it is read. */
function readDocument(path: string, name: string): string {
  try {
    const { size } = statSync(path);
    if (size > largestDocumentBytes) throw tooLarge(name, size);
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    throw new BerthError("file-not-found", {
      where: name,
      what: "there is no such file",
      hint: "a stack's file is stacks/NAME.yaml; `pulumi config set berth:stackFile FILE` names another",
    });
  }
}

function list(folder: string) {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}
