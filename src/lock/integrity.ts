/** Whether a lock is what was solved. Pure. */
import { digest } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import type { LockFile } from "../schema/lock.js";

/** Digest of what was decided. Facts and usage are left out: they are what was seen. */
export function lockId({ release, preload, placement }: Pick<LockFile, "release" | "preload" | "placement">): string {
  const hosts = Object.entries(placement.hosts).map(([name, host]) => {
    const { facts: _facts, usage: _usage, ...decided } = host;
    return [name, decided] as const;
  });
  const promotable = { release, ...(preload === undefined ? {} : { preload }) };
  return digest({ ...promotable, placement: { ...placement, hosts: Object.fromEntries(hosts) } });
}

/** The parts of a lock that somebody has changed since it was solved; none when it is whole. */
export function findEdits(lock: LockFile): string[] {
  if (lockId(lock) === lock.id) return [];
  const releases = Object.entries(lock.release).filter(([, { id, ...rest }]) => id !== digest(rest));
  const edited = releases.map(([name]) => `release of deployment ${name}`);
  return edited.length > 0 ? edited : ["placement, or which releases there are"];
}

export function editedLock(path: string, edits: readonly string[]): BerthError {
  return new BerthError("lock-edited", {
    where: path,
    what: "the lock is not what was solved: it was changed by hand, or by a merge",
    got: `another ${edits.join(", ")}`,
    expected: "the file as `berth lock` or `berth promote` wrote it",
    hint: "take it back from version control; then change the stack file and run `berth lock`, or promote again",
  });
}
