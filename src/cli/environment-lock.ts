import { resolve } from "node:path";

import { BerthError } from "../lib/errors.js";
import { shown } from "../lib/shown.js";
import { environmentOf } from "../lock/environment.js";
import { lockPath, readLock } from "../lock/lock-file.js";
import { readEnvironments } from "../lock/project.js";
import type { LockFile } from "../schema/lock.js";
import { stackFileOf } from "./workplace.js";

/** The lock of an environment as it is; undefined when there is none. Whether it holds is not asked. */
export async function readEnvironmentLock(root: string, environment: string): Promise<LockFile | undefined> {
  const path = lockPath(resolve(root, stackFileOf(root, environment)));
  return readLock(
    path,
    shown(root, path),
    () => environmentOf(readEnvironments(root), environment)?.predecessor !== undefined,
  );
}

/** @throws BerthError `lock-missing` when there is none */
export async function expectEnvironmentLock(root: string, environment: string): Promise<LockFile> {
  const lock = await readEnvironmentLock(root, environment);
  if (lock !== undefined) return lock;
  throw new BerthError("lock-missing", {
    where: shown(root, lockPath(resolve(root, stackFileOf(root, environment)))),
    what: `environment ${environment} has no lock`,
    hint: `run \`berth lock ${environment}\`, or name another environment`,
  });
}
