/** Whether a running instance is what the lock asks for: its process or its container as it is now. */
import type { DesiredBackendVersion, DesiredInstance } from "../planner/desired.js";
import type { ProofRow, Seen, Verdict } from "../planner/provenance.js";
import type { RunnerState } from "../runtime/supervisor.js";
import { proveContainer } from "./container-proof.js";
import type { InstallationProof } from "./installation-proof.js";
import { instanceFolder, readRecord } from "./instance-files.js";
import { environmentOf, runnerDefinition } from "./instance-runner.js";
import type { Context } from "./kind.js";
import { proveProcess } from "./process-proof.js";

export interface ProofProblem {
  /** `project/stack`. */
  readonly owner: string;
  readonly instance: DesiredInstance;
  readonly backendVersion: DesiredBackendVersion;
  readonly installation: InstallationProof;
  /** Of the lock's secret variables, as the state has them. */
  readonly secretEnv: Seen<Readonly<Record<string, string>>>;
}

/** Rows of the runner that was verified last. What is found is never an error. */
export async function proveInstance(context: Context, problem: ProofProblem): Promise<ProofRow[]> {
  const { instance, owner } = problem;
  const folder = instanceFolder(context.reference.dataDir, owner, instance.name);
  const record = await readRecord(context.host, folder);
  const generation = record?.current;
  if (generation === undefined) return [runnerRow(instance, "nothing was verified there", "differs")];
  const { healthyDeadlineSeconds, stopSeconds, runtime } = instance.placed;
  const definition = runnerDefinition({ healthyDeadlineSeconds, stopSeconds }, folder, generation, record);
  const { state } = await context.supervisor(runtime).observe(definition);
  const seen = { port: record?.ports?.[generation], environment: wantedEnvironment(problem, folder) };
  const rows =
    instance.container === undefined
      ? await proveProcess(context, { ...problem, ...seen, kept: state.kind === "running" ? state.pid : undefined })
      : await proveContainer(context, { ...problem, ...seen, definition, generation });
  return [stateRow(instance, state), ...rows];
}

function runnerRow({ placed: { runtime } }: DesiredInstance, found: string, verdict: Verdict): ProofRow {
  const what = runtime === "docker" ? "container" : "process";
  return { what, wanted: `kept by ${runtime}`, found, verdict };
}

function stateRow(instance: DesiredInstance, state: RunnerState): ProofRow {
  switch (state.kind) {
    case "running":
      return runnerRow(instance, `runs, process ${state.pid}`, "proven");
    case "stopped":
    case "restarting":
      return runnerRow(instance, `${state.kind}: ${state.reason}`, "differs");
    case "paused":
      return runnerRow(instance, "is paused", "differs");
    case "absent":
      return runnerRow(instance, "is not known there", "differs");
    case "unsupervised":
      return runnerRow(instance, "its supervisor does not run", "differs");
  }
}

function wantedEnvironment(
  { instance, owner, secretEnv }: ProofProblem,
  folder: string,
): Seen<Readonly<Record<string, string>>> {
  if ("unknown" in secretEnv) return secretEnv;
  const { env, release, container, host, placed } = instance;
  const subordinates = instance.subordinates.map((name, index) => ({ name, ray: placed.subordinates?.[index]?.ray }));
  const variables = { env: { ...env, ...release.env }, secretEnv: secretEnv.value };
  return { value: environmentOf({ ...variables, container, owner, host, subordinates }, folder) };
}
