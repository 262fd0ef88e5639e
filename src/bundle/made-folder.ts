/** Folders that bundles are made in. Nothing outside of them is touched, wherever links in them lead. */
import { mkdir, readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { diskFull } from "../host/download-failure.js";
import { BerthError, messageOf, systemCode } from "../lib/errors.js";

/**
 * Makes a folder and those above it. Node's own `recursive` never ends where a folder is there and the system says that
 * it is not, as `/proc` does.
 *
 * @throws BerthError `usage` for a path that is no folder; system errors
 */
export async function makeFolder(path: string): Promise<void> {
  if (await isFolder(path)) return;
  await makeFolder(dirname(path));
  try {
    await mkdir(path);
  } catch (error) {
    if (systemCode(error) !== "EEXIST" || !(await isFolder(path))) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "") && dirname(path) !== path) return false;
    throw error;
  }
  throw new BerthError("usage", {
    where: path,
    what: "a bundle is made in a folder",
    got: "a file, or something else",
    expected: "a folder, or a path where nothing is yet",
  });
}

/** Of what is begun nothing leads elsewhere, and nothing waits for a reader. */
export async function assertNoLinks(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const odd = entries.find((entry) => !entry.isFile() && !entry.isDirectory());
  if (odd !== undefined) throw notPlain(join(odd.parentPath, odd.name), odd.isSymbolicLink(), "a file or a folder");
}

export function notPlain(path: string, isLink: boolean, expected: string): BerthError {
  return new BerthError("host-foreign", {
    where: path,
    what: `a part of the bundle is not ${expected}`,
    got: isLink ? "a symbolic link" : "something else",
    expected,
    hint: "take a folder that nobody else has changed, or remove what is there",
  });
}

export function holdsOthers(path: string, names: readonly string[]): BerthError {
  return new BerthError("usage", {
    where: path,
    what: "the folder holds other things than a bundle",
    got: names.slice(0, 5).join(", "),
    expected: "a folder that is empty, does not exist yet, or is a bundle",
  });
}

const refusals = new Set([
  ...["EACCES", "EPERM", "EROFS", "EIO", "ENOENT", "ENOTDIR", "EISDIR", "ENOTEMPTY", "EEXIST"],
  ...["ELOOP", "ENAMETOOLONG", "EINVAL", "EFBIG", "EMFILE", "ENOTSUP", "EOPNOTSUPP", "ENXIO", "EBUSY", "ESTALE"],
]);

/** What a file system said, as an error of whoever named the folder; anything else as it is. */
export function explainFolder(path: string, error: unknown): unknown {
  const code = error instanceof BerthError ? undefined : (systemCode(error) ?? "");
  if (code === "ENOSPC" || code === "EDQUOT") return diskFull(path);
  if (code === undefined || !refusals.has(code)) return error;
  return new BerthError("usage", {
    where: path,
    what: "a bundle cannot be made in this folder",
    got: messageOf(error),
    expected: "a folder that can be written",
    cause: error,
  });
}
