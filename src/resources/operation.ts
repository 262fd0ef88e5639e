import { channel } from "node:diagnostics_channel";

import type { SeenClaims } from "../host/claim-files.js";
import type { HostLeases } from "../host/lease.js";
import { readEntry, removeEntry, writeEntry, type JournalEntry, type ResourceKey } from "../host/journal.js";
import { BerthError } from "../lib/errors.js";
import type { Context, Operation } from "./kind.js";

/**
 * Publishes each journal step as it begins, `{ kind, name, operation, step, number }`, and last the step `end`: all is
 * done and the journal is closed, but Pulumi has not been told.
 */
const journalChannel = channel("berth:journal");

export interface OperationRequest {
  readonly context: Context;
  readonly leases: HostLeases;
  readonly key: ResourceKey;
  readonly operation: "create" | "update" | "delete";
  /** The creation that the change is about. */
  readonly identity: string;
  /** Throws `engine-gone` when nobody waits for the operation any more. */
  readonly assertWanted: () => Promise<void>;
}

export type OperationOutcome =
  | { readonly ok: true }
  /** `touched`: something on the host may have changed. */
  | { readonly ok: false; readonly touched: boolean; readonly error: unknown };

/**
 * Runs a change under the host lock, with each step in the host's journal. When it ends, well or badly, the journal
 * is closed. It stays open, for the next run to see, only when the process is killed or its engine is gone. Resources
 * that use the same thing of a host change one after the other.
 */
export async function runOperation(
  request: OperationRequest,
  body: (operation: Operation) => Promise<void>,
): Promise<OperationOutcome> {
  const { context, leases, key } = request;
  const { host, reference, signal, serial } = context;
  return leases.use(host, reference, key.owner, signal, (seenClaims) =>
    serial.run(`${reference.name} ${reference.dataDir} ${key.uses}`, async () => {
      const before = await readEntry(host, reference.dataDir, key);
      if (isSuperseded(request, before)) return { ok: true };
      return runJournalled(request, new OperationJournal(request, before, seenClaims), body);
    }),
  );
}

/** What Pulumi deletes may have been created anew since, as after a replacement that failed and was reverted. */
function isSuperseded(
  { operation, identity, key, context }: OperationRequest,
  entry: JournalEntry | undefined,
): boolean {
  if (operation !== "delete" || entry === undefined || entry.identity === identity) return false;
  const text = "was created anew since, so what is on the host stays";
  context.log({ kind: "warning", subject: key.name, text });
  return true;
}

async function runJournalled(
  request: OperationRequest,
  journal: OperationJournal,
  body: (operation: Operation) => Promise<void>,
): Promise<OperationOutcome> {
  const { context, key, operation } = request;
  const begun = context.clock.now().getTime();
  try {
    await body(journal);
    await journal.close();
    const seconds = (context.clock.now().getTime() - begun) / 1000;
    context.log({ kind: "done", subject: key.name, text: `${operation}d`, seconds });
    return { ok: true };
  } catch (error) {
    if (isEngineGone(error) || isEngineGone(context.gone.reason)) throw error;
    await journal.closeAfterFailure();
    return { ok: false, touched: journal.touched, error };
  }
}

export function isEngineGone(error: unknown): boolean {
  return error instanceof BerthError && error.code === "engine-gone";
}

class OperationJournal implements Operation {
  readonly #request: OperationRequest;
  readonly #before: JournalEntry | undefined;
  #number = 0;

  constructor(
    request: OperationRequest,
    before: JournalEntry | undefined,
    readonly seenClaims: SeenClaims,
  ) {
    this.#request = request;
    this.#before = before;
  }

  get isFirst(): boolean {
    const before = this.#before;
    return this.#request.operation === "create" && (before === undefined || (before.recorded && !before.open));
  }

  /** An interrupted operation before this one has touched the host too. */
  get touched(): boolean {
    return this.#number > 0 || this.#before?.open !== undefined;
  }

  async step<T>(name: string, action: () => Promise<T>): Promise<T> {
    const { context, key, operation, assertWanted } = this.#request;
    await assertWanted();
    this.#number += 1;
    await this.#write({ operation, step: name, number: this.#number });
    this.#publish(name);
    context.log({ kind: "step", subject: key.name, text: name });
    return action();
  }

  async close(): Promise<void> {
    const { context, key, operation, assertWanted } = this.#request;
    await assertWanted();
    if (operation === "delete") await removeEntry(context.host, context.reference.dataDir, key);
    else await this.#write(undefined);
    this.#number += 1;
    this.#publish("end");
  }

  /** A disk that is full may not take it: then the journal stays open, and the next run looks closer. */
  async closeAfterFailure(): Promise<void> {
    if (this.touched) await this.#write(undefined).catch(() => undefined);
  }

  #publish(step: string): void {
    const { key, operation } = this.#request;
    journalChannel.publish({ kind: key.kind, name: key.name, operation, step, number: this.#number });
  }

  async #write(open: JournalEntry["open"]): Promise<void> {
    const { context, key, operation, identity } = this.#request;
    await writeEntry(context.host, context.reference.dataDir, {
      schemaVersion: 1,
      ...key,
      identity,
      // What is updated or deleted is so because the state has it.
      recorded: operation !== "create" || (this.#before?.recorded ?? false),
      ...(open === undefined ? {} : { open }),
    });
  }
}
