/** What a plan is made of: what Pulumi's preview told, and what hosts told. */
import type { HostReport } from "../../schema/facts.js";
import type { LockFile } from "../../schema/lock.js";
import type { PlacedMemory } from "../../schema/placement.js";
import type { PlannedObject, PlannedStrategy } from "../../schema/plan.js";
import type { HostStores } from "./stores.js";

/** An object of the preview, changed or not. */
export interface SeenObject extends PlannedObject {
  /** Fields that differ; of a secret none. */
  readonly fields: readonly string[];
  /** Of an instance. */
  readonly instance?: SeenInstance;
  /** Of a model that is on a host: its identity and its size. */
  readonly model?: { readonly sha256: string; readonly bytes: number };
}

export interface SeenInstance {
  readonly before?: SeenReplica;
  readonly after?: SeenReplica;
  readonly strategy?: PlannedStrategy;
}

/** An instance as it is, or as it is to be. */
export interface SeenReplica {
  readonly deployment: string;
  readonly host: string;
  readonly devices: readonly string[];
  readonly memory?: PlacedMemory;
  /** Backend and version. */
  readonly version: string;
  readonly backend: string;
  readonly modelSha256: string;
  readonly argv: readonly string[];
  /** Its port, and those of its runners. */
  readonly ports: readonly number[];
}

/** All that a plan is made of. */
export interface Seen {
  readonly stack: string;
  readonly lock: LockFile;
  readonly lockPath: string;
  /** Identity of the lock in the file. */
  readonly lockBefore: string | undefined;
  /** Whether an `up` would write the file anew. */
  readonly isNewLock: boolean;
  /** Why the lock was solved anew; undefined where the file holds. */
  readonly reason: string | undefined;
  readonly choices: readonly string[];
  readonly warnings: readonly string[];
  /** All objects of the preview. */
  readonly objects: readonly SeenObject[];
  /** False where Pulumi has no such stack yet: then everything is new, and nothing was asked of the hosts for it. */
  readonly hasState: boolean;
  /** The hosts of the lock as they are now. */
  readonly hosts: Readonly<Record<string, HostReport>>;
  /** What of downloads the hosts have, of those that were looked at. */
  readonly stores: HostStores;
  /** What Pulumi warned of. */
  readonly notes: readonly string[];
  readonly projectRoot: string;
}
