import { createRedact, type Redact } from "../lib/redact.js";
import { BerthError } from "../lib/errors.js";
import type { ProbeTarget, SendRequest } from "../health/probe.js";
import type { DesiredInstance } from "../planner/desired.js";
import type { Contexts } from "../resources/context.js";
import { findRunningSeconds } from "../resources/instance-age.js";
import { probeTarget } from "../resources/instance-runner.js";
import type { CommonObserved } from "../resources/kind.js";
import { resourceKinds } from "../resources/kinds.js";
import { migrate, readInputs } from "../resources/migrate.js";
import { isSeen, observe, observeRecorded } from "./observed.js";
import type { StackState, StateResource } from "./state.js";

/** A replica as it is now. */
export interface LiveReplica {
  readonly name: string;
  /** Why it is not healthy, one sentence each; empty when it is. */
  readonly problems: readonly string[];
  /** How long its runner has been running without a restart; undefined where that cannot be told. */
  readonly soakSeconds: number | undefined;
  /** What can be asked of it, with its API key; undefined when it is not in the state. */
  readonly asked: AskedReplica | undefined;
}

export interface AskedReplica {
  readonly target: ProbeTarget;
  /** By way of its host. */
  readonly send: SendRequest;
  /** Takes its secrets out of a text. */
  readonly redact: Redact;
}

/** How a replica is asked that the state has. Nothing is asked yet. */
export function askedReplica(outputs: StateResource["outputs"], contexts: Contexts): AskedReplica {
  const kind = resourceKinds.Instance;
  const inputs = readInputs(kind, migrate(kind.kind, outputs));
  const redact = createRedact(kind.secrets(inputs));
  const { host } = contexts.of(inputs.host, redact);
  return { target: probeTarget(inputs), send: (request) => host.request(request), redact };
}

/** Looks at the replicas of a stack, and at each thing that they stand on once. Changes nothing. */
export class ReplicaSight {
  readonly #contexts: Contexts;
  readonly #state: Pick<StackState, "resources"> | undefined;
  readonly #signal: AbortSignal;
  readonly #seen = new Map<string, Promise<string[]>>();

  constructor(contexts: Contexts, state: Pick<StackState, "resources"> | undefined, signal: AbortSignal) {
    this.#contexts = contexts;
    this.#state = state;
    this.#signal = signal;
  }

  /** Whatever cannot be looked at is a problem, not an error. */
  async look(desired: DesiredInstance): Promise<LiveReplica> {
    const { name } = desired;
    const outputs = this.#find("Instance", name)?.outputs;
    if (outputs === undefined) return { name, problems: ["is not deployed"], soakSeconds: undefined, asked: undefined };
    const kind = resourceKinds.Instance;
    const inputs = readInputs(kind, migrate(kind.kind, outputs));
    const redact = createRedact(kind.secrets(inputs));
    const context = this.#contexts.of(inputs.host, redact);
    const asked = askedReplica(outputs, this.#contexts);
    const own = await this.#try(redact, async () => {
      const observed = await observe(kind, outputs, this.#contexts);
      const age = isSeen(observed) ? await findRunningSeconds(context, inputs) : undefined;
      return { problems: healthProblems(observed), soakSeconds: age };
    });
    const needs = await Promise.all(needsOf(desired).map(([need, of]) => this.#drift(need, of)));
    return { name, problems: [...own.problems, ...needs.flat()], soakSeconds: own.soakSeconds, asked };
  }

  #drift(kind: string, name: string): Promise<string[]> {
    const key = `${kind} ${name}`;
    const looking = this.#seen.get(key) ?? this.#lookAt(kind, name);
    this.#seen.set(key, looking);
    return looking;
  }

  async #lookAt(kind: string, name: string): Promise<string[]> {
    const outputs = this.#find(kind, name)?.outputs;
    if (outputs === undefined) return [`${kind} ${name} is not deployed`];
    const { problems } = await this.#try(createRedact([]), async () => {
      const observed = await observeRecorded(kind, outputs, this.#contexts);
      return { problems: observed?.drift ?? [] };
    });
    return problems.map((sentence) => `${kind} ${name} ${sentence}`);
  }

  async #try<T extends { readonly problems: readonly string[]; readonly soakSeconds?: number | undefined }>(
    redact: Redact,
    action: () => Promise<T>,
  ): Promise<T | { readonly problems: readonly string[]; readonly soakSeconds?: undefined }> {
    try {
      return await action();
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!(error instanceof BerthError)) throw error;
      return { problems: [`cannot be looked at: ${redact(error.parts.what)}`] };
    }
  }

  #find(kind: string, name: string): StateResource | undefined {
    return this.#state?.resources.find(
      (each) => each.kind === kind && each.outputs.name === name && each.leaving !== true,
    );
  }
}

function needsOf({
  host,
  backendVersion,
  model,
  placed,
  subordinates,
}: DesiredInstance): [kind: string, name: string][] {
  return [
    ["Host", host.name],
    ["BackendVersion", backendVersion],
    ["ModelFiles", model],
    ...subordinates.map((name): [string, string] => ["Subordinate", name]),
    ...(placed.slots === undefined ? [] : [["Gateway", `${host.name}.gateway`] as [string, string]]),
  ];
}

/** Also a runner that answers its health path alone is not healthy, as long as it has no time for a request. */
function healthProblems(observed: CommonObserved): string[] {
  const isHealthy = isSeen(observed) && ["answered", "reachable"].includes(observed.health);
  const level = isSeen(observed) ? observed.health : "unknown";
  return [...observed.drift, ...(isHealthy || observed.drift.length > 0 ? [] : [`is not healthy: ${level}`])];
}
