/** Whether the process of an instance is the one that the lock asks for, as the host's kernel tells. */
import { openPort } from "../catalog/runner-command.js";
import type { DesiredInstance } from "../planner/desired.js";
import {
  compareArguments,
  compareEnvironment,
  compareExecutable,
  type ProofRow,
  type Seen,
} from "../planner/provenance.js";
import { readLiveProcess, unseenProcess } from "../runtime/live-process.js";
import type { InstallationProof } from "./installation-proof.js";
import type { Context } from "./kind.js";

export interface ProcessProblem {
  readonly instance: DesiredInstance;
  readonly installation: InstallationProof;
  readonly environment: Seen<Readonly<Record<string, string>>>;
  /** The process that its supervisor keeps; undefined when it keeps none. */
  readonly kept: number | undefined;
  /** Where it listens behind the gateway. */
  readonly port: number | undefined;
}

export async function proveProcess(
  context: Context,
  { instance, installation, environment, kept, port }: ProcessProblem,
): Promise<ProofRow[]> {
  const { host, redact, signal } = context;
  const argv = instance.argv.map((word) => (port === undefined ? word : word.replaceAll(openPort, String(port))));
  const strays = (await findStrays(context, argv, port ?? instance.placed.port)).filter((pid) => pid !== kept);
  const pid = kept ?? strays[0];
  const live = pid === undefined ? unseenProcess("nothing runs") : await readLiveProcess(host, pid, signal);
  const script = installation.script;
  return [
    ...strays.map((stray) => strayRow(stray, kept === undefined && stray === pid)),
    compareExecutable(script === undefined ? "running program" : "running interpreter", installation.executable, live),
    compareArguments({ argv, script, redact }, live.argv),
    modelArgument(instance, argv, live.argv),
    compareEnvironment(environment, live.environment),
  ].filter((row) => row !== undefined);
}

/** @param isCompared the rows that follow are about it, as nothing else runs */
function strayRow(pid: number, isCompared: boolean): ProofRow {
  const found = `process ${pid}, which no supervisor keeps${isCompared ? "; it is the one that is compared" : ""}`;
  return { what: "other process", wanted: "none on this port", found, verdict: "differs" };
}

/** Processes of the instance's program that name its port. */
async function findStrays({ host }: Context, [program = ""]: readonly string[], port: number): Promise<number[]> {
  const pids = await host.findProcesses([program]);
  const named = new RegExp(`(?:^|[=:])${port}$`);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const { argv } = await readLiveProcess(host, pid);
      return "value" in argv && argv.value.some((word) => named.test(word)) ? [pid] : [];
    }),
  );
  return found.flat().sort((one, other) => one - other);
}

/** Whether it is given the very model whose files are compared; undefined for an engine that is told in another way. */
function modelArgument(
  { modelPath }: DesiredInstance,
  wanted: readonly string[],
  found: Seen<readonly string[]>,
): ProofRow | undefined {
  if (!wanted.some((word) => word.includes(modelPath))) return undefined;
  const row = { what: "model path", wanted: `…${modelPath.slice(-shownPath)}` };
  if ("unknown" in found) return { ...row, found: found.unknown, verdict: "unknown" };
  const isGiven = found.value.some((word) => word.includes(modelPath));
  return isGiven
    ? { ...row, found: "the same path", verdict: "proven" }
    : { ...row, found: "not among its arguments", verdict: "differs" };
}

/** Letters of a path's end, which tell its model apart. */
const shownPath = 40;
