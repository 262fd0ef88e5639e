import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { execa } from "execa";
import { parse, stringify } from "yaml";

import { obtainPulumi } from "../../dist/cli/toolchain.js";
import { prepareState } from "../../dist/cli/workplace.js";
import { sha256 } from "../../dist/lib/canonical.js";
import { round, summarise } from "../summary.mjs";

const packageRoot = fileURLToPath(new URL("../..", import.meta.url));
const fixtures = join(packageRoot, "..", "shared", "fixtures");
const builds = ["b11434", "b11435"];
const ports = { staging: 17_800, prod: 17_810, bare: 17_820 };
const rounds = 3;
const limits = { beyondLoadSeconds: 10, requests: 0 };

/**
 * How long it takes until production answers with the release before, from `berth rollback` on, beside the time that the
 * engine alone needs to load the model and answer.
 *
 * @param {{ report: (line: string) => void, signal: AbortSignal }} options
 * @returns {Promise<{ failures: string[] }>} the result; `failures` tells the limits that do not hold
 */
export async function measure({ report, signal }) {
  const archives = builds.map((build) => join(fixtures, `llama-${build}-bin-linux-x64.tar.gz`));
  if (!archives.every((path) => existsSync(path)))
    throw new Error("two builds of llama-server have to be beside the checkout");
  const { binDir, version } = await obtainPulumi({ environment: process.env, packageRoot, report });
  const folder = await mkdtemp(join(tmpdir(), "berth-bench-"));
  const mirror = await serve(archives);
  const project = new Project(folder, { binDir, mirror, signal });
  try {
    await project.prepare();
    const measured = [];
    for (let number = 1; number <= rounds; number += 1) {
      measured.push(await project.rollBack());
      report(`round ${number} of ${rounds}: ${JSON.stringify(measured.at(-1))}`);
      await project.promoteAgain();
    }
    return judge({ pulumi: version, rounds, measured });
  } finally {
    await project.dispose();
    mirror.server.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function judge({ measured, ...rest }) {
  const of = (field) => summarise(measured.map((each) => each[field]));
  const summary = {
    answersSeconds: of("answersSeconds"),
    loadSeconds: of("loadSeconds"),
    beyondLoadSeconds: of("beyondLoadSeconds"),
    downtimeSeconds: of("downtimeSeconds"),
    requests: Math.max(...measured.map(({ requests }) => requests)),
  };
  const failures = [
    ...(summary.beyondLoadSeconds.max > limits.beyondLoadSeconds
      ? [`beyond the load: ${summary.beyondLoadSeconds.max} s; expected at most ${limits.beyondLoadSeconds}`]
      : []),
    ...(summary.requests > limits.requests ? [`downloads: ${summary.requests}; expected none`] : []),
  ];
  return { ...rest, measured, summary, limits, failures };
}

/** A project of two environments, with real builds of llama-server and the quickstart's model. */
class Project {
  #folder;
  #mirror;
  #signal;
  #environment;
  #binDir;

  constructor(folder, { binDir, mirror, signal }) {
    this.#folder = folder;
    this.#mirror = mirror;
    this.#signal = signal;
    this.#binDir = binDir;
  }

  async prepare() {
    const folder = this.#folder;
    this.#environment = {
      ...process.env,
      ...(await prepareState(folder)),
      PATH: `${this.#binDir}:${process.env.PATH}`,
      PULUMI_CONFIG_PASSPHRASE: undefined,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      // Packages that Berth is developed with have plugins, which this project does not need.
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    };
    for (const name of ["stacks", "backends", "node_modules"]) await mkdir(join(folder, name));
    await symlink(packageRoot, join(folder, "node_modules", "pulumi-berth"));
    await symlink(join(packageRoot, "node_modules", "@pulumi"), join(folder, "node_modules", "@pulumi"));
    await writeFile(join(folder, "package.json"), '{ "type": "module" }\n');
    await writeFile(
      join(folder, "Pulumi.yaml"),
      "name: rollback\nruntime: { name: nodejs, options: { typescript: false } }\nmain: index.js\noptions: { refresh: always }\n",
    );
    await writeFile(join(folder, "index.js"), 'export { deployments, endpoints } from "pulumi-berth/program";\n');
    await writeFile(join(folder, "backends", "llama-cpp.yaml"), backendFile());
    await writeFile(join(folder, "stacks", "environments.yaml"), "schemaVersion: 1\norder: [staging, prod]\n");
    await writeFile(join(folder, "stacks", "prod.yaml"), `schemaVersion: 1\nextends: staging.yaml\n${host("prod")}`);
    for (const stack of ["staging", "prod"]) await this.#run("pulumi", ["stack", "init", stack, "--non-interactive"]);
    for (const build of builds) {
      await this.#writeStaging(build);
      await this.#up("staging");
      await this.promoteAgain();
    }
  }

  async promoteAgain() {
    await this.#berth("promote", "staging", "prod");
    await this.#up("prod");
  }

  /** From the command to the first answer of the build before, and what the same engine alone takes. */
  async rollBack() {
    const before = this.#mirror.requests();
    const answers = watch(ports.prod, builds[0]);
    const begun = performance.now();
    await this.#berth("rollback", "prod");
    await this.#up("prod");
    const { answeredAt, downtimeSeconds } = await answers;
    const answersSeconds = (answeredAt - begun) / 1000;
    const loadSeconds = await this.#load();
    return {
      ...{ answersSeconds: round(answersSeconds), loadSeconds: round(loadSeconds) },
      beyondLoadSeconds: round(answersSeconds - loadSeconds),
      downtimeSeconds: round(downtimeSeconds),
      requests: this.#mirror.requests() - before,
    };
  }

  /** The engine by hand, with the arguments that Berth gives it. */
  async #load() {
    const model = (await execa("find", [join(this.#folder, "host-prod", "models"), "-name", "model.gguf"])).stdout;
    const command = join(this.#folder, "host-prod", "bin", `llama-cpp_${builds[0]}`);
    const args = ["--model", model, "--alias", "chat", "--port", String(ports.bare), "--ctx-size", "512"];
    const begun = performance.now();
    const engine = execa(command, args, { reject: false, stdio: "ignore", cancelSignal: this.#signal });
    try {
      return ((await watch(ports.bare, builds[0])).answeredAt - begun) / 1000;
    } finally {
      engine.kill("SIGKILL");
      await engine;
    }
  }

  async dispose() {
    for (const stack of ["staging", "prod"])
      await this.#run("pulumi", ["destroy", "--yes", "--skip-preview", "--stack", stack, "--non-interactive"]).catch(
        () => undefined,
      );
  }

  async #writeStaging(build) {
    const { deployments } = parse(readFileSync(join(packageRoot, "stacks", "local.yaml"), "utf8"));
    const chat = { ...deployments.chat, backend: "llama-cpp", backendVersion: build, contextLength: 512 };
    const update = { minHealthyTime: "0s" };
    const text = `schemaVersion: 1\n${host("staging")}mirrors: { downloadBaseUrl: "${this.#mirror.url}" }\n`;
    const own = { chat: { ...chat, install: "binary", update } };
    await writeFile(join(this.#folder, "stacks", "staging.yaml"), `${text}${stringify({ deployments: own })}`);
  }

  #berth(...args) {
    return this.#run(process.execPath, [join(packageRoot, "dist", "cli", "main.js"), ...args]);
  }

  #up(stack) {
    return this.#run("pulumi", ["up", "--yes", "--skip-preview", "--stack", stack, "--non-interactive"]);
  }

  async #run(command, args) {
    const how = {
      cwd: this.#folder,
      env: this.#environment,
      extendEnv: false,
      stdin: "ignore",
      all: true,
      reject: false,
    };
    const { exitCode, all } = await execa(command, args, {
      ...how,
      cancelSignal: this.#signal,
      forceKillAfterDelay: 30_000,
    });
    this.#signal.throwIfAborted();
    if (exitCode !== 0)
      throw new Error(`${command} ${args.join(" ")} failed with exit code ${exitCode}\n${all.slice(-4000)}`);
  }
}

/** Asks a port again and again for a token, until a build has answered. */
async function watch(port, build) {
  let lastAnswer;
  let longest = 0;
  const limit = performance.now() + 180_000;
  while (performance.now() < limit) {
    const fingerprint = await ask(port);
    const now = performance.now();
    if (fingerprint !== undefined) {
      if (lastAnswer !== undefined) longest = Math.max(longest, now - lastAnswer);
      lastAnswer = now;
      if (fingerprint.includes(build.slice(1))) return { answeredAt: now, downtimeSeconds: longest / 1000 };
    }
    await delay(25);
  }
  throw new Error(`build ${build} never answered on port ${port}`);
}

async function ask(port) {
  try {
    const body = JSON.stringify({ model: "chat", prompt: "1, 2,", max_tokens: 1, temperature: 0 });
    const signal = AbortSignal.timeout(10_000);
    const response = await fetch(`http://127.0.0.1:${port}/v1/completions`, { method: "POST", body, signal });
    return response.ok ? (await response.json()).system_fingerprint : undefined;
  } catch {
    return undefined;
  }
}

function host(name) {
  const range = `[${ports[name]}, ${ports[name]}]`;
  return `hosts:\n  local: { connection: local, dataDir: host-${name}, runtime: supervisord, portRange: ${range} }\n`;
}

function releasePath(build) {
  return `/ggml-org/llama.cpp/releases/download/${build}/llama-${build}-bin-linux-x64.tar.gz`;
}

function backendFile() {
  const versions = builds.flatMap((build) => [
    `  ${build}:`,
    "    install:",
    "      binary:",
    `        - { os: linux, arch: x64, url: "https://github.com${releasePath(build)}",`,
    `            sha256: ${sha256(readFileSync(join(fixtures, `llama-${build}-bin-linux-x64.tar.gz`)))},`,
    `            executable: llama-${build}-bin-linux-x64/llama-server }`,
  ]);
  return ["schemaVersion: 1", "name: llama-cpp", "versions:", ...versions, ""].join("\n");
}

async function serve(archives) {
  let count = 0;
  const files = Object.fromEntries(builds.map((build, index) => [releasePath(build), readFileSync(archives[index])]));
  const server = createServer(({ url = "", method }, response) => {
    const content = files[url];
    if (method === "GET") count += 1;
    if (content === undefined) response.writeHead(404).end();
    else response.writeHead(200, { "content-length": content.length }).end(method === "HEAD" ? undefined : content);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${server.address().port}`, requests: () => count };
}
