import { findProcessAge, findSecondsSince } from "../host/process-age.js";
import { instanceFolder, readRecord } from "./instance-files.js";
import type { InstanceInputs } from "./instance-inputs.js";
import { runnerDefinition } from "./instance-runner.js";
import type { Context } from "./kind.js";

/**
 * How long the runner that was verified last has been running without a restart, seconds: since its process was
 * started, or its container, as the host tells. It is what really runs, so a crash or a reboot begins it anew, and an
 * `up` that touches no runner does not. Undefined when nothing runs, or where that cannot be told.
 */
export async function findRunningSeconds(context: Context, inputs: InstanceInputs): Promise<number | undefined> {
  const { host, reference, supervisor } = context;
  const folder = instanceFolder(reference.dataDir, inputs.owner, inputs.name);
  const record = await readRecord(host, folder);
  if (record?.current === undefined) return undefined;
  const { state } = await supervisor(inputs.runtime).observe(runnerDefinition(inputs, folder, record.current, record));
  if (state.kind !== "running") return undefined;
  // Of supervised processes the pid tells; a container's may be another machine's, as with Docker Desktop.
  return state.startedAt === undefined ? findProcessAge(host, state.pid) : findSecondsSince(host, state.startedAt);
}
