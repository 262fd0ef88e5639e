import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";

/** A file beside a backend file, as inputs carry it: small, and exact by its digest. */
export interface ContentReference {
  /** Path below a `backends` folder or its `community`, or below `stacks` for what a lock resolved. */
  readonly file: string;
  readonly sha256: string;
}

/** Text files that belong to Berth or to the project, not to the host. */
export interface Content {
  /**
   * A file of a `backends` folder, the project's before the built-in one, with the very digest asked for; else as the
   * project keeps it.
   *
   * @throws BerthError `file-not-found` or `checksum-mismatch`
   */
  readonly backendFile: (reference: ContentReference) => Promise<string>;
  /** A file of Berth's own `tools/python`. */
  pythonTool(name: string): Promise<string>;
}

/** Where files that backends name lie, those that count first. */
export function backendFolders(projectRoot: string, packageRoot: string): string[] {
  const folders = [projectRoot, packageRoot].map((root) => join(root, "backends"));
  return [...new Set(folders)].flatMap((folder) => [folder, join(folder, "community")]);
}

/** Where a project keeps what its releases name of the backends' folders, below its own folder. */
export const keptFolder = "stacks/files";

/** Where a file of a digest is kept, below the project's folder. */
export function keptFile(digest: string): string {
  return `${keptFolder}/sha256-${digest}`;
}

export function createContent(packageRoot: string, projectRoot: string): Content {
  const folders = [...backendFolders(projectRoot, packageRoot), join(projectRoot, "stacks")];
  return {
    async backendFile(reference) {
      const found: string[] = [];
      const kept = join(projectRoot, keptFile(reference.sha256));
      for (const path of [...folders.map((folder) => join(folder, reference.file)), kept]) {
        const text = await readFile(path, "utf8").catch(() => undefined);
        if (text === undefined) continue;
        if (sha256(text) === reference.sha256) return text;
        found.push(sha256(text));
      }
      throw new BerthError(found.length === 0 ? "file-not-found" : "checksum-mismatch", {
        where: `${reference.file.startsWith("requirements/") ? "stacks" : "backends"}/${reference.file}`,
        what: found.length === 0 ? "the file is missing" : "the file is not the one that was locked",
        ...(found.length === 0 ? {} : { got: `sha256 ${found.join(", ")}` }),
        expected: `sha256 ${reference.sha256}, there or as ${keptFile(reference.sha256)}`,
        hint: "restore one of them from version control; where releases are made, `berth lock` locks the present one",
      });
    },
    pythonTool: (name) => readFile(join(packageRoot, "tools/python", name), "utf8"),
  };
}
