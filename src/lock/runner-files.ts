import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

import { assembleRunners, type RunnerCatalogue, type RunnerDocument } from "../catalog/runner-catalogue.js";
import { BerthError, systemCode } from "../lib/errors.js";
import { shown } from "../lib/shown.js";
import { parseYaml } from "../schema/document.js";
import { runnerFile } from "../schema/runner.js";

/** The runner images that Berth knows, with a project's own accelerator types in the place of Berth's. */
export function readRunners(root: string, packageRoot: string): RunnerCatalogue {
  const builtIn = readFolder(packageRoot, root);
  const own = root === packageRoot ? [] : readFolder(root, root);
  const replaced = new Set(own.map(({ file }) => file.acceleratorType));
  return assembleRunners([...builtIn.filter(({ file }) => !replaced.has(file.acceleratorType)), ...own]);
}

/** Each file has the name of its accelerator type. */
function readFolder(owner: string, root: string): RunnerDocument[] {
  const folder = join(owner, "backends", "runners");
  const paths = namesIn(folder)
    .filter((name) => name.endsWith(".yaml"))
    .sort()
    .map((name) => join(folder, name));
  return paths.map((path) => {
    const where = shown(root, path);
    const file = parseYaml(readFileSync(path, "utf8"), where, runnerFile);
    if (`${file.acceleratorType}.yaml` === basename(path)) return { file, where };
    throw new BerthError("file-invalid", {
      what: "the file has another name than its accelerator type",
      where,
      expected: `${file.acceleratorType}.yaml`,
    });
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}
