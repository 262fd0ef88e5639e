import { posix } from "node:path";

import { sha256 } from "../lib/canonical.js";

/** 104 bytes on macOS with the closing NUL; programs first bind to a name that is longer by their process id. */
const longestSocketPath = 92;

/** The folder for a socket of a folder's owner: a longer path than the system takes lies among its temporary files. */
export function socketFolder(folder: string, name: string): string {
  const fits = Buffer.byteLength(posix.join(folder, name)) <= longestSocketPath;
  return fits ? folder : posix.join("/tmp", `berth-${sha256(folder).slice(0, 16)}`);
}
