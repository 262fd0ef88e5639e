/** What a runner that was verified really uses, to be set beside what was estimated. */
import { sumDeviceBytes, sumHostBytes } from "../health/used-memory.js";
import { findGroupMembers } from "../host/control-group.js";
import { findProcessMemory } from "../host/process-memory.js";
import { familyOf, findProcessTable } from "../host/process-table.js";
import { BerthError } from "../lib/errors.js";
import type { UsedMemory } from "../schema/placement.js";
import { vendorsOf } from "./instance-devices.js";
import type { Context } from "./kind.js";

export interface MeasuredRunner {
  readonly runtime: string;
  readonly devices: readonly string[] | undefined;
  /** Its first process; 0 when there is none. */
  readonly pid: number;
  /** The process whose family holds the model, such as the head of its Ray cluster. Default: the same. */
  readonly holder?: number;
}

/** Undefined where nothing can be told of it. What cannot be measured is no reason against what was verified. */
export async function findUsedMemory(context: Context, runner: MeasuredRunner): Promise<UsedMemory | undefined> {
  try {
    const family = await findFamily(context, runner);
    if (family.size === 0) return undefined;
    const memory = await findProcessMemory(context.host, [...family]);
    const hostBytes = sumHostBytes([...memory.values()]);
    const devices = await findDeviceBytes(context, runner, family);
    if (hostBytes === undefined && devices.length === 0) return undefined;
    const at = context.clock.now().toISOString();
    return { ...(hostBytes === undefined ? {} : { hostBytes }), devices, at };
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    return undefined;
  }
}

/** A container's are in a group of their own, which is told sooner than all that the host runs. */
async function findFamily(
  { host }: Context,
  { runtime, pid, holder = pid }: MeasuredRunner,
): Promise<ReadonlySet<number>> {
  const members = runtime === "docker" ? await findGroupMembers(host, pid) : undefined;
  if (members !== undefined) return members;
  const table = await findProcessTable(host);
  return new Set([...familyOf(pid, table), ...familyOf(holder, table)]);
}

async function findDeviceBytes(
  context: Context,
  { devices = [], pid, holder = pid }: MeasuredRunner,
  family: ReadonlySet<number>,
): Promise<UsedMemory["devices"]> {
  if (devices.length === 0) return [];
  const { accelerators } = await context.facts();
  // Its verification has just looked.
  const { usage } = await context.acceleratorUse.with(holder, { vendors: vendorsOf(devices, accelerators) });
  return sumDeviceBytes(devices, usage, family);
}
