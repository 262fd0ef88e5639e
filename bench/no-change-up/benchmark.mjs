import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { obtainPulumi } from "../../dist/cli/toolchain.js";
import { Project } from "../project.mjs";
import { round, summarise } from "../summary.mjs";
import { engineFiles } from "./inputs.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const packageRoot = fileURLToPath(new URL("../..", import.meta.url));

const instances = 500;
const pairs = 7;
const limits = { ratio: 1.5, stateBytes: 12 * 1024 };

/**
 * How much longer a `pulumi up` that changes nothing takes with Berth than with a bare dynamic provider that does
 * nothing, with the same 500 instances.
 *
 * @param {{ report: (line: string) => void, signal: AbortSignal }} options
 * @returns {Promise<{ failures: string[] }>} the result; `failures` tells the limits that do not hold
 */
export async function measure({ report, signal }) {
  const { binDir, version } = await obtainPulumi({ environment: process.env, packageRoot, report });
  const folder = await mkdtemp(join(tmpdir(), "berth-bench-"));
  try {
    const { bare, berth } = await createProjects(folder, { binDir, signal });
    const times = await runAll(bare, berth, report);
    const stateBytes = { bare: await stateBytesOf(bare), berth: await stateBytesOf(berth) };
    return judge({ pulumi: version, instances, pairs, ...times, stateBytes });
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function createProjects(folder, how) {
  await createEngineFiles(join(folder, "data"));
  const create = (name) =>
    Project.create(
      {
        name,
        folder: join(folder, name),
        program: join(here, "program.mjs"),
        modules: { "@pulumi": join(packageRoot, "node_modules", "@pulumi"), "pulumi-bench": here },
        config: { instances: String(instances) },
        options: "{ refresh: always }",
      },
      how,
    );
  return { bare: await create("bare"), berth: await create("berth") };
}

/** Berth looks whether they are there before it starts an instance. */
async function createEngineFiles(dataDir) {
  for (const path of Object.values(engineFiles(dataDir))) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "");
  }
}

/** Creates both, then runs pairs of no-change ups, each pair in the other order than the one before. */
async function runAll(bare, berth, report) {
  const createSeconds = { bare: round(await bare.run("up")), berth: round(await berth.run("up")) };
  report(`create: bare ${createSeconds.bare} s, Berth ${createSeconds.berth} s`);
  const noChange = (project) => project.run("up", "--expect-no-changes");
  // The first run after a create is Berth's alone to pay for: its journal learns that the state has the resources.
  const firstSeconds = { bare: round(await noChange(bare)), berth: round(await noChange(berth)) };
  report(`first no-change: bare ${firstSeconds.bare} s, Berth ${firstSeconds.berth} s`);
  const seconds = { bare: [], berth: [] };
  for (let pair = 0; pair < pairs; pair += 1) {
    const order = [
      [bare, seconds.bare],
      [berth, seconds.berth],
    ];
    for (const [project, times] of pair % 2 === 0 ? order : order.reverse()) times.push(round(await noChange(project)));
    report(`no-change ${pair + 1} of ${pairs}: bare ${seconds.bare.at(-1)} s, Berth ${seconds.berth.at(-1)} s`);
  }
  return { createSeconds, firstSeconds, noChangeSeconds: seconds };
}

async function stateBytesOf(project) {
  const { bytes, count: found } = await project.state("Instance");
  if (found !== instances) throw new Error(`the state holds ${found} instances; expected ${instances}`);
  return Math.ceil(bytes / instances);
}

function judge(measured) {
  const { noChangeSeconds, stateBytes } = measured;
  const summary = { bare: summarise(noChangeSeconds.bare), berth: summarise(noChangeSeconds.berth) };
  const ratio = {
    ofMedians: round(summary.berth.median / summary.bare.median),
    ofMinima: round(summary.berth.min / summary.bare.min),
    ofPairs: summarise(noChangeSeconds.berth.map((seconds, pair) => seconds / noChangeSeconds.bare[pair])),
  };
  const failures = [];
  if (ratio.ofMedians > limits.ratio) failures.push(`ratio ${ratio.ofMedians}; expected at most ${limits.ratio}`);
  if (stateBytes.berth > limits.stateBytes)
    failures.push(`${stateBytes.berth} bytes of state an instance; expected at most ${limits.stateBytes}`);
  return { ...measured, summary, ratio, limits, failures };
}
