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

/**
 * Undefined when there is no lock.
 *
 * @param isPromoted whether its releases come from another environment's lock, so that it cannot be solved anew
 * @throws BerthError `lock-incompatible` when it cannot be read
 */
export async function readLock(
  path: string,
  shownPath: string,
  isPromoted: () => boolean = () => false,
): Promise<LockFile | undefined> {
  let text = "";
  try {
    text = await readFile(path, "utf8");
    return parseLock(text, shownPath);
  } catch (error) {
    refuseUnreadable(error, { shownPath, text, isPromoted });
    return undefined;
  }
}

/** {@link readLock} with the lock's text, for those who cannot wait. */
export function readLockNow(
  path: string,
  shownPath: string,
  isPromoted: () => boolean = () => false,
): { readonly lock: LockFile | undefined; readonly text: string | undefined } {
  let text = "";
  try {
    text = readFileSync(path, "utf8");
    return { lock: parseLock(text, shownPath), text };
  } catch (error) {
    refuseUnreadable(error, { shownPath, text, isPromoted });
    return { lock: undefined, text: undefined };
  }
}

function parseLock(text: string, shownPath: string): LockFile {
  return parseYaml(text, shownPath, lockFile, largestLockBytes);
}

interface Unreadable {
  readonly shownPath: string;
  readonly text: string;
  readonly isPromoted: () => boolean;
}

function refuseUnreadable(error: unknown, { shownPath, text, isPromoted }: Unreadable): void {
  if (systemCode(error) === "ENOENT") return;
  if (!(error instanceof BerthError) && systemCode(error) === undefined) throw error;
  const kind = /^<{7} /m.test(text) && /^>{7} /m.test(text) ? "unmerged" : "unreadable";
  throw new BerthError("lock-incompatible", {
    where: shownPath,
    ...(isPromoted() ? ofPromoted : ofSolved)[kind](shownPath),
    detail: messageOf(error),
    cause: error,
  });
}

type Explanation = (shownPath: string) => { readonly what: string; readonly hint: string };

const unreadable = "the lock cannot be read by this version of Berth";
const unmerged = "the lock has the marks of a merge that is not resolved";
const oneSide = (shownPath: string) =>
  `take one side whole, by \`git checkout --ours -- ${shownPath}\` or with \`--theirs\``;

const ofSolved: Readonly<Record<"unreadable" | "unmerged", Explanation>> = {
  unreadable: () => ({
    what: unreadable,
    hint: "restore it, or run `berth lock` to solve the stack anew; what it decided before is then lost, ports too",
  }),
  unmerged: (shownPath) => ({ what: unmerged, hint: `${oneSide(shownPath)}, and run \`berth lock\`` }),
};

/** Its releases stand nowhere else: nobody can solve it anew. */
const ofPromoted: typeof ofSolved = {
  unreadable: () => ({ what: unreadable, hint: "restore it from version control, or promote again" }),
  unmerged: (shownPath) => ({
    what: unmerged,
    hint: `${oneSide(shownPath)}, keep the records of both in \`promotions\`, and promote again what the other side brought`,
  }),
};

export async function writeLock(path: string, lock: LockFile): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, formatLock(lock));
  await rename(temporary, path);
}
