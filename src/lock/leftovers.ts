import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { abandonedSeconds } from "./lock-commit.js";

/** A file that a command left beside a lock when it was killed while it wrote it. */
export interface Leftover {
  /** Its name, in the lock's folder. */
  readonly name: string;
  readonly leftAt: Date;
}

/** What was left beside a lock, by names; what somebody writes right now is not. */
export async function findLeftovers(lockPath: string, now: Date): Promise<Leftover[]> {
  const folder = dirname(lockPath);
  const names = await readdir(folder).catch(() => []);
  const own = names.filter((name) => name.startsWith(`${basename(lockPath)}.`) && /\.(?:next|tmp)$/.test(name)).sort();
  const found = await Promise.all(
    own.map(async (name) => ({ name, leftAt: (await stat(join(folder, name)).catch(() => undefined))?.ctime })),
  );
  return found.flatMap(({ name, leftAt }) =>
    leftAt === undefined || now.getTime() - leftAt.getTime() < abandonedSeconds * 1000 ? [] : [{ name, leftAt }],
  );
}

/** What a leftover means. Pure. */
export function describeLeftover({ leftAt }: Leftover): string {
  return `left at ${leftAt.toISOString()} by a command that was killed while it wrote the lock; the lock is whole, that command's or the one before`;
}
