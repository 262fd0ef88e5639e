import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";

import { parseDockerfile } from "../catalog/dockerfile.js";
import type { BuildContent } from "../catalog/runner-build-inputs.js";
import type { BuildRecipe } from "../catalog/runner-build.js";
import { digest, sha256 } from "../lib/canonical.js";
import { BerthError, systemCode } from "../lib/errors.js";
import { shown } from "../lib/shown.js";
import { readYaml } from "../schema/document.js";
import { runnerMatrix } from "../schema/runner-matrix.js";

/** A recipe with the folder that has it. */
export interface FoundRecipe extends BuildRecipe {
  readonly folder: string;
}

/** One file beside a Dockerfile. */
export interface ContextFile {
  /** Below the folder, with slashes. */
  readonly name: string;
  readonly bytes: Buffer;
  readonly isExecutable: boolean;
}

const matrixName = "matrix.yaml";

/**
 * What runner images are built from: the folders of `backends/runners` that have a matrix. A project's own folder
 * stands in the place of Berth's of the same accelerator type.
 *
 * @param acceleratorType this one alone
 */
export function readRecipes(root: string, packageRoot: string, acceleratorType?: string): FoundRecipe[] {
  const folders = new Map<string, string>();
  for (const owner of new Set([packageRoot, root])) {
    const above = join(owner, "backends", "runners");
    for (const name of foldersIn(above)) {
      const folder = join(above, name);
      if (namesIn(folder).includes(matrixName)) folders.set(name, folder);
    }
  }
  return [...folders]
    .filter(([name]) => acceleratorType === undefined || name === acceleratorType)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, folder]) => readRecipe(root, name, folder));
}

function readRecipe(root: string, acceleratorType: string, folder: string): FoundRecipe {
  const path = join(folder, matrixName);
  const { value, locate } = readYaml(readFileSync(path, "utf8"), shown(root, path), runnerMatrix);
  const dockerfiles = namesIn(folder)
    .filter(isDockerfile)
    .map((name) => {
      const file = join(folder, name);
      return [name, parseDockerfile(readFileSync(file, "utf8"), shown(root, file))] as const;
    });
  return { acceleratorType, folder, matrix: value, locate, dockerfiles: Object.fromEntries(dockerfiles) };
}

/** Digests of the files that images are built from. */
export function readBuildContent(root: string, recipes: readonly FoundRecipe[]): BuildContent {
  const dockerfiles = recipes.flatMap(({ folder, dockerfiles: all }) =>
    Object.keys(all).map(
      (name) => [shown(root, join(folder, name)), sha256(readFileSync(join(folder, name)))] as const,
    ),
  );
  const contexts = recipes.map(({ acceleratorType, folder }) => {
    const files = readContext(root, folder).map(({ name, bytes, isExecutable }) => [name, sha256(bytes), isExecutable]);
    return [acceleratorType, digest(files)] as const;
  });
  return { dockerfiles: Object.fromEntries(dockerfiles), contexts: Object.fromEntries(contexts) };
}

/**
 * The files that a build can copy: all below the folder but the matrix and the Dockerfiles.
 *
 * @throws BerthError `file-invalid` for what is neither a file nor a folder
 */
export function readContext(root: string, folder: string): ContextFile[] {
  const found: ContextFile[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path).split(sep).join("/");
    if (entry.isDirectory() || name === matrixName || isDockerfile(name)) continue;
    if (!entry.isFile()) {
      const what = "builds take files alone, and no links";
      throw new BerthError("file-invalid", { where: shown(root, path), what });
    }
    found.push({ name, bytes: readFileSync(path), isExecutable: (statSync(path).mode & 0o100) !== 0 });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A Dockerfile of a folder and the files beside it, as a tar archive of the same bytes each time. */
export async function packContext(root: string, folder: string, dockerfile: string): Promise<Buffer> {
  const names = [dockerfile, ...readContext(root, folder).map(({ name }) => name)].map((name) => `./${name}`);
  const { create } = await import("tar");
  const chunks: Buffer[] = [];
  // What the people who build have as users, groups and times is none of an image's.
  const archive = create({ cwd: folder, portable: true, mtime: new Date(0) }, names);
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export function isDockerfile(name: string): boolean {
  return /^Dockerfile(?:\.[a-z0-9]+)?$/.test(name);
}

function foldersIn(folder: string): string[] {
  return entriesIn(folder)
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

function namesIn(folder: string): string[] {
  return entriesIn(folder)
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
    .sort();
}

function entriesIn(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}
