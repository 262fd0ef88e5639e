import { posix } from "node:path";

import { z } from "zod";

import type { Host } from "../host/host.js";
import type { Clock } from "../lib/clock.js";
import { lastLines } from "../lib/format.js";
import { runnerContainer } from "../schema/container.js";
import type { OutputFollower, RunnerDefinition, RunnerSpec } from "./supervisor.js";

const pollSeconds = 0.2;

/** The words that run `tools/python/exec.py` on a host. An upgrade of Berth does not change them. */
export interface Launcher {
  /** Changes nothing on the host; undefined where no Python is found. */
  readonly findLauncher: () => Promise<readonly string[] | undefined>;
  /** The same words; writes the script when it is missing or another. */
  readonly makeLauncher: () => Promise<readonly string[]>;
}

/** What `tools/python/exec.py` reads. */
export function execFile({ argv, environment, folder, container }: RunnerContent & Pick<RunnerSpec, "folder">): string {
  const own = container === undefined ? {} : { container };
  return `${JSON.stringify({ argv, environment, directory: folder, ...own })}\n`;
}

export function execPath(folder: string): string {
  return posix.join(folder, "exec.json");
}

const execContent = z.strictObject({
  argv: z.array(z.string()),
  environment: z.record(z.string(), z.string()),
  directory: z.string(),
  container: runnerContainer.optional(),
});

type RunnerContent = Pick<RunnerSpec, "argv" | "environment" | "container">;

/** What a runner was last started with; undefined when its file is gone or was changed into something else. */
export async function readRunner(host: Host, folder: string): Promise<RunnerContent | undefined> {
  const text = await host.readText(execPath(folder));
  if (text === undefined) return undefined;
  try {
    return execContent.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Standard output and error of a runner. */
export function outputPath(folder: string): string {
  return posix.join(folder, "output.log");
}

/** Writes what a runner needs before it starts: a folder that only its owner can read, and in it argv and environment. */
export async function writeRunnerFiles(host: Host, spec: RunnerSpec): Promise<void> {
  await host.makeDirectory(spec.folder, 0o700);
  await host.writeFile(execPath(spec.folder), execFile(spec), 0o600);
}

/** Written by `exec.py`; the runner has this process id. */
export function pidPath(folder: string): string {
  return posix.join(folder, "pid");
}

/**
 * The process of a runner, whoever supervises it. A process counts as this runner only when it has the recorded id
 * and the runner's very arguments, because process ids are used again.
 */
export async function findRunner(host: Host, folder: string): Promise<number | undefined> {
  const pid = Number((await host.readText(pidPath(folder))) ?? 0);
  const runner = await readRunner(host, folder);
  if (!(pid > 0) || runner === undefined) return undefined;
  // A script's first argument is replaced by its interpreter's.
  const [command = "", ...rest] = runner.argv;
  return (await host.findProcesses(rest.length === 0 ? [command] : rest)).find((found) => found === pid);
}

/** Ends a runner that outlived its supervisor. */
export function endOrphan(
  host: Host,
  { folder, stopSeconds }: Pick<RunnerDefinition, "folder" | "stopSeconds">,
  clock: Clock,
): Promise<void> {
  return endProcess(host, () => findRunner(host, folder), stopSeconds, clock);
}

/** Asks a process to end, and ends it when it has not after a time. */
export async function endProcess(
  host: Host,
  find: () => Promise<number | undefined>,
  patienceSeconds: number,
  clock: Clock,
): Promise<void> {
  const pid = await find();
  if (pid === undefined) return;
  await host.run(["kill", "-TERM", String(pid)]);
  for (let waited = 0; waited < patienceSeconds; waited += pollSeconds) {
    if ((await find()) !== pid) return;
    await clock.sleep(pollSeconds);
  }
  await host.run(["kill", "-KILL", String(pid)]);
}

/** The last lines that a runner wrote. Not redacted. */
export async function readOutput(host: Host, folder: string, lines: number): Promise<string> {
  const { exitCode, stdout } = await host.run(["tail", "-n", String(lines), outputPath(folder)], {
    timeoutSeconds: 10,
  });
  return exitCode === 0 ? lastLines(stdout, lines) : "";
}

/** The same, and then each line as it is written, until the signal. Not redacted. */
export async function followOutput(
  host: Host,
  folder: string,
  lines: number,
  { onLine, signal }: OutputFollower,
): Promise<void> {
  await host.run(["tail", "-n", String(lines), "-F", outputPath(folder)], { signal, onLine });
}
