import { readFileSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { stringify } from "yaml";

import { BerthError, messageOf, systemCode } from "../lib/errors.js";
import { parseYaml } from "../schema/document.js";
import { lockFile, type LockFile } from "../schema/lock.js";

const header = `# Written by \`berth lock\` from the stack file of the same name. Commit it; do not edit it.\n`;

/** Locks are written by Berth and grow with the stack. */
const largestLockBytes = 50_000_000;

/** `stacks/dev.yaml` has `stacks/dev.lock.yaml`. */
export function lockPath(stackFile: string): string {
  return stackFile.replace(/\.ya?ml$/, "") + ".lock.yaml";
}

/** The text of a lock: sorted, without anchors, the same for the same lock. */
export function formatLock(lock: LockFile): string {
  return header + stringify(lock, { sortMapEntries: true, aliasDuplicateObjects: false, lineWidth: 0 });
}

/** Undefined when there is no lock. */
export async function readLock(path: string, shownPath: string): Promise<LockFile | undefined> {
  try {
    return parseLock(await readFile(path, "utf8"), shownPath);
  } catch (error) {
    refuseUnreadable(error, shownPath);
    return undefined;
  }
}

/** {@link readLock} with the lock's text, for those who cannot wait. */
export function readLockNow(
  path: string,
  shownPath: string,
): { readonly lock: LockFile | undefined; readonly text: string | undefined } {
  try {
    const text = readFileSync(path, "utf8");
    return { lock: parseLock(text, shownPath), text };
  } catch (error) {
    refuseUnreadable(error, shownPath);
    return { lock: undefined, text: undefined };
  }
}

function parseLock(text: string, shownPath: string): LockFile {
  return parseYaml(text, shownPath, lockFile, largestLockBytes);
}

function refuseUnreadable(error: unknown, shownPath: string): void {
  if (systemCode(error) === "ENOENT") return;
  if (error instanceof BerthError || systemCode(error) !== undefined) throw unreadable(shownPath, error);
  throw error;
}

function unreadable(shownPath: string, error: unknown): BerthError {
  return new BerthError("lock-incompatible", {
    where: shownPath,
    what: "the lock cannot be read by this version of Berth",
    hint: "restore it, or run `berth lock` to solve the stack anew; what it decided before is then lost, ports too",
    detail: messageOf(error),
    cause: error,
  });
}

export async function writeLock(path: string, lock: LockFile): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, formatLock(lock));
  await rename(temporary, path);
}
