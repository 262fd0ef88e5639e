import { existsSync, mkdtempSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const folders = ["/bin", "/usr/bin"];

/** A new folder, for PATH, with the system's tools but for some. Its path is short. */
export function toolFolderWithout(tools: readonly string[]): string {
  const folder = mkdtempSync("/tmp/bt-");
  for (const from of folders)
    for (const name of readdirSync(from))
      if (!tools.includes(name) && !existsSync(join(folder, name))) symlinkSync(join(from, name), join(folder, name));
  return folder;
}
