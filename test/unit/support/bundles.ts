import { digest, sha256 } from "../../../src/lib/canonical.js";
import { promotableDigest } from "../../../src/lock/promotion.js";
import { recordMove } from "../../../src/lock/promotion-record.js";
import type { LockedDeployment, LockedPreload, Promotable } from "../../../src/schema/lock.js";
import type { PromotionRecord } from "../../../src/schema/promotion.js";

/** A bundle: equal versions and changes give equal ids. */
export function bundleOf(backendVersion: string, changes: Partial<LockedDeployment> = {}): LockedDeployment {
  const { id: _, ...rest } = {
    id: "",
    backend: "engine",
    backendVersion,
    install: { method: "manual" as const },
    model: { from: { source: "file" as const, path: "/srv/m.gguf" }, file: "m.gguf", sha256: sha256("m") },
    runCommand: "{{executable}} serve --port {{port}}",
    parameters: ["--ctx-size", "8192"],
    env: {},
    healthPath: "/health",
    ...changes,
  };
  return { id: digest(rest), ...rest };
}

export function readyOf(backendVersion: string): LockedPreload {
  return { engine: { backend: "engine", backendVersion, install: { method: "manual" } } };
}

/** What is promotable where deployments, and what lies ready, have these versions. */
export function promotableOf(
  deployments: Readonly<Record<string, string>>,
  ready: Readonly<Record<string, string>> = {},
): Promotable {
  const preload = Object.entries(ready).map(([name, version]) => [name, readyOf(version)] as const);
  return {
    release: Object.fromEntries(Object.entries(deployments).map(([name, version]) => [name, bundleOf(version)])),
    ...(preload.length === 0 ? {} : { preload: Object.fromEntries(preload) }),
  };
}

/** An environment whose promotions and rollbacks are recorded one minute after the other. */
export class RecordedEnvironment {
  readonly records: PromotionRecord[] = [];
  now: Promotable | undefined;
  #minutes = 0;

  constructor(now?: Promotable) {
    this.now = now;
  }

  /** Writes the record and the lock; without the lock when the command is killed between the two. */
  move(
    after: Promotable,
    { kind = "promotion", unhealthy = [], isKilled = false, minute = this.#minutes++, evidence }: MoveChanges = {},
  ): PromotionRecord | undefined {
    const present = Object.keys(this.now?.release ?? {});
    const record = recordMove({
      kind,
      at: new Date(Date.UTC(2026, 10, 22, 15, minute)),
      by: { name: "Ada", email: "ada@example.net" },
      from: kind === "rollback" ? "prod" : "staging",
      to: "prod",
      dirty: false,
      forced: [],
      ...(evidence === undefined ? {} : { evidence }),
      before: this.now,
      after,
      applied: new Set(present.filter((name) => !unhealthy.includes(name))),
    });
    if (record !== undefined) this.records.push(record);
    if (!isKilled) this.now = after;
    return record;
  }

  get digest(): string | undefined {
    return this.now === undefined ? undefined : promotableDigest(this.now);
  }
}

interface MoveChanges {
  /** Digest of what it relied on. */
  readonly evidence?: string;
  readonly kind?: "promotion" | "rollback";
  /** Deployments whose bundle was not applied and healthy when it was replaced. */
  readonly unhealthy?: readonly string[];
  readonly isKilled?: boolean;
  /** When, as a clock that is wrong has it. */
  readonly minute?: number;
}
