import { readdirSync, realpathSync, statSync, type Stats } from "node:fs";
import { dirname, sep } from "node:path";

import { BerthError, systemCode } from "../lib/errors.js";
import { shown } from "../lib/shown.js";

/** Whose catalogue is looked at: the project's, or the package's own. */
export interface CatalogueOwner {
  /** The folder that has `backends`; links do not lead out of it. */
  readonly folder: string;
  /** The project, for paths in errors. */
  readonly root: string;
}

/** The names in a folder, sorted, without those of hidden files; none where there is no such folder. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => !name.startsWith("."))
      .sort();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return [];
    throw error;
  }
}

/**
 * What a path is once links are followed.
 *
 * @throws BerthError `file-invalid` for a link that leads nowhere, or out of its owner's folder
 */
export function kindOfPath(path: string, owner: CatalogueOwner): "file" | "folder" | "other" {
  const stats = follow(path, owner);
  if (stats.isFile()) return "file";
  return stats.isDirectory() ? "folder" : "other";
}

/** @throws BerthError `file-invalid` for what is no plain file, nor a link to one of the same owner */
export function assertPlainFile(path: string, owner: CatalogueOwner): void {
  const kind = kindOfPath(path, owner);
  if (kind === "file") return;
  throw new BerthError("file-invalid", {
    where: shown(owner.root, path),
    what: "it is no plain file",
    got: kind === "folder" ? "a folder" : "a pipe, socket or device",
  });
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
    if (!["ENOENT", "ELOOP", "ENOTDIR"].includes(systemCode(error) ?? "")) throw error;
    throw new BerthError("file-invalid", { where: shown(owner.root, path), what: "the link leads nowhere" });
  }
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}${sep}`);
}
