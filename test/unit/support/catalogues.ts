import type { z } from "zod";

import type { Catalogue } from "../../../src/catalog/catalogue.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { backendFile } from "../../../src/schema/backend.js";

type WrittenBackend = z.input<typeof backendFile>;

/** A backend `engine` with the versions 1.0 and 2.0. */
export function engineBackend(changes: Partial<WrittenBackend> = {}) {
  const install = (version: string) => ({
    pipx: { package: "engine", requirements: `engine/${version}.txt`, launcher: "engine/launcher.py" },
  });
  return backendFile.parse({
    schemaVersion: 1,
    name: "engine",
    defaultVersion: "2.0",
    healthPath: "/health",
    env: { LEVEL: "backend", ONLY_BACKEND: "1" },
    runCommand: "serve {{model_path}} --alias {{model_name}} --host {{worker_ip}} --port {{port}}",
    defaultParameters: ["--fast"],
    contextLengthFlag: "--ctx-size",
    ownedFlags: ["--port", "--host", "-m"],
    apiKeyVariable: "ENGINE_KEY",
    versions: { "1.0": { install: install("1.0") }, "2.0": { install: install("2.0"), env: { LEVEL: "version" } } },
    ...changes,
  });
}

/** Files are as good as their names here: each one's content is its own path. */
export function catalogueOf(
  backends: readonly ReturnType<typeof engineBackend>[] = [engineBackend()],
  files: readonly string[] = ["engine/1.0.txt", "engine/2.0.txt", "engine/launcher.py"],
): Catalogue {
  return {
    backends: Object.fromEntries(backends.map((backend) => [backend.name, backend])),
    written: Object.fromEntries(backends.map((backend) => [backend.name, backend])),
    sources: Object.fromEntries(
      backends.map(({ name, versions }) => [
        name,
        Object.fromEntries(Object.keys(versions).map((version) => [version, "project"])),
      ]),
    ),
    files: Object.fromEntries(files.map((file) => [file, sha256(file)])),
    unread: [],
  };
}
