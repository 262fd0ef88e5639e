import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import type { BackendSource, Catalogue } from "../catalog/catalogue.js";
import type { Satisfies } from "../catalog/runner-command.js";
import { covers } from "../catalog/version.js";
import { BerthError, systemCode } from "../lib/errors.js";
import { readBackendDocument, type BackendText } from "../lock/backend-document.js";
import { readCatalogue } from "../lock/project.js";
import { largestDocumentBytes, tooLarge } from "../schema/document.js";
import { parseConstraint } from "../schema/version-constraint.js";

/** A backend file that was read. */
export interface BackendFileRead {
  /** As people know it. */
  readonly path: string;
  readonly document: BackendText;
}

/** The backends that a project can use, and where each is from. */
export interface KnownBackends {
  readonly backends: Catalogue["backends"];
  readonly sources: Readonly<Record<string, BackendSource>>;
}

/** The built-in backends, those of the community, and the project's own over them. */
export function readBackends(root: string, packageRoot: string): KnownBackends {
  const { backends, sources } = readCatalogue(root, packageRoot);
  return { backends, sources: Object.fromEntries(Object.entries(sources).map(([name, of]) => [name, sourceOf(of)])) };
}

/** A backend is from where its first version is from that is not the project's own. */
function sourceOf(versions: Readonly<Record<string, BackendSource>>): BackendSource {
  return Object.values(versions).find((source) => source !== "project") ?? "project";
}

/** The paths of a folder's backend files; none of a folder that is not there. */
export function backendFilesIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    const files = entries.filter((entry) => !entry.isDirectory() && /\.ya?ml$/.test(entry.name));
    return files.map(({ name }) => join(folder, name)).sort();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

/** @param name the path as errors tell it */
export function readBackend(path: string, name: string): BackendFileRead {
  return { path: name, document: readBackendDocument(readText(path, name, largestDocumentBytes), name) };
}

/** A file's text. One that is too large is refused before it is read. */
export function readText(path: string, name: string, largestBytes: number): string {
  try {
    const { size } = statSync(path);
    if (size > largestBytes) throw tooLarge(name, size, largestBytes);
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = systemCode(error);
    if (code !== "ENOENT" && code !== "EISDIR") throw error;
    throw new BerthError("file-not-found", { where: name, what: "there is no such file" });
  }
}

/** Whether a version lies within a constraint, without a backend's own way to count. */
export const satisfies: Satisfies = (version, constraint) => covers(version, parseConstraint(constraint));
