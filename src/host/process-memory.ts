/** How much of a host's memory processes have. */
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
  host: Pick<Host, "run">,
  pids: readonly number[],
): Promise<Map<number, ProcessMemory>> {
  const paths = pids.map((pid) => `/proc/${pid}/smaps_rollup`);
  const rollups = await host.run(["grep", "-Hs", "-E", "^(Rss|Pss|Anonymous):", "/dev/null", ...paths], {
    timeoutSeconds: lookSeconds,
  });
  const found = readRollups(rollups.stdout);
  const others = pids.filter((pid) => !found.has(pid));
  if (others.length === 0) return found;
  // Of other users' processes, and where there is no /proc.
  const argv = ["ps", "-o", "pid=,rss=", "-p", others.join(",")] as const;
  const { stdout } = await host.run(argv, { timeoutSeconds: lookSeconds });
  return new Map([...found, ...readResident(stdout)]);
}

const fields = { Rss: "residentBytes", Pss: "proportionalBytes", Anonymous: "anonymousBytes" } as const;

/** Reads `Rss:`, `Pss:` and `Anonymous:` of `/proc/PID/smaps_rollup`, with the path before each line. */
export function readRollups(text: string): Map<number, ProcessMemory> {
  const found = new Map<number, ProcessMemory>();
  const lines = text.matchAll(/^\/proc\/(\d+)\/smaps_rollup:(Rss|Pss|Anonymous): +(\d+) kB$/gm);
  for (const [, pid, field, kibibytes] of lines) {
    const known = found.get(Number(pid)) ?? { residentBytes: 0 };
    const told = { [fields[field as keyof typeof fields]]: Number(kibibytes) * 1024 };
    found.set(Number(pid), { ...known, ...told });
  }
  return found;
}

/** Reads `ps -o pid=,rss=`. */
export function readResident(text: string): Map<number, ProcessMemory> {
  const rows = [...text.matchAll(/^ *(\d{1,10}) +(\d{1,15}) *$/gm)];
  return new Map(rows.map(([, pid, kibibytes]) => [Number(pid), { residentBytes: Number(kibibytes) * 1024 }]));
}
