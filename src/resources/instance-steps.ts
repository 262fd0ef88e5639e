/** Does the steps of an instance's plan, and goes back when one of them fails. */
import { probe } from "../health/probe.js";
import { verifyHealth, type Verdict } from "../health/verify.js";
import { BerthError, messageOf } from "../lib/errors.js";
import type { Listener } from "../runtime/haproxy-configuration.js";
import { readRunner } from "../runtime/runner-files.js";
import type { RunnerDefinition, RunnerSpec } from "../runtime/supervisor.js";
import { writeRecord, type InstanceRecord } from "./instance-files.js";
import type { InstanceInputs } from "./instance-inputs.js";
import { planRollback, type Generation, type InstanceSeen, type InstanceStep } from "./instance-plan.js";
import { behindGateway, probeTarget, recordedTarget, runnerDefinition, withKey } from "./instance-runner.js";
import type { Context, Operation } from "./kind.js";
import { isEngineGone } from "./operation.js";

/** One change of one instance. */
export interface InstanceWork {
  readonly context: Context;
  readonly inputs: InstanceInputs;
  /** The instance's folder. */
  readonly folder: string;
  readonly record: InstanceRecord;
  readonly spec: RunnerSpec;
  readonly desired: Generation;
  /** Where the desired one listens behind the gateway; undefined where clients ask it itself. */
  readonly port: number | undefined;
  readonly seen: InstanceSeen;
}

const shownLogLines = 50;
/** How long one request may take while a runner is verified. */
const verifyRequestSeconds = 30;

const stepTexts: Record<InstanceStep["do"], string> = {
  stop: "stop the old runner",
  start: "start the runner",
  verify: "wait until it answers",
  commit: "record what runs",
  discard: "remove the old runner",
  switch: "send requests to it",
  drain: "let requests in progress end",
  close: "close its port at the gateway",
};

/**
 * Does the steps; when one fails, does those of the way back and throws why. There is no way back from the commit: what
 * is recorded then serves, also when removing the others fails.
 */
export async function performSteps(
  work: InstanceWork,
  operation: Operation,
  steps: readonly InstanceStep[],
): Promise<void> {
  let committed = false;
  const begun: InstanceStep[] = [];
  try {
    for (const step of steps) {
      begun.push(step);
      await operation.step(stepTexts[step.do], () => perform(work, step));
      committed ||= step.do === "commit";
    }
  } catch (error) {
    if (committed || isEngineGone(error) || work.context.signal.aborted) throw error;
    throw await goBack(work, operation, error, begun);
  }
}

async function goBack(
  work: InstanceWork,
  operation: Operation,
  cause: unknown,
  begun: readonly InstanceStep[],
): Promise<unknown> {
  const steps = planRollback(work.desired, work.seen, begun, work.port);
  try {
    for (const step of steps) await operation.step(`go back: ${rollbackText(step)}`, () => perform(work, step));
  } catch (error) {
    if (isEngineGone(error)) throw error;
    return new BerthError("runner-failed", {
      what: `${messageOf(cause)}\nand the runner before it did not come back: ${messageOf(error)}`,
      cause,
    });
  }
  const outcome = outcomeOf(work, steps);
  if (outcome === undefined || !(cause instanceof BerthError)) return cause;
  return new BerthError(cause.code, { ...cause.parts, what: `${cause.parts.what}; the runner before it ${outcome}` });
}

/** What has become of the runner that served before, where there was one. */
function outcomeOf({ seen, desired }: InstanceWork, steps: readonly InstanceStep[]): string | undefined {
  if (steps.some((step) => step.do === "verify")) return "serves again";
  const before = seen.generations.find(({ generation }) => generation === seen.current);
  return before?.running === true && before.generation !== desired ? "goes on serving" : undefined;
}

function rollbackText(step: InstanceStep): string {
  switch (step.do) {
    case "discard":
      return "remove the new runner";
    case "start":
      return "start the old runner";
    case "switch":
      return "send requests to the old runner";
    default:
      return stepTexts[step.do];
  }
}

async function perform(work: InstanceWork, step: InstanceStep): Promise<void> {
  const { context, folder } = work;
  const supervisor = context.supervisor(work.inputs.runtime);
  const definition = runnerDefinition(work.inputs, work.folder, step.generation, work.record);
  switch (step.do) {
    case "stop":
      return supervisor.stop(definition);
    case "start":
      await writeRecord(context.host, folder, { ...work.record, ...portsOf(work) });
      await supervisor.prepare();
      return supervisor.start(await specFor(work, step.generation));
    case "verify":
      return verify(work, definition, step.generation);
    case "commit":
      return commit(work, definition, step.generation);
    case "discard":
      await supervisor.remove(definition);
      return context.host.remove(definition.folder);
    case "switch":
      return context.gateway(work.inputs.owner).switchTo(listenerOf(work, step.generation));
    case "drain":
      return drain(work, step.generation);
    case "close":
      return context.gateway(work.inputs.owner).close(work.inputs.name);
  }
}

