/** Waits until an instance's runner is healthy, and tells what it said last when it is not. */
import { probe, type ProbeTarget } from "../health/probe.js";
import { verifyHealth, type Verdict } from "../health/verify.js";
import { BerthError } from "../lib/errors.js";
import type { RunnerDefinition, RunnerObservation } from "../runtime/supervisor.js";
import type { InstanceInputs } from "./instance-inputs.js";
import type { Context } from "./kind.js";

const shownLogLines = 50;
/** How long one request may take while a runner is verified. */
const verifyRequestSeconds = 30;
/** An engine that is asked to end stops its containers first, and brings them back when it is started again. */
const stoppedSeconds = 10;

export interface Verification {
  readonly context: Context;
  readonly inputs: InstanceInputs;
  readonly definition: RunnerDefinition;
  /** Where and what it is asked. */
  readonly target: ProbeTarget;
}

/**
 * @returns seconds until it first answered, and went on to
 * @throws BerthError `runner-failed` with its last lines, when it ended or was not healthy in time
 */
export async function verifyRunner(verification: Verification): Promise<number> {
  const { context, inputs, target } = verification;
  const { clock, host, signal } = context;
  const verdict = await verifyHealth({
    clock,
    signal,
    minHealthySeconds: inputs.minHealthySeconds,
    deadlineSeconds: inputs.healthyDeadlineSeconds,
    probe: () => probe(target, (request) => host.request(request), verifyRequestSeconds, signal),
    ended: await watchForEnd(verification),
  });
  if (!verdict.healthy) throw await notHealthy(verification, verdict);
  return verdict.answeredSeconds;
}

/** Tells, each time it is asked, why the runner has ended, if it has since now. */
async function watchForEnd({ context, inputs, definition }: Verification): Promise<() => Promise<string | undefined>> {
  const supervisor = context.supervisor(inputs.runtime);
  const first = await supervisor.observe(definition);
  let seen: RunnerObservation | undefined = first;
  let stoppedAt: number | undefined;
  return async () => {
    // The first look is at what was just seen.
    const { state, restarts } = seen ?? (await supervisor.observe(definition));
    seen = undefined;
    const now = context.clock.now().getTime();
    if (state.kind !== "stopped") stoppedAt = undefined;
    switch (state.kind) {
      case "running":
        if (restarts <= first.restarts) return undefined;
        return (await supervisor.lastEnd?.(definition)) ?? "it ended and was started again";
      case "restarting":
        return state.reason;
      case "stopped":
        stoppedAt ??= now;
        return inputs.container !== undefined && now - stoppedAt < stoppedSeconds * 1000 ? undefined : state.reason;
      default:
        return state.kind;
    }
  };
}

async function notHealthy(
  { context, inputs, definition }: Verification,
  verdict: Extract<Verdict, { healthy: false }>,
): Promise<BerthError> {
  const deadline = `the runner was not healthy within ${inputs.healthyDeadlineSeconds} s`;
  return new BerthError("runner-failed", {
    where: `host ${context.host.name}: ${inputs.name}`,
    what: verdict.cause === "ended" ? "the runner ended before it was healthy" : deadline,
    got: context.redact(verdict.reason),
    expected: `a real request answered, for ${inputs.minHealthySeconds} s without a failure`,
    hint: "read the runner's last lines below, mend the cause, and run `pulumi up` again",
    detail: context.redact(await context.supervisor(inputs.runtime).readOutput(definition, shownLogLines)),
  });
}
