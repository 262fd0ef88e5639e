/** What lies in `backends/runners`. What is not what it should be is told by its place. */
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync, statSync, type Stats } from "node:fs";
import { dirname, sep } from "node:path";

import { BerthError, systemCode } from "../lib/errors.js";
import { shown } from "../lib/shown.js";
import { largestDocumentBytes, tooLarge } from "../schema/yaml-text.js";

/** Whose catalogue is looked at: the project's, or the package's own. */
export interface CatalogueOwner {
  /** The folder that has `backends`; links do not lead out of it. */
  readonly folder: string;
  /** The project, for paths in errors. */
  readonly root: string;
}

/**
 * The names in a folder, sorted, without those of hidden files; none where there is no such folder.
 *
 * @param root the project, for the path in errors
 * @throws BerthError `file-invalid` where something else has the folder's name
 */
export function namesIn(folder: string, root: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => !name.startsWith("."))
      .sort();
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") return [];
    if (code !== "ENOTDIR") throw error;
    throw new BerthError("file-invalid", {
      where: shown(root, folder),
      what: "a file is where a folder is expected",
    });
  }
}

/**
 * What a path is once links are followed.
 *
 * @throws BerthError `file-not-found`, `file-invalid` for a link that leads nowhere, or out of its owner's folder
 */
export function kindOfPath(path: string, owner: CatalogueOwner): "file" | "folder" | "other" {
  const stats = follow(path, owner);
  if (stats.isFile()) return "file";
  return stats.isDirectory() ? "folder" : "other";
}

/** @throws BerthError as {@link kindOfPath}, and `file-invalid` for what is no plain file, nor a link to one */
export function assertPlainFile(path: string, owner: CatalogueOwner): void {
  const kind = kindOfPath(path, owner);
  if (kind === "file") return;
  throw new BerthError("file-invalid", {
    where: shown(owner.root, path),
    what: "it is no plain file",
    got: kind === "folder" ? "a folder" : "a pipe, socket or device",
  });
}

/**
 * The text of a file that is known to be plain. One that is too large is refused before it is read.
 *
 * @param root the project, for the path in errors
 * @throws BerthError `file-too-large`
 */
export function readPlainFile(path: string, root: string): string {
  const { size } = statSync(path);
  if (size > largestDocumentBytes) throw tooLarge(shown(root, path), size);
  return readFileSync(path, "utf8");
}

/** Where a file is written, so that a link stays one: what it leads to, else the path itself. */
export function writtenPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}

function follow(path: string, owner: CatalogueOwner): Stats {
  try {
    const target = realpathSync(path);
    const own = realpathSync(owner.folder);
    // What is above may be a link too, such as the folder of a package that npm links.
    if (isBelow(target, own) || isBelow(target, realpathSync(dirname(path)))) return statSync(path);
    throw new BerthError("file-invalid", {
      where: shown(owner.root, path),
      what: "the link leads out of the project, so that another checkout would not have what it leads to",
      got: target,
      expected: "a file or folder, or a link to one of the project",
    });
  } catch (error) {
    if (!isMissing(error)) throw error;
    if (isThere(path))
      throw new BerthError("file-invalid", { where: shown(owner.root, path), what: "the link leads nowhere" });
    throw new BerthError("file-not-found", { where: shown(owner.root, path), what: "there is no such file" });
  }
}

function isMissing(error: unknown): boolean {
  return ["ENOENT", "ELOOP", "ENOTDIR"].includes(systemCode(error) ?? "");
}

/** Whether something has the name, be it a link that leads nowhere. */
function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}${sep}`);
}
