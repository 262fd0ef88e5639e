import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { backendFile, type BackendFile, type PipxInstall } from "../../src/schema/backend.js";
import { parseYaml } from "../../src/schema/document.js";
import type { LockRequest } from "../../src/lock/python-lock-request.js";
import { repository } from "./toolchain.js";

export const backendsFolder = join(repository, "backends");

/** The backend files that come with Berth, built-in and community ones, by their path below `backends`. */
export function readBackendFiles(): { file: string; backend: BackendFile }[] {
  return ["", "community"].flatMap((folder) =>
    readdirSync(join(backendsFolder, folder))
      .filter((name) => name.endsWith(".yaml"))
      .map((name) => join(folder, name))
      .map((file) => ({ file, backend: parseYaml(readBackendText(file), file, backendFile) })),
  );
}

export function readBackendText(file: string): string {
  return readFileSync(join(backendsFolder, file), "utf8");
}

/** What is locked of a backend version that pipx installs. */
export function lockRequestOf(version: string, pipx: PipxInstall, indexUrl: string | undefined): LockRequest {
  const { extras, pins, constraints, python } = pipx;
  return {
    package: pipx.package,
    version: pipx.packageVersion ?? version.replace(/^v/, ""),
    ...{ extras, pins, constraints, python },
    platforms: pipx.os.flatMap((os) => pipx.arch.map((arch) => ({ os, arch }))),
    indexUrl,
  };
}
