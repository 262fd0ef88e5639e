import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

import { assembleCatalogue, type BackendSource, type Catalogue } from "../catalog/catalogue.js";
import type { Satisfies } from "../catalog/runner-command.js";
import { covers } from "../catalog/version.js";
import type { Json } from "../lib/canonical.js";
import { BerthError, systemCode } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { shown } from "../lib/shown.js";
import { readBackendDocument, type BackendText } from "../lock/backend-document.js";
import { backendFileName, readCatalogue } from "../lock/project.js";
import { readAcceleratorTypes } from "../lock/runner-files.js";
import type { BackendFile } from "../schema/backend.js";
import { largestDocumentBytes, tooLarge } from "../schema/yaml-text.js";
import { parseConstraint } from "../schema/version-constraint.js";
import { packageRoot } from "./workplace.js";

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
export function readBackends(root: string, from: string): KnownBackends {
  const { backends, sources } = readCatalogue(root, from);
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
    const files = entries.filter((entry) => !entry.isDirectory() && backendFileName.test(entry.name));
    return files.map(({ name }) => join(folder, name)).sort();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

/**
 * @param name the path as errors tell it
 * @param types all accelerator types
 */
export function readBackend(path: string, name: string, types: readonly string[]): BackendFileRead {
  return { path: name, document: readBackendDocument(readText(path, name, largestDocumentBytes), name, types) };
}

/** A file's text. One that is too large is refused before it is read. */
export function readText(path: string, name: string, largestBytes: number): string {
  try {
    const { size } = statSync(path);
    if (size > largestBytes) throw tooLarge(name, size, largestBytes);
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = systemCode(error);
    if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "EISDIR") throw error;
    throw new BerthError("file-not-found", { where: name, what: "there is no such file" });
  }
}

/** Whether a version lies within a constraint, by the backend's own way to count, as for the lock. */
export function satisfiesOf({ buildNumber }: BackendFile): Satisfies {
  return (version, constraint) => covers(version, parseConstraint(constraint), buildNumber);
}

/**
 * A backend file together with what lies below it: Berth's own of the same backend, and for the project's the one of its
 * community folder.
 *
 * @param path where the file is or will be, absolute
 * @throws BerthError `file-invalid` when what they say together is no backend
 */
export function readOver(root: string, path: string, { value, written, locate }: BackendText): BackendFile {
  const { name } = value;
  const own = { name, source: "project", where: shown(root, path), written, locate } as const;
  const builtIn = lookUp(readCatalogue(packageRoot, packageRoot, [name]).written, name);
  const community = join(root, "backends", "community");
  const between =
    dirname(path) === community ? [] : readNamed(community, name, path, readAcceleratorTypes(root, packageRoot));
  const below = [...(builtIn === undefined ? [] : [builtIn]), ...between].map((text) => ({ ...own, written: text }));
  const { backends } = assembleCatalogue([...below, own], {});
  const backend = lookUp(backends, name);
  if (backend === undefined) throw new Error(`the catalogue lost ${name}`);
  return backend;
}

/** What a folder's files say of a backend. One that is wrong is told where it is itself looked at. */
function readNamed(folder: string, name: string, except: string, types: readonly string[]): Json[] {
  const files = backendFilesIn(folder).filter((file) => file !== except);
  return files.flatMap((file) => {
    try {
      const { document } = readBackend(file, file, types);
      return document.value.name === name ? [document.written] : [];
    } catch (error) {
      if (error instanceof BerthError) return [];
      throw error;
    }
  });
}
