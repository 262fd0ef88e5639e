import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { sha256 } from "../../src/lib/canonical.js";
import { serveFiles, type FileServer } from "./file-server.js";
import { repository } from "./toolchain.js";

/** Two builds of a real static llama-server; a checkout without the folder beside it has none. */
const folder = join(repository, "..", "shared", "fixtures");

export const llamaBuilds = ["b11434", "b11435"] as const;
export type LlamaBuild = (typeof llamaBuilds)[number];

function archiveName(build: LlamaBuild): string {
  return `llama-${build}-bin-linux-x64.tar.gz`;
}

export function llamaArchive(build: LlamaBuild): string {
  return join(folder, archiveName(build));
}

/** Whether the tests of real builds can run here. CI has to have them. */
export function hasLlamaBuilds(): boolean {
  return llamaBuilds.every((build) => existsSync(llamaArchive(build)));
}

function releasePath(build: LlamaBuild): string {
  return `/ggml-org/llama.cpp/releases/download/${build}/${archiveName(build)}`;
}

/** A mirror of the builds, with the folders of GitHub below `/tools`. */
export function serveLlamaBuilds(): Promise<FileServer> {
  const archives = llamaBuilds.map((build) => [`/tools${releasePath(build)}`, readFileSync(llamaArchive(build))]);
  return serveFiles(Object.fromEntries(archives) as Record<string, Buffer>);
}

/** A project's `backends/llama-cpp.yaml`, which adds the builds to those that Berth knows. */
export function llamaBuildsFile(): string {
  const versions = llamaBuilds.flatMap((build) => [
    `  ${build}:`,
    "    install:",
    "      binary:",
    "        - os: linux",
    "          arch: x64",
    `          url: https://github.com${releasePath(build)}`,
    `          sha256: ${sha256(readFileSync(llamaArchive(build)))}`,
    `          executable: llama-${build}-bin-linux-x64/llama-server`,
  ]);
  return ["schemaVersion: 1", "name: llama-cpp", "versions:", ...versions, ""].join("\n");
}
