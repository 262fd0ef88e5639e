import { readEntry, writeEntry, type ResourceKey } from "../host/journal.js";
import type { HostLeases } from "../host/lease.js";
import { BerthError, messageOf } from "../lib/errors.js";
import { createRedact, type Redact } from "../lib/redact.js";
import { compareFields } from "../resources/difference.js";
import type { CommonInputs, CommonObserved, Context, Operation, ResourceKind } from "../resources/kind.js";
import { keyOf, observeResource } from "../resources/observation.js";
import { runOperation, type OperationRequest } from "../resources/operation.js";
import { checkInputs, type CheckAnswer } from "./check.js";
import { migrate, outputVersion, readInputs } from "../resources/migrate.js";
import { PartialFailure } from "./partial-failure.js";
import type { Properties } from "./properties.js";

export interface DiffAnswer {
  readonly changes: boolean;
  readonly replaces: readonly string[];
  readonly deleteBeforeReplace: boolean;
}

/** What the provider process gives to every call. */
export interface Surroundings {
  readonly leases: HostLeases;
  /** Everything a resource sees of the world, for the host of its inputs. */
  context(inputs: CommonInputs, redact: Redact): Context;
  /** Throws `engine-gone` when nobody waits for the operation any more. */
  assertWanted(): Promise<void>;
  /** Whether this is for somebody who only looks: nothing at all is written on hosts then. */
  readonly isLookOnly?: boolean;
  /** One line for people. */
  say(subject: string, text: string): void;
}

/** One resource kind behind Pulumi's operations. Properties go in and out as Pulumi has them. */
export interface Handler {
  check(olds: Properties, news: Properties): CheckAnswer;
  diff(olds: Properties, news: Properties): DiffAnswer;
  create(news: Properties): Promise<{ id: string; outs: Properties }>;
  read(id: string, props: Properties): Promise<{ id: string; props: Properties }>;
  update(olds: Properties, news: Properties): Promise<{ outs: Properties }>;
  delete(props: Properties): Promise<void>;
}

/** A change with all that it is about. */
interface Change<Inputs> {
  readonly operation: OperationRequest["operation"];
  readonly context: Context;
  readonly inputs: Inputs;
  /** The creation of the resource. */
  readonly identity: string;
  /** The properties as Pulumi has them. */
  readonly given: Properties;
}

export class ResourceHandler<Inputs extends CommonInputs, Observed extends CommonObserved> implements Handler {
  readonly #kind: ResourceKind<Inputs, Observed>;
  readonly #surroundings: Surroundings;

  constructor(kind: ResourceKind<Inputs, Observed>, surroundings: Surroundings) {
    this.#kind = kind;
    this.#surroundings = surroundings;
  }

