/** What a process of a host really is, as the kernel tells in `/proc`. */
import { posix } from "node:path";

import type { Host } from "../host/host.js";
import { systemCode } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { Seen, SeenProcess } from "../planner/provenance.js";

/** Of a host without `/proc`, such as macOS, nothing can be told; of another user's process little. */
export async function readLiveProcess(host: Host, pid: number, signal?: AbortSignal): Promise<SeenProcess> {
  if ((await host.status("/proc/self")) === undefined) return unseenProcess("the host has no /proc");
  const at = (name: string) => posix.join("/proc", String(pid), name);
  const executable = at("exe");
  return {
    executable: await see(executable, () => host.readLink(executable)),
    // The kernel's link leads to the very file, also when another one has its place by now.
    executableSha256: await see(executable, () => host.sha256(executable, signal)),
    argv: await seeRecords(host, at("cmdline")),
    environment: mapSeen(await seeRecords(host, at("environ")), variablesOf),
  };
}

export function unseenProcess(unknown: string): SeenProcess {
  return { executable: { unknown }, executableSha256: { unknown }, argv: { unknown }, environment: { unknown } };
}

/** Reads `NAME=value` each; of a name that is there twice the first counts, as for `getenv`. */
export function variablesOf(entries: readonly string[]): Record<string, string> {
  const variables = entries.flatMap((entry) => {
    const end = entry.indexOf("=");
    return end > 0 ? [[entry.slice(0, end), entry.slice(end + 1)] as const] : [];
  });
  return Object.fromEntries(variables.reverse());
}

/** What can be seen; a file that cannot be read is told and is no error. */
export async function see<T>(path: string, read: () => Promise<T | undefined>): Promise<Seen<T>> {
  try {
    const value = await read();
    return value === undefined ? { unknown: `${path} is not there` } : { value };
  } catch (error) {
    const reason = lookUp(reasons, systemCode(error) ?? "");
    if (reason === undefined) throw error;
    return { unknown: `${reason}: ${path}` };
  }
}

/** Codes of system errors that say something of a file, and not of the way to it. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: "no permission to read",
  EPERM: "no permission to read",
  ENOENT: "nothing is there",
  ENOTDIR: "nothing is there",
  EISDIR: "a folder is there",
  ESRCH: "the process has ended",
};

/** Texts that end with a zero byte each. */
function seeRecords(host: Host, path: string): Promise<Seen<readonly string[]>> {
  return see(path, async () => (await host.readText(path))?.replace(/\0$/, "").split("\0"));
}

function mapSeen<T, U>(seen: Seen<T>, change: (value: T) => U): Seen<U> {
  return "unknown" in seen ? seen : { value: change(seen.value) };
}
