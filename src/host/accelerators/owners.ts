import type { AcceleratorUsage } from "../../schema/facts.js";
import { readPid } from "./values.js";

const mostGenerations = 32;

/** Each process's parent, by `ps -axo pid=,ppid=`. */
export function readParents(text: string): Map<number, number> {
  const lines = [...text.matchAll(/^\s*(\d+)\s+(\d+)\s*$/gm)];
  return new Map(
    lines.flatMap(([, child, parent]) => {
      const pid = readPid(child);
      const parentPid = readPid(parent);
      return pid === undefined || parentPid === undefined ? [] : [[pid, parentPid] as const];
    }),
  );
}

/** The use of accelerators with the instance of each process that is a runner or descends from one. Pure. */
export function nameOwners(
  usage: readonly AcceleratorUsage[],
  runners: ReadonlyMap<number, string>,
  parents: ReadonlyMap<number, number>,
): AcceleratorUsage[] {
  return usage.map(({ processes, ...rest }) => {
    if (processes === undefined) return rest;
    const named = processes.map((process) => {
      const instance = ownerOf(process.pid, runners, parents);
      return instance === undefined ? process : { ...process, instance };
    });
    return { ...rest, processes: named };
  });
}

function ownerOf(
  pid: number,
  runners: ReadonlyMap<number, string>,
  parents: ReadonlyMap<number, number>,
): string | undefined {
  let ancestor: number | undefined = pid;
  for (let generation = 0; ancestor !== undefined && generation < mostGenerations; generation += 1) {
    const instance = runners.get(ancestor);
    if (instance !== undefined) return instance;
    ancestor = parents.get(ancestor);
  }
  return undefined;
}
