import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import { lintBackend, type Finding } from "../catalog/backend-lint.js";
import { namedFiles } from "../catalog/named-file.js";
import { backendFolders } from "../install/content.js";
import { BerthError } from "../lib/errors.js";
import { printable } from "../lib/printable.js";
import { shown } from "../lib/shown.js";
import { readAcceleratorTypes } from "../lock/runner-files.js";
import type { BackendOverlay } from "../schema/backend.js";
import { backendFilesIn, readBackend, readOver, satisfiesOf } from "./backend-files.js";
import { packageRoot, type Workplace } from "./workplace.js";

interface Remark {
  readonly severity: "problem" | "note";
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

/**
 * Prints what is wrong with backend files: those given, else the project's.
 *
 * @throws BerthError `file-invalid` when there is a problem, after all of them are printed
 */
export function lintBackends(workplace: Workplace, files: readonly string[]): void {
  const { root } = workplace;
  const folder = join(root, "backends");
  const paths =
    files.length > 0
      ? files.map((file) => resolve(file))
      : [...backendFilesIn(folder), ...backendFilesIn(join(folder, "community"))];
  let problems = 0;
  for (const path of paths) {
    const name = shown(root, path);
    for (const { severity, line, column, text } of lintFile(root, path, name)) {
      if (severity === "problem") problems += 1;
      workplace.print(`${name}:${line}:${column}: ${severity === "note" ? "note: " : ""}${text}`);
    }
  }
  if (problems > 0) throw new BerthError("file-invalid", { what: `problems in backend files: ${problems}` });
  workplace.note(`${paths.length} backend files, no problems`);
}

function lintFile(root: string, path: string, name: string): Remark[] {
  const read = tryRead(name, () => readBackend(path, name, readAcceleratorTypes(root, packageRoot)));
  if (Array.isArray(read)) return read;
  const { value, written, remarks, locate } = read.document;
  const own = remarks.map(({ kind, line, column, text }): Remark => {
    return { severity: kind === "refused" ? "problem" : "note", line, column, text: printable(text) };
  });
  const backend = tryRead(name, () => readOver(root, path, read.document));
  if (Array.isArray(backend)) return [...own, ...backend];
  const versions = Object.keys(value.versions ?? {});
  // Other fields are those of the versions below too.
  const changesAll = Object.keys(written ?? {}).some((field) => !["schemaVersion", "name", "versions"].includes(field));
  const affected = changesAll ? Object.keys(backend.versions) : versions;
  const found = [
    ...lintBackend(backend, versions, satisfiesOf(backend), affected),
    ...lintFiles(root, dirname(path), value),
  ].map(({ path: part, severity, text }): Remark => ({ severity, ...locate(part), text }));
  return [...own, ...found].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Files that versions name, and that are neither beside the file nor in a `backends` folder. */
function lintFiles(root: string, folder: string, { versions = {} }: BackendOverlay): Finding[] {
  const folders = [folder, ...backendFolders(root, packageRoot)];
  return Object.entries(versions).flatMap(([version, entry]) =>
    namedFiles(entry)
      .filter(({ file }) => !folders.some((one) => existsSync(join(one, file))))
      .map(({ file, path }): Finding => {
        const text = `there is no file ${file} beside this one`;
        return { path: ["versions", version, ...path], severity: "problem", text };
      }),
  );
}

/** The file, or the problems for which it cannot be read. */
function tryRead<T>(name: string, read: () => T): T | Remark[] {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof BerthError) || error.code === "file-not-found") throw error;
    return `\n${error.message}`
      .split(`\n${name}:`)
      .slice(1)
      .map((problem): Remark => {
        const [, line = "1", column = "1", text = problem] = /^(\d+):(\d+): ([^]*)$/.exec(problem) ?? [];
        return { severity: "problem", line: Number(line), column: Number(column), text: text.trim() };
      });
  }
}
