import { existsSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";

/** The folder of `Pulumi.yaml`, from a folder upwards; the folder itself when there is none. */
export function findProjectRoot(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (["Pulumi.yaml", "Pulumi.yml"].some((file) => existsSync(join(folder, file)))) return folder;
    if (folder === dirname(folder)) return from;
  }
}

/**
 * The project's folder as a program knows it: `told` by `pulumi.getRootDirectory()`. The language host 3.68 tells
 * nothing, so that this is the word "rootDirectory"; then it is looked for from the working directory upwards.
 */
export function projectRootOf(told: string, workingDirectory: string): string {
  return findProjectRoot(isAbsolute(told) ? told : workingDirectory);
}
