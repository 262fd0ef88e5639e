/** What is written down of a runner that was verified. */
import { findBootId } from "../host/boot.js";
import { deviceShare } from "../planner/device-share.js";
import type { RunnerDefinition } from "../runtime/supervisor.js";
import { hasNumberedDevice } from "./instance-devices.js";
import { writeRecord, type InstanceRecord } from "./instance-files.js";
import type { InstanceInputs } from "./instance-inputs.js";
import type { Generation } from "./instance-plan.js";
import { recordedTarget } from "./instance-runner.js";
import { findUsedMemory } from "./instance-usage.js";
import type { Context } from "./kind.js";
import { findModelHolder } from "./model-holder.js";

export interface Verified {
  readonly context: Context;
  readonly inputs: InstanceInputs;
  /** The instance's folder. */
  readonly folder: string;
  /** What was written down before. */
  readonly record: InstanceRecord;
  readonly definition: RunnerDefinition;
  readonly generation: Generation;
  /** Whether it is what the inputs ask for; an older one is as it was recorded. */
  readonly isDesired: boolean;
  readonly ports: InstanceRecord["ports"];
}

export async function commitRunner(verified: Verified): Promise<void> {
  const { context, inputs, folder, record, definition, generation, isDesired, ports } = verified;
  const { state, restarts } = await context.supervisor(inputs.runtime).observe(definition);
  const held = isDesired ? { ...inputs, deviceBytes: deviceShare(inputs.memory) } : record;
  const { devices, deviceBytes } = held;
  const pid = state.kind === "running" ? state.pid : 0;
  const holder = await findModelHolder(context, inputs, pid);
  const usedMemory = await findUsedMemory(context, { runtime: inputs.runtime, devices, pid, holder });
  const bootId = (await hasNumberedDevice(context, devices)) ? await findBootId(context.host) : undefined;
  await writeRecord(context.host, folder, {
    schemaVersion: 1,
    salt: record.salt,
    current: generation,
    runtime: inputs.runtime,
    target: isDesired ? recordedTarget(inputs) : record.target,
    ports,
    ...(devices === undefined ? {} : { devices }),
    ...(deviceBytes === undefined ? {} : { deviceBytes }),
    ...(bootId === undefined ? {} : { bootId }),
    ...(usedMemory === undefined ? {} : { usedMemory }),
    startSeconds: definition.startSeconds,
    stopSeconds: definition.stopSeconds,
    restarts,
    pid,
  });
}
