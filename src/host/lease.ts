import type { Clock } from "../lib/clock.js";
import { Serial } from "../lib/serial.js";
import { SeenClaims } from "./claim-files.js";
import type { Host, HostReference } from "./host.js";
import { acquireHostLock, lockHeartbeatSeconds, type HeldLock, type LockHolder } from "./lock.js";

/** Who takes host locks: one process of one machine. */
export interface LeaseOptions {
  readonly machine: string;
  readonly process: string;
  readonly clock: Clock;
  readonly isAlive: (process: string) => Promise<boolean>;
  readonly newId: () => string;
  readonly waitSeconds: number;
  readonly onWait: (host: Host, holder: LockHolder) => void;
}

interface Lease {
  users: number;
  lock: HeldLock;
  heartbeat: NodeJS.Timeout;
  readonly seenClaims: SeenClaims;
}

/**
 * The host locks of this process. Operations that run beside each other on one host share its lock; the last one
 * gives it back.
 */
export class HostLeases {
  readonly #options: LeaseOptions;
  readonly #leases = new Map<string, Lease>();
  readonly #serial = new Serial();

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** Runs an action while this process holds the lock of the host. What it sees of claims holds as long. */
  async use<T>(
    host: Host,
    reference: HostReference,
    owner: string,
    signal: AbortSignal,
    action: (seenClaims: SeenClaims) => Promise<T>,
  ): Promise<T> {
    const key = `${reference.name} ${reference.dataDir}`;
    const { seenClaims } = await this.#serial.run(key, () => this.#enter(key, host, reference, owner, signal));
    try {
      return await action(seenClaims);
    } finally {
      await this.#serial.run(key, () => this.#leave(key));
    }
  }

  /** Resolves once no lock is held. */
  async whenIdle(): Promise<void> {
    while (this.#leases.size > 0) await this.#options.clock.sleep(0.1);
  }

  async #enter(
    key: string,
    host: Host,
    { dataDir }: HostReference,
    owner: string,
    signal: AbortSignal,
  ): Promise<Lease> {
    const present = this.#leases.get(key);
    if (present !== undefined) {
      present.users += 1;
      return present;
    }
    const { machine, process, clock, isAlive, newId, waitSeconds, onWait } = this.#options;
    const lock = await acquireHostLock(host, dataDir, {
      id: newId(),
      owner,
      machine,
      process,
      clock,
      isAlive,
      waitSeconds,
      signal,
      onWait: (holder) => onWait(host, holder),
    });
    const heartbeat = setInterval(() => {
      lock.beat().catch(() => undefined);
    }, lockHeartbeatSeconds * 1000);
    heartbeat.unref();
    const lease = { users: 1, lock, heartbeat, seenClaims: new SeenClaims() };
    this.#leases.set(key, lease);
    return lease;
  }

  async #leave(key: string): Promise<void> {
    const lease = this.#leases.get(key);
    if (lease === undefined) return;
    lease.users -= 1;
    if (lease.users > 0) return;
    this.#leases.delete(key);
    clearInterval(lease.heartbeat);
    await lease.lock.release();
  }
}
