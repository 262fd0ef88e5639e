import { join, resolve } from "node:path";

import { lintBackend } from "../catalog/backend-lint.js";
import { assembleCatalogue, type Catalogue } from "../catalog/catalogue.js";
import { BerthError } from "../lib/errors.js";
import { printable } from "../lib/printable.js";
import { lookUp } from "../lib/record.js";
import { readCatalogue, shown } from "../lock/project.js";
import { backendFilesIn, readBackend, satisfies } from "./backend-files.js";
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
  const builtIn = readCatalogue(packageRoot, packageRoot);
  let problems = 0;
  for (const path of paths) {
    const name = shown(root, path);
    for (const { severity, line, column, text } of lintFile(path, name, builtIn)) {
      if (severity === "problem") problems += 1;
      workplace.print(`${name}:${line}:${column}: ${severity === "note" ? "note: " : ""}${text}`);
    }
  }
  if (problems > 0) throw new BerthError("file-invalid", { what: `problems in backend files: ${problems}` });
  workplace.note(`${paths.length} backend files, no problems`);
}

function lintFile(path: string, name: string, builtIn: Catalogue): Remark[] {
  const read = tryRead(name, () => readBackend(path, name));
  if (Array.isArray(read)) return read;
  const { value, written, remarks, locate } = read.document;
  const own = remarks.map(({ kind, line, column, text }): Remark => {
    return { severity: kind === "refused" ? "problem" : "note", line, column, text: printable(text) };
  });
  const below = lookUp(builtIn.written, value.name);
  const document = { name: value.name, source: "project", where: name } as const;
  const merged = tryRead(name, () =>
    assembleCatalogue(
      [...(below === undefined ? [] : [{ ...document, written: below }]), { ...document, written, locate }],
      {},
    ),
  );
  if (Array.isArray(merged)) return [...own, ...merged];
  const backend = lookUp(merged.backends, value.name);
  if (backend === undefined) throw new Error(`the catalogue lost ${value.name}`);
  const versions = Object.keys(value.versions ?? {});
  const found = lintBackend(backend, versions, satisfies).map(({ path: part, severity, text }): Remark => ({
    severity,
    ...locate(part),
    text,
  }));
  return [...own, ...found].sort((a, b) => a.line - b.line || a.column - b.column);
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
