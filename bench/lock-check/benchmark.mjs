import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { execa } from "execa";

import { round, summarise } from "../summary.mjs";
import { createProject } from "./project.mjs";

const berth = fileURLToPath(new URL("../../tools/berth.mjs", import.meta.url));
const size = { seed: 1, deployments: 1000 };
const runs = 15;
const limits = { seconds: 1 };

/**
 * How long `berth lock --check` takes for a stack of 1,000 deployments whose lock holds: the whole process; beside it
 * a process that does nothing but start.
 *
 * @param {{ report: (line: string) => void, signal: AbortSignal }} options
 * @returns {Promise<{ failures: string[] }>} the result; `failures` tells the limits that do not hold
 */
export async function measure({ report, signal }) {
  const root = await mkdtemp(join(tmpdir(), "berth-bench-"));
  try {
    const lock = await createProject(root, size);
    const bytes = { stack: (await stat(join(root, "stacks", "dev.yaml"))).size, lock: (await stat(lock)).size };
    report(`a stack of ${bytes.stack} bytes, a lock of ${bytes.lock}`);
    const commands = { check: ["lock", "dev", "--check"], start: ["--version"] };
    const seconds = { check: [], start: [] };
    const cpuSeconds = { check: [], start: [] };
    for (let number = 0; number < runs; number += 1) {
      for (const [name, args] of Object.entries(commands)) {
        const taken = await timed(args, { root, signal });
        seconds[name].push(taken.seconds);
        cpuSeconds[name].push(taken.cpuSeconds);
      }
    }
    const summary = Object.fromEntries(
      Object.keys(commands).map((name) => [
        name,
        { seconds: summarise(seconds[name]), cpuSeconds: summarise(cpuSeconds[name]) },
      ]),
    );
    const { median } = summary.check.seconds;
    const failures = median > limits.seconds ? [`${median} s for a check; at most ${limits.seconds}`] : [];
    return { ...size, bytes, runs, limits, seconds, cpuSeconds, summary, failures };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** A process of Berth's that has to end well; by the clock, and what it took of the processors. */
async function timed(args, { root, signal }) {
  const before = await childCpuSeconds();
  const begun = performance.now();
  await execa(process.execPath, [berth, ...args], { cwd: root, stdin: "ignore", cancelSignal: signal });
  const seconds = round((performance.now() - begun) / 1000);
  return { seconds, cpuSeconds: round((await childCpuSeconds()) - before) };
}

/** What processes that this one started, and that have ended, took of the processors. */
async function childCpuSeconds() {
  const fields = (await readFile("/proc/self/stat", "utf8")).replace(/^.*\) /s, "").split(" ");
  // cutime and cstime of proc(5), in hundredths.
  return (Number(fields[13]) + Number(fields[14])) / 100;
}
