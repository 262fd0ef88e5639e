/** How much of a host's memory processes have. */
import { BerthError } from "../lib/errors.js";
import type { Host } from "./host.js";

const lookSeconds = 15;

/** Bytes of one process. */
export interface ProcessMemory {
  /** All that it has, with files that it maps and what others have too. */
  readonly residentBytes: number;
  /** The same, with its part of what several have; undefined where the system does not tell. */
  readonly proportionalBytes?: number | undefined;
  /** What is in no file, and free when it ends; undefined where the system does not tell. */
  readonly anonymousBytes?: number | undefined;
}

/** By process id. Processes that have ended, or that nobody may look at, are left out. */
export async function findProcessMemory(
  host: Pick<Host, "readText" | "run">,
  pids: readonly number[],
): Promise<Map<number, ProcessMemory>> {
  const rollups = await Promise.all(pids.map(async (pid) => [pid, await readRollup(host, pid)] as const));
  const found = new Map(rollups.flatMap(([pid, memory]) => (memory === undefined ? [] : [[pid, memory] as const])));
  const others = pids.filter((pid) => !found.has(pid));
  if (others.length === 0) return found;
  // Of other users' processes, and where there is no /proc.
  const argv = ["ps", "-o", "pid=,rss=", "-p", others.join(",")] as const;
  const { stdout } = await host.run(argv, { timeoutSeconds: lookSeconds });
  return new Map([...found, ...readResident(stdout)]);
}

/** Undefined for a process that has ended, and for one that may not be looked at. */
async function readRollup(host: Pick<Host, "readText">, pid: number): Promise<ProcessMemory | undefined> {
  try {
    return parseRollup((await host.readText(`/proc/${pid}/smaps_rollup`)) ?? "");
  } catch (error) {
    if (error instanceof BerthError) throw error;
    return undefined;
  }
}

/** Reads `Rss:`, `Pss:` and `Anonymous:` of `/proc/PID/smaps_rollup`. */
export function parseRollup(text: string): ProcessMemory | undefined {
  const bytes = (field: string): number | undefined => {
    const kibibytes = new RegExp(`^${field}: +(\\d{1,15}) kB$`, "m").exec(text)?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  };
  const residentBytes = bytes("Rss");
  if (residentBytes === undefined) return undefined;
  return { residentBytes, proportionalBytes: bytes("Pss"), anonymousBytes: bytes("Anonymous") };
}

/** Reads `ps -o pid=,rss=`. */
export function readResident(text: string): Map<number, ProcessMemory> {
  const rows = [...text.matchAll(/^ *(\d{1,10}) +(\d{1,15}) *$/gm)];
  return new Map(rows.map(([, pid, kibibytes]) => [Number(pid), { residentBytes: Number(kibibytes) * 1024 }]));
}
