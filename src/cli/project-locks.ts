import { readdir } from "node:fs/promises";
import { resolve } from "node:path";

import { shown } from "../lib/shown.js";
import { lockPath, readLock } from "../lock/lock-file.js";
import type { LockFile } from "../schema/lock.js";
import { stackFileOf } from "./workplace.js";

export interface StackLock {
  readonly stack: string;
  readonly lock: LockFile;
}

/**
 * The locks of all stacks of a project: of the files in `stacks`, and of those that a stack's configuration names.
 *
 * @throws BerthError `lock-incompatible` when one cannot be read: nobody knows then what it wants
 */
export async function readProjectLocks(root: string): Promise<readonly StackLock[]> {
  const names = (files: readonly string[], form: RegExp) => files.flatMap((file) => form.exec(file)?.[1] ?? []);
  const inStacks = names(await readdir(resolve(root, "stacks")).catch(() => []), /^(.+)\.lock\.yaml$/);
  const configured = names(await readdir(root), /^Pulumi\.(.+)\.yaml$/);
  const files = [
    ...[...new Set([...inStacks, ...configured])].map((stack) => [stack, stackFileOf(root, stack)] as const),
    // A stack may have another file than the one that has its name.
    ...inStacks.map((stack) => [stack, `stacks/${stack}.yaml`] as const),
  ];
  const paths = new Map(
    files.map(([stack, file]) => [`${stack} ${file}`, { stack, path: lockPath(resolve(root, file)) }]),
  );
  const found: StackLock[] = [];
  for (const { stack, path } of paths.values()) {
    const lock = await readLock(path, shown(root, path));
    if (lock !== undefined) found.push({ stack, lock });
  }
  return found;
}
