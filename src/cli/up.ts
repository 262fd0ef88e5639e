import { desiredExtras } from "../planner/desired-commands.js";
import { desiredStack } from "../planner/desired.js";
import { hostsVariable } from "../planner/waves.js";
import type { LockFile } from "../schema/lock.js";
import { hostTargets } from "./host-targets.js";
import { describeLock, solveLock } from "./lock.js";
import { readState } from "./state.js";
import { chooseStack, openPulumi, type Pulumi, type Workplace } from "./workplace.js";

export interface UpOptions {
  /** The hosts to change. Default: all. */
  host?: readonly string[];
}

/**
 * Runs `pulumi up` in the terminal, for some hosts alone when they are named: everything else stays as it is.
 *
 * @param passed further arguments for `pulumi up`
 * @returns Pulumi's exit code
 */
export async function up(
  workplace: Workplace,
  named: string | undefined,
  { host: hosts = [] }: UpOptions,
  passed: readonly string[],
): Promise<number> {
  const stack = await chooseStack(workplace, named);
  const solved = await solveLock(workplace, stack, { frozen: false, anew: false });
  workplace.note(describeLock(solved));
  const pulumi = await openPulumi(workplace);
  const targets = hosts.length === 0 ? [] : await targetsOf(workplace, solved.lock, pulumi, stack, hosts);
  const args = ["up", "--stack", stack, ...targets.flatMap((target) => ["--target", target]), ...passed];
  return pulumi.attach(args, hosts.length === 0 ? {} : { [hostsVariable]: hosts.join(",") });
}

async function targetsOf(
  { root }: Workplace,
  lock: LockFile,
  pulumi: Pulumi,
  stack: string,
  hosts: readonly string[],
): Promise<string[]> {
  const state = (await readState(pulumi, stack)) ?? { resources: [], extras: [] };
  const { project } = pulumi;
  return hostTargets({ stack, project, hosts, desired: desiredStack(lock, root), extras: desiredExtras(lock), state });
}
