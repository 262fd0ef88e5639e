/** A runner that answers may do so from the processor: its devices have to hold its model. */
import { posix } from "node:path";

import { judgeHeld, leastMemory, type HeldVerdict } from "../health/device-memory.js";
import { isPlacedByHand } from "../health/hand-placement.js";
import type { AcceleratorUse } from "../host/accelerators/use.js";
import { findBootId } from "../host/boot.js";
import { dataPaths } from "../host/paths.js";
import { readRecord as readModelRecord } from "../install/model-record.js";
import { BerthError } from "../lib/errors.js";
import { formatBytes } from "../lib/format.js";
import { findRenumbered, hasNumbers } from "../planner/device-variables.js";
import { findMoved } from "../planner/moved-devices.js";
import type { RunnerDefinition } from "../runtime/supervisor.js";
import type { Accelerator, Vendor } from "../schema/facts.js";
import type { InstanceInputs } from "./instance-inputs.js";
import type { Context } from "./kind.js";
import { countHolders, findModelHolder } from "./model-holder.js";

/** A model that was just loaded may not show at once. */
const mostLooks = 3;
const pauseSeconds = 2;
const shownLogLines = 50;

/**
 * Resolves when the runner's processes hold its model on the devices that it was given, and on no others, and where that
 * cannot be told: then the log says so.
 *
 * @throws BerthError `runner-failed` when they do not
 */
export async function assertHeld(
  context: Context,
  inputs: InstanceInputs,
  definition: RunnerDefinition,
): Promise<void> {
  const { devices = [] } = inputs;
  if (devices.length === 0) return;
  const { accelerators } = await context.facts();
  const question = { vendors: vendorsOf(devices, accelerators), signal: context.signal };
  const modelBytes = await findModelBytes(context, inputs);
  for (let looks = 1; ; looks += 1) {
    // It may have ended meanwhile, and been started again.
    const { state } = await context.supervisor(inputs.runtime).observe(definition);
    const pid = await findModelHolder(context, inputs, state.kind === "running" ? state.pid : 0);
    const verdict = judge(inputs, pid, modelBytes, await context.acceleratorUse.now(question));
    if (verdict.kind === "held") return;
    if (verdict.kind === "unknown") {
      const text = `whether its devices hold the model is unknown: ${verdict.reason}`;
      context.log({ kind: "warning", subject: inputs.name, text });
      return;
    }
    if (looks === mostLooks) throw await notHeld(context, inputs, definition, verdict);
    await context.clock.sleep(pauseSeconds, context.signal);
  }
}

/**
 * What is not as it should be with the devices of a runner that answers: they do not hold its model, or the host counts
 * them otherwise since it was made, so that a runner that came back by itself has others. Of all instances on a host together
 * NVIDIA's tool is asked once, and again only before something is said; other vendors' would be asked several times.
 */
export async function deviceDrift(context: Context, inputs: InstanceInputs, runner: number): Promise<string[]> {
  const { devices = [], container, env } = inputs;
  const byFiles = container?.devices !== undefined && "nodes" in container.devices;
  if (byFiles) return findMoved(container.devices, (await context.facts()).accelerators);
  if (container === undefined && hasNumbers(env, devices)) {
    const moved = findRenumbered(devices, env, (await context.facts()).accelerators);
    if (moved.length > 0) return moved;
  }
  if (devices.length === 0 || !devices.every((device) => device.startsWith("GPU-"))) return [];
  const question = { vendors: ["nvidia"], briefly: true, signal: context.signal } as const;
  const modelBytes = await findModelBytes(context, inputs);
  const pid = await findModelHolder(context, inputs, runner);
  const known = judge(inputs, pid, modelBytes, await context.acceleratorUse.with(pid, question));
  if (known.kind !== "missing") return [];
  const verdict = judge(inputs, pid, modelBytes, await context.acceleratorUse.now(question));
  return verdict.kind === "missing" ? [`its devices do not hold the model: ${verdict.seen}`] : [];
}

/** Whether one of the devices is known by nothing but its number, which may be another's after a reboot. */
export async function hasNumberedDevice(context: Context, devices: readonly string[] = []): Promise<boolean> {
  if (devices.length === 0) return false;
  const { accelerators } = await context.facts();
  return accelerators.some(({ uuid, identifiedBy }) => identifiedBy === "index" && devices.includes(uuid));
}

/**
 * Which card has a number after a reboot nobody can tell, so it is said once, until the instance is verified again.
 *
 * @param bootId of the start of the machine in which it was verified, where that matters
 */
export async function bootDrift(
  { host }: Context,
  { devices = [] }: InstanceInputs,
  bootId?: string,
): Promise<string[]> {
  const now = bootId === undefined ? undefined : await findBootId(host);
  if (now === bootId || now === undefined) return [];
  return [
    `its host was started anew since it was verified, and ${devices.join(", ")} may be another card now: only its number is known`,
  ];
}

type Verdict = Exclude<HeldVerdict, { kind: "missing" }> | (HeldVerdict & { kind: "missing"; leastBytes: number });

function judge(inputs: InstanceInputs, pid: number, modelBytes: number | undefined, use: AcceleratorUse): Verdict {
  const { devices = [], argv, env, secretEnv } = inputs;
  const byHand = isPlacedByHand(argv, { ...env, ...secretEnv });
  const least = leastMemory({ modelBytes, devices, isPlacedByHand: byHand, accelerators: use.accelerators });
  if (least.kind === "unknown") return least;
  const verdict = judgeHeld({ devices, leastBytes: least.bytes, pid, use });
  return verdict.kind === "missing" ? { ...verdict, leastBytes: least.bytes } : verdict;
}

/** Bytes of the model's files, as they were when they were put in place: of a group, this host's part of them. */
async function findModelBytes({ host, reference }: Context, inputs: InstanceInputs): Promise<number | undefined> {
  const record = await readModelRecord(host, posix.join(dataPaths(reference.dataDir).models, inputs.modelSha256));
  if (record === undefined) return undefined;
  return Object.values(record.files).reduce((all, { sizeBytes }) => all + sizeBytes, 0) / countHolders(inputs);
}

/** Whose devices they are. */
export function vendorsOf(devices: readonly string[], accelerators: readonly Accelerator[]): Vendor[] {
  const owners = accelerators.filter(({ uuid, mig }) =>
    [uuid, ...(mig?.devices ?? []).map((part) => part.uuid)].some((each) => devices.includes(each)),
  );
  return [...new Set(owners.flatMap(({ vendor }) => (vendor === undefined ? [] : [vendor])))];
}

async function notHeld(
  context: Context,
  inputs: InstanceInputs,
  definition: RunnerDefinition,
  { seen, leastBytes }: Extract<Verdict, { kind: "missing" }>,
): Promise<BerthError> {
  const { devices = [], backend } = inputs;
  return new BerthError("runner-failed", {
    where: `host ${context.host.name}: ${inputs.name}`,
    what: "the runner answers, but its devices do not hold the model",
    got: seen,
    expected: `at least ${formatBytes(leastBytes)} of the runner's on ${devices.join(", ")}, and on no other device`,
    hint: `an engine that finds no device runs on the processor: look in the lines below why ${backend} found none (no build for these devices, a driver too old for it, no device files). What it is to keep in the host's memory, its parameters have to say`,
    detail: context.redact(await context.supervisor(inputs.runtime).readOutput(definition, shownLogLines)),
  });
}
