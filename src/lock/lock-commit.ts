import { randomBytes } from "node:crypto";
import { link, readFile, rename, rm, stat, writeFile } from "node:fs/promises";

import { BerthError, systemCode } from "../lib/errors.js";
import type { LockFile } from "../schema/lock.js";
import { formatLock } from "./lock-file.js";

/** To write a lock takes milliseconds: who has begun to and not ended for so long was killed. */
export const abandonedSeconds = 60;

export interface LockCommit {
  /** Of the lock. */
  readonly path: string;
  readonly shownPath: string;
  /** The text that the new lock was worked out from; undefined when there was none. */
  readonly before: string | undefined;
  readonly lock: LockFile;
  /** What has to be written down before the lock counts. */
  readonly record: () => Promise<void>;
  readonly now: () => Date;
}

/**
 * Puts a lock in the place of the one that it was worked out from. Two who do so at once have one winner; whoever is
 * killed leaves the old lock or the new one.
 *
 * @throws BerthError `promotion-conflict` when the lock is another one by now, or somebody else is writing it
 */
export async function commitLock({ path, shownPath, before, lock, record, now }: LockCommit): Promise<void> {
  const next = `${path}.next`;
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  await writeFile(temporary, formatLock(lock), { flush: true });
  try {
    await claim(temporary, next, shownPath, now);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  try {
    if ((await readText(path)) !== before) throw conflict(shownPath, "the lock was written since this command read it");
    await record();
    // Who took this command for killed has its own there.
    if (!(await isSame(temporary, next))) throw conflict(shownPath, "another command is writing the lock");
    await rename(next, path);
  } catch (error) {
    if (await isSame(temporary, next)) await rm(next, { force: true });
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function isSame(one: string, other: string): Promise<boolean> {
  const [first, second] = await Promise.all([one, other].map((path) => stat(path).catch(() => undefined)));
  return first !== undefined && first.ino === second?.ino;
}

/** The text of a lock, to be compared with; undefined when there is none. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Of several who link a file to one name, one does. */
async function claim(temporary: string, next: string, shownPath: string, now: () => Date): Promise<void> {
  for (;;) {
    try {
      await link(temporary, next);
      return;
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
      const begunAt = await modifiedAt(next);
      if (begunAt !== undefined && now().getTime() - begunAt < abandonedSeconds * 1000)
        throw conflict(shownPath, "another command is writing the lock");
      await rm(next, { force: true });
    }
  }
}

async function modifiedAt(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ctimeMs;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function conflict(shownPath: string, what: string): BerthError {
  return new BerthError("promotion-conflict", {
    where: shownPath,
    what,
    hint: "look at what it has now (`berth history`), and promote again if that is still wanted",
  });
}
