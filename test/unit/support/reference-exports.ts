import { readFileSync } from "node:fs";
import { join } from "node:path";

import { readReferenceExport, type ReferenceItem } from "../../../src/catalog/reference-export.js";
import { repository } from "./repository.js";

/** The path of a file of `test/fixtures/reference-export`, by its name without `.json`. */
export function exportPath(name: string): string {
  return join(repository, "test", "fixtures", "reference-export", `${name}.json`);
}

/** What such files hold. */
export function exportedItems(...names: string[]): ReferenceItem[] {
  return names.flatMap((name) => readReferenceExport(JSON.parse(readFileSync(exportPath(name), "utf8")), name));
}

export const oldExport = ["synthetic-v0.4-model", "synthetic-v0.7-models", "synthetic-v0.7-workers"];
export const newExport = ["synthetic-v2-backends", "synthetic-v2-models", "synthetic-v2-workers"];
