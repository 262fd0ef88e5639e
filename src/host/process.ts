import { execFile } from "node:child_process";
import { readFile, readlink } from "node:fs/promises";
import { hostname, platform } from "node:os";
import { promisify } from "node:util";

const run = promisify(execFile);
/** USER_HZ of Linux, fixed in its interface to programs. */
const ticksPerSecond = 100;

/** The first process namespace of Linux, PROC_PID_INIT_INO. */
const firstNamespace = "pid:[4026531836]";

/**
 * Names this machine as long as it is up; a container, which has process ids of its own, is another machine even with
 * the host's name.
 */
export async function machineIdentity(): Promise<string> {
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(async () => {
    const { stdout } = await run("sysctl", ["-n", "kern.boottime"]);
    return stdout;
  });
  const namespace = await processNamespace();
  return `${hostname()} (${[boot.trim(), ...(namespace === undefined ? [] : [namespace])].join(" ")})`;
}

/** Whether every process of the machine can be seen from here; not so in a container. */
export async function seesWholeMachine(): Promise<boolean> {
  return ((await processNamespace()) ?? firstNamespace) === firstNamespace;
}

/** Process ids mean something only within one of these; undefined where the system has none. */
async function processNamespace(): Promise<string | undefined> {
  return readlink("/proc/self/ns/pid").catch(() => undefined);
}

/**
 * Names a process of this machine, `<pid>:<start>`, so that a process id that was given out again is told apart.
 * Undefined when there is none; a zombie counts as none.
 */
export async function processIdentity(pid: number): Promise<string | undefined> {
  return platform() === "linux" ? identityByProc(pid) : identityByPs(pid);
}

async function identityByProc(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  const started = text === undefined ? undefined : parseStat(text);
  return started === undefined ? undefined : `${pid}:${started}`;
}

async function identityByPs(pid: number): Promise<string | undefined> {
  const { stdout } = await run("ps", ["-o", "stat=,lstart=", "-p", String(pid)]).catch(() => ({ stdout: "" }));
  const [, state = "Z", started = ""] = /^(\S+)\s+(.*)$/.exec(stdout.trim()) ?? [];
  return state.startsWith("Z") ? undefined : `${pid}:${started}`;
}

/**
 * Start time of a process, in clock ticks since boot, from Linux' `/proc/<pid>/stat`. Undefined for one that has ended
 * and was not waited for.
 */
export function parseStat(stat: string): string | undefined {
  // The command's name stands in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}

/** When a process of this machine began; undefined when there is none or it has ended. */
export async function processStart(pid: number): Promise<Date | undefined> {
  if ((await processIdentity(pid)) === undefined) return undefined;
  if (platform() !== "linux") {
    const { stdout } = await run("ps", ["-o", "lstart=", "-p", String(pid)]).catch(() => ({ stdout: "" }));
    return new Date(stdout.trim());
  }
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const boot = /^btime (\d+)$/m.exec(await readFile("/proc/stat", "utf8"))?.[1];
  const ticks = parseStat(stat);
  return ticks === undefined ? undefined : new Date((Number(boot) + Number(ticks) / ticksPerSecond) * 1000);
}
