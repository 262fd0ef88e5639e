import { spawn, type ChildProcess, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

import { execa } from "execa";

import { llamaArchive, type LlamaBuild } from "./llama-builds.js";
import { freePort } from "./sandbox.js";

/** What llama-server says of one place, in MiB; what it rounds to whole ones is told by `model`. */
export interface LlamaPlace {
  readonly model: number;
  readonly compute: number;
}

/** What llama-server reports of its own memory, in MiB. */
export interface LlamaReport {
  readonly host: LlamaPlace;
  readonly devices: readonly LlamaPlace[];
  /** Caches of tokens and of states. */
  readonly cache: number;
  readonly output: number;
  /** Buffers of weights after loading; none in a report of a model that was not loaded. */
  readonly loaded: number;
}

/** An RPC server that stands for a device. */
interface Device {
  readonly port: number;
  readonly process: ChildProcess;
  /** What it has said. */
  readonly said: readonly string[];
}

/** An unpacked build of llama.cpp, and RPC servers that stand for devices. */
export class LlamaTools {
  readonly #folder = realpathSync(mkdtempSync(join(tmpdir(), "berth-llama-")));
  #servers: Device[] = [];
  readonly #running = new Set<ChildProcess>();
  readonly #bin: string;

  constructor(build: LlamaBuild) {
    this.#bin = join(this.#folder, `llama-${build}-bin-linux-x64`);
  }

  static async unpack(build: LlamaBuild): Promise<LlamaTools> {
    const tools = new LlamaTools(build);
    await execa("tar", ["-xzf", llamaArchive(build), "-C", tools.#folder]);
    return tools;
  }

  /** A path for a file that goes with the tools. */
  path(name: string): string {
    return join(this.#folder, name);
  }

  /** So many devices run then; one that has ended is told of and replaced, as a client that is killed may take it along. */
  async startDevices(count: number): Promise<void> {
    for (const device of this.#servers.filter(hasEnded)) console.warn(`a device ended: ${tellEnd(device)}`);
    this.#servers = this.#servers.filter((device) => !hasEnded(device));
    while (this.#servers.length < count) {
      const port = await freePort();
      const run = spawn(join(this.#bin, "ggml-rpc-server"), ["-H", "127.0.0.1", "-p", String(port)], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      const said: string[] = [];
      for (const stream of [run.stdout, run.stderr])
        createInterface(stream).on("line", (line) => said.splice(0, said.length, ...said.slice(-19), line));
      this.#servers.push({ port, process: run, said });
      await untilAccepts(port);
    }
  }

  /**
   * What the server says it will take, before it loads anything (`common_memory_breakdown_print`), or with `load` what
   * it has taken. A server whose device ended under it is asked once more, with another device.
   */
  async report(model: string, flags: readonly string[], devices = 0, load = false): Promise<LlamaReport> {
    await this.startDevices(devices);
    const used = this.#servers.slice(0, devices);
    try {
      return await this.#reportWith(used, model, flags, load);
    } catch (error) {
      if (!used.some(hasEnded)) throw error;
      await this.startDevices(devices);
      return this.#reportWith(this.#servers.slice(0, devices), model, flags, load);
    }
  }

  async #reportWith(
    devices: readonly Device[],
    model: string,
    flags: readonly string[],
    load: boolean,
  ): Promise<LlamaReport> {
    const rpc = devices.map(({ port }) => `127.0.0.1:${port}`);
    const port = await freePort();
    const address = ["--host", "127.0.0.1", "--port", String(port), "--offline", "-v"];
    const remote = rpc.length === 0 ? [] : ["--rpc", rpc.join(",")];
    const run = spawn(join(this.#bin, "llama-server"), ["-m", model, ...address, ...remote, ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#running.add(run);
    const ended = once(run, "close");
    const lines: string[] = [];
    try {
      const isEnough = () =>
        load ? lines.at(-1)?.includes("llama_server: listening") === true : isAfterBreakdown(lines);
      await Promise.race([readUntil(run, lines, isEnough), ended]);
      if (isEnough()) return readReport(lines, rpc, load);
    } finally {
      run.kill("SIGKILL");
      await ended;
      this.#running.delete(run);
    }
    const lost = devices.filter(hasEnded).map((device) => `a device ended: ${tellEnd(device)}\n`);
    throw new Error(`llama-server told nothing:\n${lost.join("")}${lines.slice(-40).join("\n")}`);
  }

  /** A server that has loaded its model and answers; it goes with the tools. */
  async serve(model: string, flags: readonly string[]): Promise<{ readonly pid: number; readonly port: number }> {
    const port = await freePort();
    const address = ["--host", "127.0.0.1", "--port", String(port), "--offline"];
    const run = spawn(join(this.#bin, "llama-server"), ["-m", model, ...address, ...flags], { stdio: "ignore" });
    this.#running.add(run);
    for (let tries = 0; tries < 600; tries += 1) {
      const healthy = await fetch(`http://127.0.0.1:${port}/health`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (healthy && run.pid !== undefined) return { pid: run.pid, port };
      await delay(100);
    }
    throw new Error("llama-server is not healthy after a minute");
  }

  async dispose(): Promise<void> {
    for (const run of [...this.#servers.map(({ process: server }) => server), ...this.#running]) {
      if (run.exitCode !== null || run.signalCode !== null) continue;
      const ended = once(run, "close");
      run.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#folder, { recursive: true });
  }
}

function hasEnded({ process: server }: Device): boolean {
  return server.exitCode !== null || server.signalCode !== null;
}

function tellEnd({ process: server, said }: Device): string {
  return `${server.signalCode ?? server.exitCode}, ${said.join("\n")}`;
}

/** Resolves once there is enough; the server goes on to load the model meanwhile, which may be larger than the memory. */
function readUntil(
  run: ChildProcessByStdio<null, Readable, Readable>,
  lines: string[],
  isEnough: () => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    for (const stream of [run.stdout, run.stderr]) {
      createInterface(stream).on("line", (line) => {
        if (isEnough()) return;
        lines.push(line);
        if (!isEnough()) return;
        run.kill("SIGKILL");
        resolve();
      });
    }
  });
}

async function untilAccepts(port: number): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    const socket = connect(port, "127.0.0.1");
    const accepted = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (accepted) return;
    await delay(100);
  }
  throw new Error(`nothing listens on port ${port}`);
}

const breakdown = "common_memory_breakdown_print";

function isAfterBreakdown(lines: readonly string[]): boolean {
  const last = lines.at(-1) ?? "";
  return !last.includes(breakdown) && (lines.at(-2)?.includes(breakdown) ?? false);
}

function readReport(lines: readonly string[], rpc: readonly string[], load: boolean): LlamaReport {
  // What is loaded is told after what was to be loaded.
  const from = load ? lines.findLastIndex((line) => line.includes("loading model tensors")) : 0;
  const told = lines.slice(from);
  const numbers = (pattern: RegExp) => told.flatMap((line) => Number(pattern.exec(line)?.[1] ?? []));
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const rows = told.flatMap((line) => {
    const [, name, model] = /breakdown_print: \|\s+- (.*?) +\|.*?(\d+) \+ +\d+ \+ +\d+[ )]/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, model: Number(model) }];
  });
  const models = (fits: (name: string) => boolean) =>
    sum(rows.filter(({ name }) => fits(name)).map(({ model }) => model));
  const compute = (name: string) =>
    sum(
      told.flatMap((line) => {
        const [, place = "", size] = /sched_reserve: +(\S+) compute buffer size = +([\d.]+) MiB/.exec(line) ?? [];
        return place.includes(name) ? [Number(size)] : [];
      }),
    );
  return {
    host: { model: models((name) => !name.startsWith("RPC")), compute: compute("CPU") },
    devices: rpc.map((address) => ({ model: models((name) => name.includes(address)), compute: compute(address) })),
    cache: sum(numbers(/(?:llama_kv_cache|llama_memory_recurrent): size = +([\d.]+) MiB/)),
    output: sum(numbers(/output buffer size = +([\d.]+) MiB/)),
    loaded: sum(numbers(/model buffer size = +([\d.]+) MiB/)),
  };
}
