import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { installPlugins } from "../../dist/cli/toolchain-archive.js";
import { obtainPulumi } from "../../dist/cli/toolchain.js";
import { Project } from "../project.mjs";
import { round, summarise } from "../summary.mjs";
import { TinyImage } from "./image.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const packageRoot = fileURLToPath(new URL("../..", import.meta.url));

const containers = 100;
const rounds = 3;
/** Below the ports that systems give to connections. */
const firstPort = 21000;
const limits = { ratio: 0.8 };

const phases = {
  create: ["up"],
  noChange: ["up", "--expect-no-changes"],
  refresh: ["refresh", "--expect-no-changes"],
  destroy: ["destroy"],
};

/**
 * How long Berth takes for many containers on one engine, compared with `@pulumi/docker`: to create them, to see that
 * nothing changes, to look at each, and to take them away.
 *
 * @param {{ report: (line: string) => void, signal: AbortSignal }} options
 * @returns {Promise<{ failures: string[] }>} the result; `failures` tells the limits that do not hold
 */
export async function measure({ report, signal }) {
  const { binDir, version } = await obtainPulumi({ environment: process.env, packageRoot, report });
  const folder = await mkdtemp(join(tmpdir(), "berth-bench-"));
  let image;
  try {
    image = await TinyImage.load(join(folder, "image"));
    const projects = await createProjects(folder, image, { binDir, signal });
    await installPlugins({ binDir }, ["docker"], { environment: projects.docker.environment, report });
    const measured = await runAll(projects, image, report);
    return judge({ pulumi: version, containers, rounds, ...measured });
  } finally {
    await image?.remove();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function createProjects(folder, image, how) {
  const model = join(folder, "model.bin");
  await writeFile(model, "tiny");
  const ports = await findPorts(containers);
  const create = (side) =>
    Project.create(
      {
        // Not by the side alone: settings of a project `docker` would be its provider's.
        name: `tiny-${side}`,
        folder: join(folder, side),
        program: join(here, `${side}.mjs`),
        modules: { "@pulumi": join(packageRoot, "node_modules", "@pulumi"), "pulumi-berth": packageRoot },
        config: { image: image.id, model, dataDir: join(folder, "data"), ports: ports.join(",") },
        options: "{}",
      },
      how,
    );
  return { docker: await create("docker"), berth: await create("berth"), bare: await create("bare") };
}

/** `bare` is no contender: it tells what the engine and Pulumi take, whoever asks. */
const sides = ["docker", "berth", "bare"];

/** Each side has the engine to itself from create to destroy, each round another side first. */
async function runAll(projects, image, report) {
  const seconds = collect();
  const cpuSeconds = collect();
  for (let number = 0; number < rounds; number += 1) {
    const first = number % sides.length;
    for (const side of [...sides.slice(first), ...sides.slice(0, first)]) {
      for (const [phase, command] of Object.entries(phases)) {
        const before = await childCpuSeconds();
        seconds[phase][side].push(round(await projects[side].run(...command)));
        cpuSeconds[phase][side].push(round((await childCpuSeconds()) - before));
        await assertCount(image, phase === "destroy" ? 0 : containers);
      }
    }
    const times = Object.keys(phases).map((phase) => {
      return `${phase} ${sides.map((side) => `${seconds[phase][side].at(-1)} s`).join(", ")}`;
    });
    report(`round ${number + 1} of ${rounds}, docker, Berth and bare: ${times.join("; ")}`);
  }
  return { seconds, cpuSeconds };
}

function collect() {
  return Object.fromEntries(
    Object.keys(phases).map((phase) => [phase, Object.fromEntries(sides.map((side) => [side, []]))]),
  );
}

async function assertCount(image, expected) {
  const found = await image.countContainers();
  if (found !== expected) throw new Error(`the engine has ${found} containers; expected ${expected}`);
}

/** What processes that this one started, and that have ended, took of the processors. The engine is none of them. */
async function childCpuSeconds() {
  const fields = (await readFile("/proc/self/stat", "utf8")).replace(/^.*\) /s, "").split(" ");
  // cutime and cstime of proc(5), in hundredths.
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

function judge({ seconds, cpuSeconds, ...setting }) {
  const summary = {};
  const ratio = {};
  /** What a provider that does nothing else would have. */
  const leastRatio = {};
  const failures = [];
  for (const phase of Object.keys(seconds)) {
    const summariseSide = (side) => ({
      seconds: summarise(seconds[phase][side]),
      cpuSeconds: summarise(cpuSeconds[phase][side]),
    });
    summary[phase] = Object.fromEntries(sides.map((side) => [side, summariseSide(side)]));
    const { docker, berth, bare } = summary[phase];
    ratio[phase] = round(berth.seconds.median / docker.seconds.median);
    leastRatio[phase] = round(bare.seconds.median / docker.seconds.median);
    if (ratio[phase] > limits.ratio) failures.push(`${phase}: ratio ${ratio[phase]}; expected at most ${limits.ratio}`);
  }
  return { ...setting, seconds, cpuSeconds, summary, ratio, leastRatio, limits, failures };
}

/** Ports of this machine that nobody listens on. */
async function findPorts(count) {
  const found = [];
  for (let port = firstPort; found.length < count; port += 1) if (await isFree(port)) found.push(port);
  return found;
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
