/** Does the steps of an instance's plan, and goes back when one of them fails. */
import { BerthError, messageOf } from "../lib/errors.js";
import { formatSeconds } from "../lib/format.js";
import type { Listener } from "../runtime/haproxy-configuration.js";
import { readRunner } from "../runtime/runner-files.js";
import { isAlive, type RunnerDefinition, type RunnerSpec } from "../runtime/supervisor.js";
import { commitRunner } from "./instance-commit.js";
import { assertHeld } from "./instance-devices.js";
import { writeRecord, type InstanceRecord } from "./instance-files.js";
import type { InstanceInputs } from "./instance-inputs.js";
import {
  planRollback,
  type Generation,
  type InstanceSeen,
  type InstanceStep,
  type SeenGeneration,
} from "./instance-plan.js";
import { behindGateway, probeTarget, runnerDefinition, withKey } from "./instance-runner.js";
import type { Context, Operation } from "./kind.js";
import { verifyRunner } from "./instance-verification.js";
import { LoadWatch } from "./load-watch.js";
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
  let stoppedAt: Date | undefined;
  const load = new LoadWatch(work);
  const begun: InstanceStep[] = [];
  try {
    for (const step of steps) {
      if (!committed) work.context.signal.throwIfAborted();
      begun.push(step);
      if (step.do === "stop") stoppedAt ??= work.context.clock.now();
      await operation.step(stepTexts[step.do], () => perform(work, step, load));
      committed ||= step.do === "commit";
    }
  } catch (error) {
    if (committed || isEngineGone(error) || work.context.gone.aborted) throw error;
    // The way back is gone to its end, whoever interrupts.
    const context = { ...work.context, signal: work.context.gone };
    throw await goBack({ ...work, context }, operation, error, { begun, stoppedAt });
  }
}

async function goBack(
  work: InstanceWork,
  operation: Operation,
  cause: unknown,
  { begun, stoppedAt }: { readonly begun: readonly InstanceStep[]; readonly stoppedAt: Date | undefined },
): Promise<unknown> {
  // What served before may have ended meanwhile, as when the machine's container engine was started again.
  const seen = { ...work.seen, generations: await lookAgain(work) };
  const steps = planRollback(work.desired, seen, begun, work.port);
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
  const seconds = stoppedAt === undefined ? 0 : (work.context.clock.now().getTime() - stoppedAt.getTime()) / 1000;
  const outage = stoppedAt === undefined ? "" : `, after ${formatSeconds(seconds)} without one`;
  const what = `${cause.parts.what}; the runner before it ${outcome}${outage}`;
  return new BerthError(cause.code, { ...cause.parts, what });
}

async function lookAgain(work: InstanceWork): Promise<SeenGeneration[]> {
  const { context, inputs, folder, record, seen } = work;
  const supervisor = context.supervisor(inputs.runtime);
  return Promise.all(
    seen.generations.map(async (each) => {
      const { state } = await supervisor.observe(runnerDefinition(inputs, folder, each.generation, record));
      return { ...each, running: isAlive(state) };
    }),
  );
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

/** @param load told of the desired generation's start */
async function perform(work: InstanceWork, step: InstanceStep, load?: LoadWatch): Promise<void> {
  const { context, folder } = work;
  const supervisor = context.supervisor(work.inputs.runtime);
  const definition = runnerDefinition(work.inputs, work.folder, step.generation, work.record);
  switch (step.do) {
    case "stop":
      return supervisor.stop(definition);
    case "start":
      await writeRecord(context.host, folder, { ...work.record, ...portsOf(work) });
      await supervisor.prepare();
      load?.start(step.generation);
      return start(work, step.generation);
    case "verify":
      load?.verify(step.generation, await verify(work, definition, step));
      return;
    case "commit":
      await commitRunner({
        ...{ ...work, definition, generation: step.generation, ...portsOf(work) },
        isDesired: step.generation === work.desired,
      });
      return load?.record();
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
function portsOf({ record, seen, desired, port }: InstanceWork): { ports: InstanceRecord["ports"] } {
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

/** A container engine that was itself started again meanwhile has brought back what was stopped before. */
async function start(work: InstanceWork, generation: Generation): Promise<void> {
  const supervisor = work.context.supervisor(work.inputs.runtime);
  const spec = await specFor(work, generation);
  try {
    await supervisor.start(spec);
  } catch (error) {
    if (!(error instanceof BerthError) || error.code !== "port-in-use" || work.port !== undefined) throw error;
    const others = (await lookAgain(work)).filter((each) => each.running && each.generation !== generation);
    if (others.length === 0) throw error;
    for (const other of others)
      await supervisor.stop(runnerDefinition(work.inputs, work.folder, other.generation, work.record));
    await supervisor.start(spec);
  }
}

/** The desired generation is started from the inputs, an older one from what it was started with before. */
async function specFor(work: InstanceWork, generation: Generation): Promise<RunnerSpec> {
  if (generation === work.desired) return work.spec;
  const definition = runnerDefinition(work.inputs, work.folder, generation, work.record);
  const runner = await readRunner(work.context.host, definition.folder);
  if (runner === undefined) throw new BerthError("runner-failed", { what: "the files of the old runner are gone" });
  return { ...definition, ...runner };
}

/** @returns when it first answered, and went on to */
async function verify(work: InstanceWork, definition: RunnerDefinition, step: InstanceStep): Promise<Date> {
  const { context, inputs } = work;
  const target = await targetOf(work, definition, step);
  const begun = context.clock.now().getTime();
  const seconds = await verifyRunner({ context, inputs, definition, target });
  // What served before goes on serving as it did.
  if (step.generation === work.desired) await assertHeld(context, inputs, definition);
  return new Date(begun + seconds * 1000);
}

/** An older generation answers where and as it did when it was verified. */
async function targetOf(work: InstanceWork, { folder }: RunnerDefinition, { generation }: InstanceStep) {
  const { context, inputs, record, desired } = work;
  const port = portOf(work, generation);
  if (generation === desired || record.target === undefined) return behindGateway(probeTarget(inputs), port);
  const { environment = {} } = (await readRunner(context.host, folder)) ?? {};
  return behindGateway(withKey(record.target, environment), port);
}
