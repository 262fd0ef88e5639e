import type { Host } from "./host.js";

const psSeconds = 15;

interface Entry {
  readonly parent: number;
  readonly group: number;
}

/** The processes of a host at one moment, by id. */
export type ProcessTable = ReadonlyMap<number, Entry>;

/** Of a host that does not tell, empty. */
export async function findProcessTable(host: Pick<Host, "run">): Promise<ProcessTable> {
  const { exitCode, stdout } = await host.run(["ps", "-axo", "pid=,ppid=,pgid="], { timeoutSeconds: psSeconds });
  return exitCode === 0 ? readProcessTable(stdout) : new Map();
}

/** Reads `ps -axo pid=,ppid=,pgid=`. */
export function readProcessTable(text: string): ProcessTable {
  const rows = [...text.matchAll(/^ *(\d{1,10}) +(\d{1,10}) +(\d{1,10}) *$/gm)];
  return new Map(rows.map(([, pid, parent, group]) => [Number(pid), { parent: Number(parent), group: Number(group) }]));
}

/**
 * A process, all that descend from it, and all of the groups that any of them leads: whoever loses its parent stays in
 * its group.
 */
export function familyOf(pid: number, table: ProcessTable): ReadonlySet<number> {
  const family = new Set<number>(table.has(pid) ? [pid] : []);
  for (let before = -1; before !== family.size;) {
    before = family.size;
    for (const [each, { parent, group }] of table) if (family.has(parent) || family.has(group)) family.add(each);
  }
  return family;
}