/** Where the desired generation and those that are still there listen behind the gateway, for the record. */
function portsOf({ record, seen, desired, port }: InstanceWork): Pick<InstanceRecord, "ports"> {
  const present = seen.generations.flatMap(({ generation }): [string, number][] => {
    const known = record.ports?.[generation];
    return known === undefined || generation === desired ? [] : [[generation, known]];
  });
  const ports = [...present, ...(port === undefined ? [] : [[desired, port] as const])];
  return { ports: ports.length === 0 ? undefined : Object.fromEntries(ports) };
}

function portOf({ record, desired, port }: InstanceWork, generation: Generation): number | undefined {
  return generation === desired ? port : record.ports?.[generation];
}

/** An older generation is served where it was when it was verified. */
function listenerOf(work: InstanceWork, generation: Generation): Listener {
  const { inputs, record, desired } = work;
  const active = portOf(work, generation);
  if (active === undefined) throw new Error(`generation ${generation} is not behind the gateway`);
  const asked = generation === desired ? undefined : record.target;
  return {
    instance: inputs.name,
    address: asked?.address ?? inputs.bindAddress,
    port: asked?.port ?? inputs.port,
    slots: inputs.slots ?? [active, active],
    active,
  };
}

async function drain(work: InstanceWork, generation: Generation): Promise<void> {
  const { context, inputs } = work;
  const port = portOf(work, generation);
  if (port === undefined) return;
  const { drainSeconds = 0 } = inputs;
  const left = await context.gateway(inputs.owner).drain(inputs.name, port, drainSeconds);
  if (left === 0) return;
  const text = `${left} requests did not end within ${drainSeconds} s and are broken off`;
  context.log({ kind: "warning", subject: inputs.name, text });
}

/** The desired generation is started from the inputs, an older one from what it was started with before. */
async function specFor(work: InstanceWork, generation: Generation): Promise<RunnerSpec> {
  if (generation === work.desired) return work.spec;
  const definition = runnerDefinition(work.inputs, work.folder, generation, work.record);
  const runner = await readRunner(work.context.host, definition.folder);
  if (runner === undefined) throw new BerthError("runner-failed", { what: "the files of the old runner are gone" });
  return { ...definition, ...runner };
}

async function verify(work: InstanceWork, definition: RunnerDefinition, generation: Generation): Promise<void> {
  const { context, inputs } = work;
  const supervisor = context.supervisor(inputs.runtime);
  const target = await targetOf(work, definition, generation);
  const { restarts: before } = await supervisor.observe(definition);
  const verdict = await verifyHealth({
    clock: context.clock,
    signal: context.signal,
    minHealthySeconds: inputs.minHealthySeconds,
    deadlineSeconds: inputs.healthyDeadlineSeconds,
    probe: () => probe(target, (request) => context.host.request(request), verifyRequestSeconds, context.signal),
    async ended() {
      const { state, restarts } = await supervisor.observe(definition);
      if (state.kind === "running") return restarts > before ? "it ended and was started again" : undefined;
      return state.kind === "stopped" || state.kind === "restarting" ? state.reason : state.kind;
    },
  });
  if (!verdict.healthy) throw await notHealthy(work, definition, verdict);
}

/** An older generation answers where and as it did when it was verified. */
async function targetOf(work: InstanceWork, { folder }: RunnerDefinition, generation: Generation) {
  const { context, inputs, record, desired } = work;
  const port = portOf(work, generation);
  if (generation === desired || record.target === undefined) return behindGateway(probeTarget(inputs), port);
  const { environment = {} } = (await readRunner(context.host, folder)) ?? {};
  return behindGateway(withKey(record.target, environment), port);
}

async function notHealthy(
  { context, inputs }: InstanceWork,
  definition: RunnerDefinition,
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

async function commit(work: InstanceWork, definition: RunnerDefinition, generation: Generation): Promise<void> {
  const { context, inputs, folder, record, desired } = work;
  const { state, restarts } = await context.supervisor(inputs.runtime).observe(definition);
  const devices = generation === desired ? inputs.devices : record.devices;
  await writeRecord(context.host, folder, {
    schemaVersion: 1,
    salt: record.salt,
    current: generation,
    runtime: inputs.runtime,
    target: generation === desired ? recordedTarget(inputs) : record.target,
    ...portsOf(work),
    ...(devices === undefined ? {} : { devices }),
    startSeconds: definition.startSeconds,
    stopSeconds: definition.stopSeconds,
    restarts,
    pid: state.kind === "running" ? state.pid : 0,
  });
}
