import type { Host } from "../host/host.js";
import { acquireLock, lockHeartbeatSeconds, type LockRequest } from "../host/lock.js";
import type { BundleFolder } from "./folder.js";

/** Who makes a bundle: one run of one process. */
export type BundleMaker = Omit<LockRequest, "waitSeconds" | "onWait" | "signal">;

/**
 * Runs an action while nobody else makes a bundle in the folder. A maker whose process is dead does not count.
 *
 * @throws BerthError `host-busy` when somebody does, whom it names
 */
export async function withFolderLock<T>(
  host: Host,
  folder: BundleFolder,
  maker: BundleMaker,
  action: () => Promise<T>,
): Promise<T> {
  const place = {
    path: folder.lock,
    where: folder.path,
    busy: "another run makes this bundle",
  };
  const lock = await acquireLock(host, place, { ...maker, waitSeconds: 0 });
  const heartbeat = setInterval(() => {
    lock.beat().catch(() => undefined);
  }, lockHeartbeatSeconds * 1000);
  heartbeat.unref();
  try {
    return await action();
  } finally {
    clearInterval(heartbeat);
    await lock.release();
  }
}
