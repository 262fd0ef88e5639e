import { readFileSync } from "node:fs";
import { join } from "node:path";

import { readBackendDocument, type BackendText } from "../../../src/lock/backend-document.js";
import { backendFile, type BackendFile } from "../../../src/schema/backend.js";
import { repository } from "./repository.js";

/** A file of `test/fixtures/reference-format`, by its name without `.yaml`. */
export function referenceText(name: string): string {
  return readFileSync(join(repository, "test", "fixtures", "reference-format", `${name}.yaml`), "utf8");
}

/** The same file, read as a whole backend. */
export function referenceBackend(name: string): BackendText & { value: BackendFile } {
  const document = readBackendDocument(referenceText(name), `${name}.yaml`);
  return { ...document, value: backendFile.parse(document.written) };
}
