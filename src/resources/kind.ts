import type { z } from "zod";

import type { SeenClaims } from "../host/claim-files.js";
import type { PythonFacts, SharedFacts } from "../host/facts.js";
import type { Host, HostReference } from "../host/host.js";
import type { Content } from "../install/content.js";
import type { Clock } from "../lib/clock.js";
import type { Log } from "../lib/log.js";
import type { Redact } from "../lib/redact.js";
import type { Serial } from "../lib/serial.js";
import type { ContainerEngine } from "../runtime/container-engine.js";
import type { AcceleratorUses } from "./accelerator-uses.js";
import type { Gateway } from "../runtime/gateway.js";
import type { ModelGateway } from "../runtime/model-gateway.js";
import type { Supervisor } from "../runtime/supervisor.js";

/** What every resource's inputs have. */
export interface CommonInputs {
  /** Unique among the resources of its kind and owner; safe as part of a file name. */
  readonly name: string;
  /** `project/stack` that wants the resource. */
  readonly owner: string;
  readonly host: HostReference;
}

/** What every observation has. */
export interface CommonObserved {
  /** What is not as desired, one sentence each; empty when all is well. */
  readonly drift: readonly string[];
}

/** The world as a resource sees it. */
export interface Context {
  readonly host: Host;
  readonly reference: HostReference;
  readonly clock: Clock;
  /** Aborts when the operation should stop: it is interrupted, or nobody waits for it any more. */
  readonly signal: AbortSignal;
  /** Aborts when nobody waits for the operation any more. Until then what ran before is brought back. */
  readonly gone: AbortSignal;
  readonly log: Log;
  readonly redact: Redact;
  /** Keeps things of one host from being made twice at the same time. */
  readonly serial: Serial;
  readonly content: Content;
  /** A new random identity. */
  readonly newId: () => string;
  readonly facts: () => Promise<SharedFacts>;
  /** The same by a look of its own. */
  readonly lookAgain: () => Promise<SharedFacts>;
  /** Starts one Python after another, so it is for those who need one. */
  readonly findPython: () => Promise<PythonFacts>;
  readonly acceleratorUse: AcceleratorUses;
  readonly supervisor: (runtime: string) => Supervisor;
  readonly containerEngine: () => Promise<ContainerEngine>;
  /** The gateway of an owner on the host. */
  readonly gateway: (owner: string) => Gateway;
  /** The gateway of an owner on the host that routes by model. */
  readonly modelGateway: (owner: string) => ModelGateway;
}

/** A running create, update or delete. */
export interface Operation {
  /** Whether it creates what no run has begun to create, as far as the host's journal tells. */
  readonly isFirst: boolean;
  /**
   * Writes the step into the host's journal, then does it. Nothing on a host changes outside a step. Throws
   * `engine-gone` before the step when nobody waits for the operation any more.
   */
  step<T>(name: string, action: () => Promise<T>): Promise<T>;
  /** The host's claims, as this process sees them while it holds the host lock. */
  readonly seenClaims: SeenClaims;
}

/** What a change of one field means for what runs. */
export type FieldChange = "none" | "update" | "replace" | "replaceDeletingFirst";

export interface FieldRule<Value> {
  /** `none` fields are told to the state when something else changes. */
  readonly change: FieldChange | ((olds: Value, news: Value) => FieldChange);
  /** Shown to people: what the change means. */
  readonly reason: string;
}

/** One rule for each field: leaving one out does not compile. */
export type DifferenceTable<Inputs> = { readonly [Field in keyof Inputs]-?: FieldRule<Inputs[Field]> };

/**
 * One kind of resource, without Pulumi. `observe` reads, `plan` decides (pure), `converge` does, `remove` takes away.
 * All are safe to run again at any time, after any interruption.
 */
export interface ResourceKind<Inputs extends CommonInputs, Observed extends CommonObserved> {
  readonly kind: string;
  readonly inputs: z.ZodType<Inputs>;
  readonly differences: DifferenceTable<Inputs>;
  /** What of the host the resource uses, relative to the data directory; shared things are named alike. */
  uses(inputs: Pick<Inputs, keyof CommonInputs> & Partial<Inputs>): string;
  /** Secrets among the inputs, for redaction. */
  secrets(inputs: Inputs): readonly string[];
  /** Adds inputs that follow from what changes, such as the strategy of an update. Some values may be unknown. */
  derive?(olds: Inputs | undefined, news: Partial<Inputs>): Partial<Inputs>;
  /** Looks at what is there. `previous` is what the last observation told. Never throws for what it finds. */
  observe(context: Context, inputs: Inputs, previous: Observed | undefined): Promise<Observed>;
  /** Makes the host match the inputs; on failure nothing half-made is left, and what ran before runs again. */
  converge(context: Context, operation: Operation, inputs: Inputs): Promise<void>;
  /** Takes away what the resource has on the host and nobody else uses. Nothing there is fine. */
  remove(context: Context, operation: Operation, key: RemovalKey): Promise<void>;
}

/** What is known of a resource that goes: after an interruption this is all there is. */
export interface RemovalKey {
  readonly owner: string;
  readonly name: string;
  readonly uses: string;
}
