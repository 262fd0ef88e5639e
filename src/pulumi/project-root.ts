import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The folder of `Pulumi.yaml`, from a folder upwards; the folder itself when there is none. */
export function findProjectRoot(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (["Pulumi.yaml", "Pulumi.yml"].some((file) => existsSync(join(folder, file)))) return folder;
    if (folder === dirname(folder)) return from;
  }
}
