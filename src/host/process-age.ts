import type { Host } from "./host.js";

const psSeconds = 15;

/** How long a process of the host has been running, seconds. Undefined when there is none, or the host does not tell. */
export async function findProcessAge(host: Pick<Host, "run">, pid: number): Promise<number | undefined> {
  const { exitCode, stdout } = await host.run(["ps", "-axo", "pid=,etime="], { timeoutSeconds: psSeconds });
  return exitCode === 0 ? readProcessAge(stdout, pid) : undefined;
}

/** Reads `ps -axo pid=,etime=`, which every system has: `[[days-]hours:]minutes:seconds`. */
export function readProcessAge(text: string, pid: number): number | undefined {
  for (const [, id, days = "0", hours = "0", minutes, seconds] of text.matchAll(
    /^ *(\d{1,10}) +(?:(?:(\d{1,6})-)?(\d{1,2}):)?(\d{1,2}):(\d{2}) *$/gm,
  )) {
    if (Number(id) === pid) return ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds);
  }
  return undefined;
}

/**
 * Seconds from an instant that something of the host told until now, by the host's own clock, which may be another than
 * this machine's. Undefined for a text that is no instant, or one to come.
 */
export async function findSecondsSince(host: Pick<Host, "run">, instant: string): Promise<number | undefined> {
  const { exitCode, stdout } = await host.run(["date", "+%s"], { timeoutSeconds: psSeconds });
  const now = exitCode === 0 ? Number(stdout.trim()) : NaN;
  const seconds = now - Date.parse(instant) / 1000;
  // `date` has no fractions.
  return seconds > -1 ? Math.max(0, seconds) : undefined;
}
