import type { HostClaim } from "../../../src/schema/facts.js";
import { SeenClaims } from "../../../src/host/claim-files.js";
import { findRivals, findUnclaimed, releaseClaims, reserveClaims, takeClaims } from "../../../src/host/claims.js";
import type { Host } from "../../../src/host/host.js";
import { BerthError } from "../../../src/lib/errors.js";
import { Serial } from "../../../src/lib/serial.js";

export const deviceBytes = 80;

/** One turn of an owner: it wants a device, whole or a part, with or without the host lock, and gives it back later. */
export interface Turn {
  readonly instance: string;
  /** Undefined for the whole device. */
  readonly bytes: number | undefined;
  readonly underLock: boolean;
}

/** Owners that come and go on one device of a host, each with a process of its own. */
export class ClaimOwners {
  readonly #host: Host;
  readonly #dataDir: string;
  readonly #lock = new Serial();
  readonly #held = new Map<string, HostClaim>();
  /** Any moment at which two had what only one can have. */
  readonly violations: string[] = [];
  /** How often somebody got what it wanted. */
  gained = 0;

  constructor(host: Host, dataDir: string) {
    this.#host = host;
    this.#dataDir = dataDir;
  }

  /** @param pause is awaited while it has what it wanted */
  async run(owner: string, turns: readonly Turn[], pause: () => Promise<unknown>): Promise<void> {
    for (const turn of turns) {
      const claim = claimOf(owner, turn);
      const holder = `${owner} ${turn.instance}`;
      if (await (turn.underLock ? this.#take(claim) : this.#reserve(claim))) {
        this.gained += 1;
        this.#held.set(holder, claim);
        this.#check();
        await pause();
        this.#held.delete(holder);
      }
      await this.#underLock(() =>
        releaseClaims(
          { ...this.#place(), seen: new SeenClaims() },
          (other) => other.owner === owner && other.instance === turn.instance,
        ),
      );
    }
  }

  async #reserve(claim: HostClaim): Promise<boolean> {
    const conflicts = await reserveClaims(this.#place(), [claim]);
    return conflicts.length === 0 && (await findUnclaimed(this.#place(), [claim])).length === 0;
  }

  #take(claim: HostClaim): Promise<boolean> {
    return this.#underLock(async () => {
      if ((await findRivals(this.#place(), [claim])).length > 0) return false;
      try {
        await takeClaims({ ...this.#place(), seen: new SeenClaims() }, [claim]);
        return true;
      } catch (error) {
        if (error instanceof BerthError && error.code === "already-claimed") return false;
        throw error;
      }
    });
  }

  #underLock<T>(action: () => Promise<T>): Promise<T> {
    return this.#lock.run("host", action);
  }

  #place() {
    return {
      ...{ host: this.#host, dataDir: this.#dataDir, now: new Date("2026-01-01T00:00:00.000Z") },
      roomOf: () => deviceBytes,
    };
  }

  #check(): void {
    const held = [...this.#held.values()].map((claim) => ("bytes" in claim ? (claim.bytes ?? Infinity) : Infinity));
    const sum = held.reduce((all, bytes) => all + bytes, 0);
    if (held.length > 1 && sum > deviceBytes) this.violations.push([...this.#held.keys()].join(", "));
  }
}

function claimOf(owner: string, { instance, bytes }: Turn): HostClaim {
  const device = { device: "GPU-1", owner, instance };
  return bytes === undefined ? device : { ...device, bytes };
}
