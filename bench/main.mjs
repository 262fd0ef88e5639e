/** Runs benchmarks by name, all without one: `npm run bench [-- NAME...]`. Results go to bench/results/NAME.json. */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";

import { describeMachine } from "./summary.mjs";

const benchmarks = {
  containers: () => import("./containers/benchmark.mjs"),
  estimate: () => import("./estimate/benchmark.mjs"),
  gateway: () => import("./gateway/benchmark.mjs"),
  install: () => import("./install/benchmark.mjs"),
  "lock-check": () => import("./lock-check/benchmark.mjs"),
  "many-hosts": () => import("./many-hosts/benchmark.mjs"),
  "model-download": () => import("./model-download/benchmark.mjs"),
  placement: () => import("./placement/benchmark.mjs"),
  rollback: () => import("./rollback/benchmark.mjs"),
  "no-change-up": () => import("./no-change-up/benchmark.mjs"),
  runners: () => import("./runners/benchmark.mjs"),
};

const results = new URL("results/", import.meta.url);
const controller = new AbortController();
// Not `once`: a listener of execa's ends the process at once when it finds itself alone.
process.on("SIGINT", () => controller.abort(new Error("interrupted")));
process.on("SIGTERM", () => controller.abort(new Error("terminated")));

async function run(name) {
  const { measure } = await benchmarks[name]();
  const report = (line) => console.log(`${name}: ${line}`);
  const result = await measure({ report, signal: controller.signal });
  const document = {
    benchmark: name,
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    ...result,
  };
  await mkdir(results, { recursive: true });
  await writeFile(new URL(`${name}.json`, results), `${JSON.stringify(document, undefined, 2)}\n`);
  console.log(JSON.stringify({ ...result.summary, ratio: result.ratio, stateBytes: result.stateBytes }, undefined, 2));
  for (const failure of result.failures) console.error(`${name}: failed: ${failure}`);
  return result.failures.length === 0;
}

if (!existsSync(new URL("../dist", import.meta.url))) {
  console.error("dist is missing; run `npm run build`");
  process.exit(1);
}
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(benchmarks, name));
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(", ")}; there are: ${Object.keys(benchmarks).join(", ")}`);
  process.exit(2);
}
for (const name of asked.length > 0 ? asked : Object.keys(benchmarks)) {
  const passed = await run(name).catch((error) => {
    console.error(`${name}: ${error.message}`);
    return false;
  });
  if (!passed) process.exitCode = 1;
}
