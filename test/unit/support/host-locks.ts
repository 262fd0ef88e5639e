import type { LockHolder, LockRequest } from "../../../src/host/lock.js";
import { FakeClock } from "./fake-clock.js";
import { MemoryHost } from "./memory-host.js";

export const dataDir = "/data";
export const lockFile = "/data/lock.json";

/** What somebody asks for who does not wait. */
export function requestBy(who: string, changes: Partial<LockRequest> = {}): LockRequest {
  return {
    id: `id-of-${who}`,
    owner: `berth/${who}`,
    machine: "here",
    process: "100:1",
    clock: new FakeClock(),
    isAlive: () => Promise.resolve(true),
    waitSeconds: 0,
    ...changes,
  };
}

/** A host on which somebody holds the lock since the beginning of the clock's time. */
export function hostHeldBy(holder: Partial<LockHolder>): MemoryHost {
  const host = new MemoryHost();
  const whole = {
    id: "id-of-other",
    owner: "berth/other",
    machine: "here",
    process: "7:1",
    heartbeatAt: "2026-01-01T00:00:00.000Z",
  };
  host.files.set(lockFile, `${JSON.stringify({ ...whole, ...holder })}\n`);
  return host;
}
