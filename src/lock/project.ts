import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";

import { usableBackends } from "../catalog/backend-choice.js";
import { assembleCatalogue, type BackendDocument, type BackendSource, type Catalogue } from "../catalog/catalogue.js";
import { backendFolders } from "../install/content.js";
import { sha256, type Json } from "../lib/canonical.js";
import { BerthError, systemCode } from "../lib/errors.js";
import { readYaml } from "../schema/document.js";
import { largestDocumentBytes, tooLarge } from "../schema/yaml-text.js";
import { stackFile, type StackFile } from "../schema/stack.js";
import { readBackendDocument } from "./backend-document.js";

/** A stack file with all that is read beside it. */
export interface Project {
  /** Where relative paths begin. */
  readonly root: string;
  /** Absolute path of the stack file. */
  readonly stackPath: string;
  readonly stack: StackFile;
  /** What the stack file says, without defaults. */
  readonly written: Json;
  readonly catalogue: Catalogue;
}

/** Reads a stack file and the backends that it can use. */
export function readProject(root: string, file: string, packageRoot: string): Project {
  const stackPath = resolve(root, file);
  const name = shown(root, stackPath);
  const { value: stack, written } = readYaml(readDocument(stackPath, name), name, stackFile);
  return { root, stackPath, stack, written, catalogue: readCatalogue(root, packageRoot, usableBackends(stack)) };
}

/**
 * The built-in backends, those of the community, and over them the project's.
 *
 * @param asked the backends that are asked for. Of Berth's own the others are known by name alone: each `pulumi up`
 * reads the catalogue, and parsing all of it takes half a second
 */
export function readCatalogue(root: string, packageRoot: string, asked?: readonly string[]): Catalogue {
  const builtIn = join(packageRoot, "backends");
  const project = join(root, "backends");
  const own =
    project === builtIn
      ? []
      : [readFolder(join(project, "community"), "community", root), readFolder(project, "project", root)];
  // What a project says of one of Berth's is read over it.
  const changed = own.flatMap(({ documents }) => documents.map(({ name }) => name));
  const wanted = asked === undefined ? undefined : [...asked, ...changed];
  const folders = [
    readFolder(builtIn, "built-in", root, wanted),
    readFolder(join(builtIn, "community"), "community", root, wanted),
    ...own,
  ];
  const documents = folders.flatMap(({ documents: of }) => of);
  const named = new Set(folders.flatMap(({ named: of }) => of));
  return assembleCatalogue(
    documents,
    digestFiles(named, backendFolders(root, packageRoot)),
    folders.flatMap(({ unread }) => unread),
  );
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

/** A path as people know it: relative to the project when it is inside. */
export function shown(root: string, path: string): string {
  const below = relative(root, path);
  return below === "" || below === ".." || below.startsWith("../") ? path : below;
}

interface Folder {
  readonly documents: readonly BackendDocument[];
  /** Files that versions of these backends name. */
  readonly named: readonly string[];
  /** Names of backends that nobody asks for. */
  readonly unread: readonly string[];
}

function readFolder(folder: string, source: BackendSource, root: string, asked?: readonly string[]): Folder {
  const documents: BackendDocument[] = [];
  const unread: string[] = [];
  const named: string[] = [];
  for (const entry of list(folder)) {
    if (entry.isDirectory() || !/\.ya?ml$/.test(entry.name)) continue;
    const path = join(folder, entry.name);
    const where = shown(root, path);
    const text = readDocument(path, where);
    const [, name] = /^name: ([a-z0-9-]+)$/m.exec(text) ?? [];
    if (asked !== undefined && name !== undefined && !asked.includes(name)) {
      unread.push(name);
      continue;
    }
    const { value, written, locate } = readBackendDocument(text, where);
    documents.push({ name: value.name, written, source, where, locate });
    for (const { install } of Object.values(value.versions ?? {})) {
      for (const file of [install.pipx?.requirements, install.pipx?.launcher]) if (file !== undefined) named.push(file);
    }
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
