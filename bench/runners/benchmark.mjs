import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { resolveRunner } from "../../dist/catalog/runner-resolution.js";
import { assembleRunners } from "../../dist/catalog/runner-catalogue.js";
import { listRunners } from "../../dist/catalog/runner-list.js";
import { parseConstraint } from "../../dist/schema/version-constraint.js";
import { round, summarise } from "../summary.mjs";

const runtimes = 25;
const servicesPerRuntime = 4;
const versionsPerService = 100;
const rounds = 30;
const starts = 15;
const limits = { milliseconds: 50, startMilliseconds: 250 };
const repository = fileURLToPath(new URL("../..", import.meta.url));
const berth = fileURLToPath(new URL("../../tools/berth.mjs", import.meta.url));

/**
 * How long a list and a look-up over a catalogue of 10,000 runner images take, after it is read; and how long a process
 * that lists this project's own images takes from its start to its first output.
 *
 * @param {{ report: (line: string) => void, signal: AbortSignal }} options
 * @returns {Promise<{ failures: string[] }>} the result; `failures` tells the limits that do not hold
 */
export async function measure({ report, signal }) {
  const asked = measureQuestions(report);
  const started = await measureStarts(report, signal);
  const failures = [...asked.failures, ...started.failures];
  const summary = { ...asked.summary, ...started.summary };
  return { images: asked.images, rounds, starts, summary, limits, failures };
}

/** Every other pair in the other order: what runs beside it should not count for one of them alone. */
async function measureStarts(report, signal) {
  const milliseconds = { firstOutput: [], floor: [] };
  for (let number = 0; number < starts; number += 1) {
    const pair = [
      ["firstOutput", () => timeStart([berth, "runner", "list"], "output", signal)],
      ["floor", () => timeStart(["-e", "0"], "end", signal)],
    ];
    for (const [name, start] of number % 2 === 0 ? pair : pair.reverse()) milliseconds[name].push(await start());
  }
  const summary = Object.fromEntries(Object.entries(milliseconds).map(([name, all]) => [name, summarise(all)]));
  const { median } = summary.firstOutput;
  report(`first output of berth runner list: ${median} ms; node -e 0: ${summary.floor.median} ms`);
  const isSlow = median > limits.startMilliseconds;
  return {
    summary,
    failures: isSlow ? [`first output: ${median} ms; expected at most ${limits.startMilliseconds}`] : [],
  };
}

/** From the start of a process to the first byte that it writes, or to its end. */
async function timeStart(args, until, signal) {
  const begun = performance.now();
  const child = spawn(process.execPath, args, { cwd: repository, stdio: ["ignore", "pipe", "inherit"], signal });
  const ended = once(child, "close");
  if (until === "output") await Promise.race([once(child.stdout, "data"), ended]);
  const atOutput = performance.now();
  child.stdout.resume();
  const [exitCode] = await ended;
  if (exitCode !== 0) throw new Error(`${args.join(" ")} ended with exit code ${exitCode}`);
  return round((until === "output" ? atOutput : performance.now()) - begun);
}

function measureQuestions(report) {
  const catalogue = assembleRunners([{ file: createFile(), where: "cuda.yaml" }]);
  const device = { type: "cuda", name: "GPU", index: 0, uuid: "U", memoryBytes: 0, driverVersion: "1" };
  const accelerators = [{ ...device, runtimeVersion: "12.9", computeCapability: "9.0" }];
  const facts = { os: "linux", arch: "x64", accelerators };
  const range = parseConstraint(">=0.3 <0.90");
  const questions = {
    list: () => listRunners(catalogue.images, { deprecated: true }),
    filter: () => listRunners(catalogue.images, { serviceVersion: range, acceleratorType: "cuda" }),
    resolve: () => resolveRunner(catalogue, facts, { service: "servicea", serviceVersion: range }),
  };
  const milliseconds = {};
  for (const [name, ask] of Object.entries(questions)) {
    milliseconds[name] = Array.from({ length: rounds }, () => {
      const begun = performance.now();
      ask();
      return round(performance.now() - begun);
    });
    report(`${name}: ${summarise(milliseconds[name]).median} ms over ${catalogue.images.length} images`);
  }
  const summary = Object.fromEntries(Object.entries(milliseconds).map(([name, all]) => [name, summarise(all)]));
  const failures = Object.entries(summary)
    .filter(([, { median }]) => median > limits.milliseconds)
    .map(([name, { median }]) => `${name}: ${median} ms; expected at most ${limits.milliseconds}`);
  return { images: catalogue.images.length, summary, failures };
}

function createFile() {
  const services = Array.from({ length: servicesPerRuntime }, (_, index) => `service${"abcdefgh"[index]}`);
  const images = (service) =>
    Array.from({ length: versionsPerService }, (_, index) => ({
      version: `0.${index}.${service.length}${index % 7 === 0 ? ".post1" : ""}`,
      platforms: ["linux/amd64", "linux/arm64"],
      ...{ rc: index % 11 === 0, deprecated: index % 5 === 0, polished: false, listed: true, published: true },
    }));
  return {
    ...{ schemaVersion: 1, acceleratorType: "cuda", name: "NVIDIA CUDA", vendor: "nvidia", device: "GPU" },
    hostRuntime: { comparable: true, source: "the driver" },
    services: Object.fromEntries(services.map((service) => [service, service])),
    versions: Array.from({ length: runtimes }, (_, index) => ({
      version: `${10 + Math.floor(index / 10)}.${index % 10}`,
      computeCapabilities: ["7.5", "8.0+PTX", "9.0"],
      images: Object.fromEntries(services.map((service) => [service, images(service)])),
    })),
  };
}
