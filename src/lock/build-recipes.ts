import { lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";

import { parseDockerfile } from "../catalog/dockerfile.js";
import type { BuildContent } from "../catalog/runner-build-inputs.js";
import type { BuildRecipe } from "../catalog/runner-build.js";
import { digest, sha256 } from "../lib/canonical.js";
import { nearestNames } from "../catalog/nearest.js";
import { BerthError } from "../lib/errors.js";
import { shown } from "../lib/shown.js";
import { readYaml } from "../schema/document.js";
import { runnerMatrix } from "../schema/runner-matrix.js";
import { runnerWord } from "../schema/runner.js";
import { assertPlainFile, kindOfPath, namesIn, readPlainFile, type CatalogueOwner } from "./catalogue-folder.js";

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

/** Of all files beside the Dockerfiles together: the engine is sent them in one piece. */
const largestContextBytes = 1_000_000_000;

/**
 * What runner images are built from: the folders of `backends/runners` that have a matrix. A project's own folder
 * stands in the place of Berth's of the same accelerator type.
 *
 * @param acceleratorType this one alone
 * @throws BerthError `file-not-found` for an accelerator type's folder without a matrix, `file-invalid` for links that
 * lead out of the project, and for a matrix or Dockerfile that is no file
 */
export function readRecipes(root: string, packageRoot: string, acceleratorType?: string): FoundRecipe[] {
  const found = new Map<string, FoundFolder>();
  for (const folder of new Set([packageRoot, root])) {
    const owner = { folder, root };
    const runners = join(folder, "backends", "runners");
    const names = namesIn(runners, root);
    for (const name of names) {
      if (acceleratorType !== undefined && name !== acceleratorType) continue;
      const path = join(runners, name);
      if (isFolder(path, owner) && hasMatrix(path, owner, names.includes(`${name}.yaml`)))
        found.set(name, { path, owner });
    }
  }
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { path, owner }]) => readRecipe(name, path, owner));
}

/**
 * The recipe of the folder that has a file; undefined where that folder has no matrix.
 *
 * @throws BerthError `file-not-found`, `file-invalid` for what is no plain file
 */
export function readRecipeOf(root: string, file: string): FoundRecipe | undefined {
  const folder = dirname(file);
  const owner = { folder: root, root };
  assertPlainFile(file, owner);
  if (!namesIn(folder, root).includes(matrixName)) return undefined;
  return readRecipe(basename(folder), folder, owner);
}

interface FoundFolder {
  readonly path: string;
  readonly owner: CatalogueOwner;
}

/** A link is one where it has the name of an accelerator type. */
function isFolder(path: string, owner: CatalogueOwner): boolean {
  const isType = runnerWord.safeParse(basename(path)).success;
  return isType ? kindOfPath(path, owner) === "folder" : lstatSync(path).isDirectory();
}

/** @param isType whether it has the name of a file of runner images beside it */
function hasMatrix(folder: string, { root }: CatalogueOwner, isType: boolean): boolean {
  const names = namesIn(folder, root);
  if (names.includes(matrixName)) return true;
  const near = nearestNames(matrixName, names);
  if (!names.some(isDockerfile) && near.length === 0 && !(isType && names.length > 0)) return false;
  throw new BerthError("file-not-found", {
    where: shown(root, join(folder, matrixName)),
    what: "there is no such file, so nothing of the folder would be built",
    ...(near.length === 0 ? {} : { got: near.join(", ") }),
    hint:
      near.length === 0
        ? "write the rules of what is built into it, or take the folder away"
        : `rename ${near.join(" or ")} to ${matrixName}`,
  });
}

function readRecipe(acceleratorType: string, folder: string, owner: CatalogueOwner): FoundRecipe {
  const { root } = owner;
  const path = join(folder, matrixName);
  assertPlainFile(path, owner);
  const { value, locate } = readYaml(readPlainFile(path, root), shown(root, path), runnerMatrix);
  const dockerfiles = namesIn(folder, root)
    .filter(isDockerfile)
    .map((name) => {
      const file = join(folder, name);
      assertPlainFile(file, owner);
      return [name, parseDockerfile(readPlainFile(file, root), shown(root, file))] as const;
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
 * @throws BerthError `file-invalid` for what is neither a file nor a folder, `file-too-large`
 */
export function readContext(root: string, folder: string): ContextFile[] {
  const found: ContextFile[] = [];
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path).split(sep).join("/");
    if (entry.isDirectory() || name === matrixName || isDockerfile(name)) continue;
    if (!entry.isFile()) {
      const what = "builds take files alone, and no links";
      throw new BerthError("file-invalid", { where: shown(root, path), what });
    }
    const { size, mode } = statSync(path);
    bytes += size;
    if (bytes > largestContextBytes) throw tooLarge(root, folder, path, bytes);
    found.push({ name, bytes: readFileSync(path), isExecutable: (mode & 0o100) !== 0 });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A Dockerfile of a folder and the files beside it, as a tar archive of the same bytes each time. */
export async function packContext(root: string, folder: string, dockerfile: string): Promise<Buffer> {
  const names = [dockerfile, ...readContext(root, folder).map(({ name }) => name)].map((name) => `./${name}`);
  const { create } = await import("tar");
  const chunks: Buffer[] = [];
  // What the people who build have as users, groups and times is none of an image's.
  // Of the files a Dockerfile alone may be a link.
  const archive = create({ cwd: folder, portable: true, follow: true, mtime: new Date(0) }, names);
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function tooLarge(root: string, folder: string, path: string, bytes: number): BerthError {
  return new BerthError("file-too-large", {
    ...{ where: shown(root, path), what: "with it, what builds are given of the folder is too large" },
    ...{ got: `${bytes} bytes`, expected: `at most ${largestContextBytes} bytes in ${shown(root, folder)}` },
    hint: "take out of the folder what no Dockerfile copies, and let a Dockerfile download what is large",
  });
}

export function isDockerfile(name: string): boolean {
  return /^Dockerfile(?:\.[a-z0-9]+)?$/.test(name);
}