  check(olds: Properties, news: Properties): CheckAnswer {
    return checkInputs(this.#kind, olds, news);
  }

  diff(olds: Properties, news: Properties): DiffAnswer {
    const before = migrate(this.#kind.kind, olds);
    const differences = compareFields(this.#kind.differences, before as Partial<Inputs>, news as Partial<Inputs>);
    const replacing = differences.filter(({ change }) => change !== "update");
    return {
      // What drifted on a host that does not answer cannot be mended now.
      changes: differences.length > 0 || (before.reachable !== false && driftOf(before).length > 0),
      replaces: replacing.map(({ field }) => field),
      deleteBeforeReplace: replacing.some(({ change }) => change === "replaceDeletingFirst"),
    };
  }

  async create(news: Properties): Promise<{ id: string; outs: Properties }> {
    const inputs = readInputs(this.#kind, news);
    const context = this.#contextOf(inputs);
    const change: Change<Inputs> = { operation: "create", context, inputs, identity: context.newId(), given: news };
    await this.#change(change, (operation) => this.#kind.converge(context, operation, inputs), { inputs });
    return { id: idOf(inputs), outs: await this.#assertConverged(change) };
  }

  async read(id: string, props: Properties): Promise<{ id: string; props: Properties }> {
    const previous = migrate(this.#kind.kind, props);
    const inputs = readInputs(this.#kind, previous);
    const context = this.#contextOf(inputs);
    const properties = await this.#observeOrKeep(context, inputs, previous);
    if (properties.reachable === false) return { id, props: properties };
    if (this.#surroundings.isLookOnly !== true) await markRecorded(context, keyOf(this.#kind, inputs));
    for (const sentence of driftOf(properties)) this.#surroundings.say(inputs.name, `drift: ${sentence}`);
    return { id, props: properties };
  }

  async update(olds: Properties, news: Properties): Promise<{ outs: Properties }> {
    const inputs = readInputs(this.#kind, news);
    const previous = migrate(this.#kind.kind, olds);
    const before = { inputs: readInputs(this.#kind, previous), previous };
    const context = this.#contextOf(inputs, before.inputs);
    const change: Change<Inputs> = {
      operation: "update",
      context,
      inputs,
      identity: identityOf(previous),
      given: news,
    };
    await this.#change(change, (operation) => this.#kind.converge(context, operation, inputs), before);
    return { outs: await this.#assertConverged(change) };
  }

  async delete(props: Properties): Promise<void> {
    const inputs = readInputs(this.#kind, migrate(this.#kind.kind, props));
    const context = this.#contextOf(inputs);
    const change: Change<Inputs> = { operation: "delete", context, inputs, identity: identityOf(props), given: props };
    const key = keyOf(this.#kind, inputs);
    await this.#change(change, (operation) => this.#kind.remove(context, operation, key));
  }

  /**
   * Runs a change. What fails after the host was touched is told with all that is true then, by what was there before;
   * without a `before`, and when nothing was touched, the failure alone is told.
   */
  async #change(
    { operation, context, inputs, identity, given }: Change<Inputs>,
    body: (operation: Operation) => Promise<void>,
    before?: { inputs: Inputs; previous?: Properties },
  ): Promise<void> {
    const { leases } = this.#surroundings;
    const assertWanted = () => this.#surroundings.assertWanted();
    const key = keyOf(this.#kind, inputs);
    const outcome = await runOperation({ context, leases, key, operation, identity, assertWanted }, body);
    if (outcome.ok) return;
    if (!outcome.touched || before === undefined) throw redacted(outcome.error, context.redact);
    // Whoever interrupts still wants to know what is left.
    const looking = { ...context, signal: context.gone };
    const truth = await this.#observe(looking, before.inputs, identity, before.previous);
    const reasons = [context.redact(messageOf(outcome.error))];
    throw new PartialFailure(idOf(inputs), { ...truth, __provider: given.__provider }, reasons);
  }

  async #observe(context: Context, inputs: Inputs, identity: string, previous?: Properties): Promise<Properties> {
    const observed = await observeResource(this.#kind, context, inputs, identity, previous as Observed | undefined);
    const properties: Properties = { schemaVersion: outputVersion, identity, reachable: true };
    return Object.assign(properties, inputs, observed);
  }

  /** A host that does not answer says nothing of what is on it: what was known last is kept, and never "gone". */
  async #observeOrKeep(context: Context, inputs: Inputs, previous: Properties): Promise<Properties> {
    try {
      return await this.#observe(context, inputs, identityOf(previous), previous);
    } catch (error) {
      if (!(error instanceof BerthError) || error.code !== "host-unreachable") throw error;
      const { what, got = what } = error.parts;
      const text = `host ${inputs.host.name} does not answer: ${context.redact(got)}; what was known last is kept`;
      this.#surroundings.say(inputs.name, text);
      return { ...previous, reachable: false };
    }
  }

  /** The outputs after a change that went well; if something is not as desired even so, it did not. */
  async #assertConverged({ context, inputs, identity, given }: Change<Inputs>): Promise<Properties> {
    const properties = await this.#observe(context, inputs, identity);
    const drift = driftOf(properties);
    if (drift.length === 0) return properties;
    const reasons = drift.map((sentence) => `${inputs.name} ${sentence}`);
    throw new PartialFailure(idOf(inputs), { ...properties, __provider: given.__provider }, reasons);
  }

  /** Its redaction knows the secrets of the inputs before too: what ran with them is told of in errors. */
  #contextOf(inputs: Inputs, before = inputs): Context {
    const secrets = [...this.#kind.secrets(inputs), ...this.#kind.secrets(before)];
    return this.#surroundings.context(inputs, createRedact(secrets));
  }
}

function idOf({ host, name }: CommonInputs): string {
  return `${host.name}/${name}`;
}

function identityOf({ identity }: Properties): string {
  return typeof identity === "string" ? identity : "";
}

function driftOf({ drift }: Properties): string[] {
  return Array.isArray(drift) ? drift.map(String) : [];
}

/** Whoever has these properties has them from the state, so the state knows of the resource. */
async function markRecorded(context: Context, key: ResourceKey): Promise<void> {
  const { host, reference } = context;
  const entry = await readEntry(host, reference.dataDir, key);
  if (entry !== undefined && !entry.recorded) await writeEntry(host, reference.dataDir, { ...entry, recorded: true });
}

/** Any error but Berth's own is a bug in Berth, so it keeps its stack. */
function redacted(error: unknown, redact: Redact): unknown {
  if (error instanceof BerthError) return error.mapTexts(redact);
  const safe = new Error(redact(messageOf(error)));
  if (error instanceof Error) safe.stack = redact(error.stack ?? "");
  return safe;
}
