import { BerthError, messageOf } from "../lib/errors.js";
import type { Log } from "../lib/log.js";
import { compareFields } from "../resources/difference.js";
import { instanceKind } from "../resources/instance.js";
import { instanceDifferences, updatesAtOnce, type InstanceInputs } from "../resources/instance-inputs.js";
import { migrate, readInputs } from "../resources/migrate.js";
import { isEngineGone } from "../resources/operation.js";
import type { Member, Rollout, Rollouts } from "../resources/rollout.js";
import type { UpdateLimit } from "../resources/update-limit.js";
import type { CheckAnswer } from "./check.js";
import type { DiffAnswer, Handler } from "./handler.js";
import { PartialFailure } from "./partial-failure.js";
import { withoutProvider, type Properties } from "./properties.js";

export interface RolloutEdges {
  readonly limit: UpdateLimit;
  readonly rollouts: Rollouts;
  readonly log: Log;
}

/** The state of an instance, as Pulumi gives it and takes it. */
type Outs = Properties;

/** Instances in their turn: not all replicas of a deployment at a time, and wave after wave. */
export class RolloutHandler implements Handler {
  readonly #instances: Handler;
  readonly #edges: RolloutEdges;

  constructor(instances: Handler, edges: RolloutEdges) {
    this.#instances = instances;
    this.#edges = edges;
  }

  check(olds: Properties, news: Properties): CheckAnswer {
    return this.#instances.check(olds, news);
  }

  diff(olds: Properties, news: Properties): DiffAnswer {
    return this.#instances.diff(olds, news);
  }

  read(id: string, props: Properties): Promise<{ id: string; props: Properties }> {
    return this.#instances.read(id, props);
  }

  delete(props: Properties): Promise<void> {
    return this.#instances.delete(props);
  }

  async create(news: Properties): Promise<{ id: string; outs: Properties }> {
    const inputs = readInputs(instanceKind, news);
    const id = `${inputs.host.name}/${inputs.name}`;
    const outs = await this.#inWave(inputs, {
      change: async () => (await this.#instances.create(news)).outs,
      // What is on the host of it, though Pulumi has not made it.
      untouched: async () => (await this.#instances.read(id, { schemaVersion: 1, identity: "", ...inputs })).props,
    });
    return { id, outs };
  }

  async update(olds: Properties, news: Properties): Promise<{ outs: Properties }> {
    const inputs = readInputs(instanceKind, news);
    const before = readInputs(instanceKind, migrate(instanceKind.kind, olds));
    const isNew = compareFields(instanceDifferences, before, inputs).length > 0;
    // What only mends has the strategy of an earlier change.
    const mending = inputs.slots === undefined ? "recreate" : "blueGreen";
    const kind = isNew ? inputs.strategy?.kind : mending;
    const atOnce = updatesAtOnce(kind, inputs);
    const change = async () => (await this.#instances.update(olds, news)).outs;
    const inTurn = (body: () => Promise<Outs>): Promise<Outs> => {
      if (kind === undefined || atOnce === undefined) return body();
      const { name, owner, deployment } = inputs;
      return this.#edges.limit.run({ name, deployment: `${owner} ${deployment}`, kind, atOnce, isNew }, body);
    };
    const untouched = () => Promise.resolve(withoutProvider(olds));
    return { outs: await this.#inWave(inputs, { change, untouched, inTurn }) };
  }

  async #inWave(inputs: InstanceInputs, { change, untouched, inTurn = (body) => body() }: Turn): Promise<Outs> {
    const { name, owner, host, rollout: part } = inputs;
    if (part === undefined) return inTurn(change);
    const member: Member = { name, owner, host: host.name, part };
    const rollout = this.#edges.rollouts.of(owner);
    await rollout.enter(member);
    return inTurn(async () => {
      rollout.begun(member);
      try {
        const outs = await change();
        rollout.changed(member, versionOf(outs), async () => lacksOf((await this.#instances.read(name, outs)).props));
        return outs;
      } catch (error) {
        if (isEngineGone(error)) throw error;
        return this.#afterFailure(rollout, member, error, untouched);
      }
    });
  }

  /** A failure that the rollout bears is told by the state; any other stops it, and tells how far it got. */
  async #afterFailure(rollout: Rollout, member: Member, error: unknown, untouched: Turn["untouched"]): Promise<Outs> {
    const truth = error instanceof PartialFailure ? error.properties : await untouched().catch(() => undefined);
    const goesOn = rollout.failed(member, servesOf(truth));
    if (!goesOn || truth === undefined) throw withLines(error, rollout.describe(member));
    const text = messageOf(error);
    this.#edges.log({ kind: "warning", subject: member.name, text: `${text}\nthe rollout goes on without it` });
    const [first = ""] = text.split("\n");
    return { ...withoutProvider(truth), drift: [...driftOf(truth), `is not as wanted: ${first}`] };
  }
}

interface Turn {
  readonly change: () => Promise<Outs>;
  /** What is true when nothing was changed. */
  readonly untouched: () => Promise<Outs>;
  /** Waits for the instance's turn among the replicas of its deployment. */
  readonly inTurn?: (body: () => Promise<Outs>) => Promise<Outs>;
}

function versionOf({ backend, backendVersion }: Outs): string {
  return `${String(backend)} ${String(backendVersion)}`;
}

function servesOf(truth: Outs | undefined): string {
  if (truth === undefined) return "nobody knows what serves";
  return truth.health === "down" ? "nothing serves" : `${versionOf(truth)} serves`;
}

function driftOf({ drift }: Outs): string[] {
  return Array.isArray(drift) ? drift.map(String) : [];
}

/** What keeps it from being called healthy. */
function lacksOf(props: Outs): string[] {
  return props.reachable === false ? ["is on a host that does not answer"] : driftOf(props);
}

function withLines(error: unknown, lines: readonly string[]): unknown {
  if (error instanceof PartialFailure)
    return new PartialFailure(error.id, error.properties, [...error.reasons, lines.join("\n")]);
  if (!(error instanceof BerthError)) return error;
  const { detail, ...parts } = error.parts;
  return new BerthError(error.code, {
    ...parts,
    detail: [...(detail === undefined ? [] : [detail]), ...lines].join("\n"),
  });
}
