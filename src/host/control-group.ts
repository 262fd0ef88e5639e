/** Processes by the control group that they are in, as cgroups(7) tells it. */
import type { Host } from "./host.js";

const root = "/sys/fs/cgroup";

/**
 * The processes of the control group that a process is in, that one among them; undefined where the system does not
 * tell. Of a container's first process these are the container's, groups that it makes of its own left out.
 */
export async function findGroupMembers(
  host: Pick<Host, "readText">,
  pid: number,
): Promise<ReadonlySet<number> | undefined> {
  const path = membersPath((await host.readText(`/proc/${pid}/cgroup`)) ?? "");
  const text = path === undefined ? undefined : await host.readText(path);
  const members = new Set((text ?? "").split("\n").flatMap((line) => (/^\d{1,10}$/.test(line) ? [Number(line)] : [])));
  return members.has(pid) ? members : undefined;
}

/** Reads `/proc/PID/cgroup`: a line for each hierarchy, version 2 with number 0. The group of all has no members of its own. */
export function membersPath(text: string): string | undefined {
  const memory = /^\d+:(?:\w+,)*memory(?:,\w+)*:(\/.+)$/m.exec(text)?.[1];
  if (memory !== undefined) return `${root}/memory${memory}/cgroup.procs`;
  const unified = /^0::(\/.+)$/m.exec(text)?.[1];
  return unified === undefined ? undefined : `${root}${unified}/cgroup.procs`;
}
