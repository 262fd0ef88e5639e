/** Which processes of a host are an instance's, of whatever stack. */
import type { Holder } from "../host/claim-conflict.js";
import { isSubordinateOf } from "../host/claims.js";
import { listEntries } from "../host/journal.js";
import { generationOf, runnerId } from "../runtime/runner-id.js";
import { runtimes, type Supervisor } from "../runtime/supervisor.js";
import { instanceFolder, readRecord, type InstanceRecord } from "./instance-files.js";
import type { Generation } from "./instance-plan.js";
import { runnerDefinition } from "./instance-runner.js";
import type { Context } from "./kind.js";
import { partDefinition, parts, subordinateFolder } from "./subordinate-part.js";

interface RunningGeneration {
  readonly generation: Generation;
  readonly pid: number;
}

/** The first processes of what an instance has on a host. */
export interface InstanceProcesses {
  readonly runners: readonly RunningGeneration[];
  /** Of its subordinates there: an RPC server, or a node of its Ray cluster, which starts the workers. */
  readonly subordinates: readonly number[];
}

export async function findProcesses(context: Context, holder: Holder): Promise<InstanceProcesses> {
  const [runners, subordinates] = await Promise.all([findRunners(context, holder), findSubordinates(context, holder)]);
  return { runners, subordinates };
}

export function pidsAmong({ runners, subordinates }: InstanceProcesses): number[] {
  return [...runners.map(({ pid }) => pid), ...subordinates];
}

async function findRunners(context: Context, { owner, instance }: Holder): Promise<RunningGeneration[]> {
  const folder = instanceFolder(context.reference.dataDir, owner, instance);
  const record = await readRecord(context.host, folder);
  // What is being created has a record that does not tell yet.
  const supervisors = (record?.runtime === undefined ? runtimes : [record.runtime]).map(context.supervisor);
  const found = supervisors.map(async (supervisor) => {
    const ids = (await supervisor.list()).filter((id) => id.startsWith(runnerId(folder, "")));
    return Promise.all(ids.map((id) => runningOf(supervisor, folder, generationOf(id), record)));
  });
  return (await Promise.all(found)).flat(2);
}

async function runningOf(
  supervisor: Supervisor,
  folder: string,
  generation: Generation,
  record: InstanceRecord | undefined,
): Promise<RunningGeneration[]> {
  const times = { healthyDeadlineSeconds: 0, stopSeconds: 0 };
  const { state } = await supervisor.observe(runnerDefinition(times, folder, generation, record));
  return state.kind === "running" ? [{ generation, pid: state.pid }] : [];
}

/** Their records may be older than what runs. */
async function findSubordinates({ host, reference, supervisor }: Context, holder: Holder): Promise<number[]> {
  const entries = (await listEntries(host, reference.dataDir)).filter((entry) => isSubordinateOf(entry, holder));
  if (entries.length === 0) return [];
  const folders = entries.map(({ owner, name }) => subordinateFolder(reference, owner, name));
  const definitions = folders.flatMap((folder) => parts.map((part) => partDefinition(folder, part)));
  const keepers = runtimes.filter((runtime) => runtime !== "docker").map(supervisor);
  const found = keepers.map(async (keeper) => {
    const ids = await keeper.list();
    const seen = await Promise.all(
      definitions.filter(({ id }) => ids.includes(id)).map((each) => keeper.observe(each)),
    );
    return seen.flatMap(({ state }) => (state.kind === "running" ? [state.pid] : []));
  });
  return (await Promise.all(found)).flat();
}
