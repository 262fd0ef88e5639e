/** What a container tells of its runner. */
import type { ContainerBody } from "./container-body.js";
import { differences } from "./container-difference.js";
import type { ContainerEnd, ContainerStatus } from "./container-engine.js";
import type { RunnerState } from "./supervisor.js";

/** What of a container was changed, in words; without what was written down nobody knows. */
export function changesOf(written: ContainerBody | undefined, seen: ContainerBody): string[] {
  if (written === undefined) return ["its definition is gone"];
  const known = new Set(variablesOf(written));
  const added = variablesOf(seen).some((name) => !known.has(name));
  return [...new Set([...differences(written, seen), ...(added ? ["environment"] : [])])];
}

/** The names of its environment. */
export function variablesOf({ Env }: Pick<ContainerBody, "Env">): string[] {
  return (Env as ContainerBody["Env"] | null | undefined)?.map(nameOf) ?? [];
}

/** Of a variable, as `NAME=value`. */
export function nameOf(variable: string): string {
  return variable.replace(/=.*$/s, "");
}

export function stateOf({ state, pid, startedAt, exitCode, outOfMemory, error }: ContainerStatus): RunnerState {
  if (state === "running") return { kind: "running", pid, ...(startedAt === "" ? {} : { startedAt }) };
  if (state === "paused") return { kind: "paused" };
  const said = error === "" ? "" : `: ${error}`;
  const reason = `${state}, ${endText({ exitCode, outOfMemory })}${said}`;
  return { kind: state === "restarting" ? "restarting" : "stopped", reason };
}

export function endText({ exitCode, outOfMemory }: ContainerEnd): string {
  return `exit code ${exitCode}${outOfMemory ? ", out of memory" : ""}`;
}
