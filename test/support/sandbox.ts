import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { execa } from "execa";

import { prepareState } from "../../src/cli/workplace.js";
import { sendSignal } from "./signals.js";
import { repository, toolchain } from "./toolchain.js";

/** Whose manager has the units that Berth makes: the system's for root, else the user's own. */
const systemdScope = process.getuid?.() === 0 ? [] : ["--user"];

export interface Outcome {
  exitCode: number;
  /** Standard output and error together. */
  output: string;
}

export interface SandboxOptions {
  /** Text of the program; by default that of Berth's own. */
  program?: string;
}

/**
 * A Pulumi project of its own in a temporary folder, with the file state, Berth as an installed package, and the fake
 * backend. Its host's data directory is `host` inside the folder, unless the stack says otherwise.
 */
export class Sandbox {
  private constructor(
    readonly root: string,
    private readonly environment: Record<string, string | undefined>,
    private readonly ports: OwnPorts,
  ) {}

  static async create(options: SandboxOptions = {}): Promise<Sandbox> {
    const root = mkdtempSync(join(tmpdir(), "berth test "));
    mkdirSync(join(root, "node_modules"));
    mkdirSync(join(root, "stacks"));
    symlinkSync(repository, join(root, "node_modules", "pulumi-berth"));
    symlinkSync(join(repository, "node_modules", "@pulumi"), join(root, "node_modules", "@pulumi"));
    cpSync(join(repository, "test", "support", "fake-backend"), join(root, "backends"), { recursive: true });
    writeFileSync(join(root, "package.json"), JSON.stringify({ name: "sandbox", type: "module" }));
    writeFileSync(
      join(root, "Pulumi.yaml"),
      "name: sandbox\nruntime: { name: nodejs, options: { typescript: false } }\nmain: index.js\noptions: { refresh: always }\n",
    );
    writeFileSync(
      join(root, "index.js"),
      options.program ?? 'export { deployments, endpoints, gateways } from "pulumi-berth/program";\n',
    );
    const sandbox = await Sandbox.open(root);
    seedCache(sandbox.dataDir);
    const { exitCode, output } = await sandbox.pulumi(["stack", "init", "test"]);
    if (exitCode !== 0) throw new Error(output);
    return sandbox;
  }

  /** A sandbox that another process has created. */
  static async open(root: string): Promise<Sandbox> {
    const { binDir } = await toolchain();
    const environment = {
      ...process.env,
      ...(await prepareState(root)),
      PATH: `${binDir}:${process.env.PATH ?? ""}`,
      PULUMI_CONFIG_PASSPHRASE: undefined,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      // Packages that Berth is developed with have plugins, which most stacks do not need.
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      NODE_OPTIONS: undefined,
    };
    return new Sandbox(root, environment, await choosePorts());
  }

  /** Ports for the sandbox's runners, which nobody listened on. */
  get portRange(): readonly [number, number] {
    return this.ports.range;
  }

  /** Where its commands are looked for. */
  get searchPath(): string {
    return this.environment.PATH ?? "";
  }

  get dataDir(): string {
    return join(this.root, "host");
  }

  path(...names: string[]): string {
    return join(this.root, ...names);
  }

  write(name: string, text: string): void {
    writeFileSync(this.path(name), text);
  }

  makeFolder(...names: string[]): void {
    mkdirSync(this.path(...names), { recursive: true });
  }

  writeStack(text: string): void {
    this.write(join("stacks", "test.yaml"), text);
  }

  /** Runs `pulumi`; a failing command is a result. */
  async pulumi(args: readonly string[], environment: Record<string, string> = {}): Promise<Outcome> {
    return this.#run("pulumi", [...args, "--non-interactive", "--color", "never"], environment);
  }

  up(args: readonly string[] = [], environment: Record<string, string> = {}): Promise<Outcome> {
    return this.pulumi(["up", "--yes", "--skip-preview", "--stack", "test", ...args], environment);
  }

  /** Brings the stack up, and presses Ctrl-C when the output has a text; tells how long it took to end after that. */
  async upAndInterrupt(text: string): Promise<Outcome & { readonly seconds: number }> {
    const args = ["up", "--yes", "--skip-preview", "--stack", "test", "--non-interactive", "--color", "never"];
    // A terminal sends the signal to the process group of what runs in it.
    const running = execa("pulumi", args, {
      ...{ cwd: this.root, env: this.environment, extendEnv: false, stdin: "ignore" },
      ...{ all: true, reject: false, detached: true },
    });
    let interruptedAt: number | undefined;
    let said = "";
    running.all.on("data", (bytes: Buffer) => {
      said += bytes.toString("utf8");
      if (interruptedAt !== undefined || !said.includes(text)) return;
      interruptedAt = Date.now();
      process.kill(-(running.pid ?? 0), "SIGINT");
    });
    const { exitCode, all } = await running;
    if (interruptedAt === undefined) throw new Error(`never said "${text}":\n${all}`);
    return { exitCode: exitCode ?? -1, output: all, seconds: (Date.now() - interruptedAt) / 1000 };
  }

  /** Runs `berth`. */
  berth(args: readonly string[], environment: Record<string, string> = {}): Promise<Outcome> {
    return this.#run(process.execPath, [join(repository, "dist", "cli", "main.js"), ...args], environment);
  }

  async #run(command: string, args: readonly string[], environment: Record<string, string>): Promise<Outcome> {
    const { exitCode, all } = await execa(command, args, {
      cwd: this.root,
      env: { ...this.environment, ...environment },
      extendEnv: false,
      stdin: "ignore",
      all: true,
      reject: false,
    });
    return { exitCode: exitCode ?? -1, output: all };
  }

  /** What Pulumi's state has: of one kind of Berth's resources, or everything. Read from its file: that takes no CLI. */
  resources(kind?: string, stack = "test"): StateResource[] {
    const file = this.path(".berth", "state", ".pulumi", "stacks", "sandbox", `${stack}.json`);
    const { checkpoint } = JSON.parse(readFileSync(file, "utf8")) as {
      checkpoint: { latest?: { resources?: StateResource[] } };
    };
    const resources = checkpoint.latest?.resources ?? [];
    return kind === undefined ? resources : resources.filter(({ type }) => type.endsWith(`/berth:${kind}`));
  }

  /** Locks on the state, which a CLI that was killed leaves behind. */
  stateLocks(): string[] {
    const folder = join(this.root, ".berth", "state", ".pulumi", "locks");
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { recursive: true })
      .map(String)
      .filter((name) => name.endsWith(".json"));
  }

  /** What is in the data directory. */
  hostFiles(): string[] {
    return existsSync(this.dataDir) ? readdirSync(this.dataDir) : [];
  }

  /** The lines by which `pulumi refresh` tells of drift, without refreshing the state. */
  async refreshDrift(): Promise<string> {
    const { exitCode, output } = await this.pulumi(["refresh", "--preview-only", "--stack", "test"]);
    if (exitCode !== 0) throw new Error(output);
    const diagnostics = output.slice(output.indexOf("Diagnostics:")).split("\n");
    return diagnostics.filter((line) => line.includes("] drift: ")).join("\n");
  }

  /** Process ids of runners that are alive, by their arguments. */
  runners(): number[] {
    return findProcesses((line) => line.includes(" --model ") && line.includes(` ${this.dataDir}/`));
  }

  /** Process ids of the gateways' HAProxy that are alive, a master before its workers. */
  gateways(): number[] {
    return findProcesses((line) => line.includes(` -f ${this.dataDir}/gateways/`));
  }

  /** systemd units that are defined in the data directory. */
  units(): string[] {
    const folder = join(this.dataDir, "systemd");
    return existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(".service")) : [];
  }

  /** Ends everything the sandbox started and removes its folder. */
  async dispose(): Promise<void> {
    const configuration = join("supervisor", "supervisord.conf");
    const isSupervisor = (line: string) => line.includes(` -c ${this.root}/`) && line.endsWith(`/${configuration}`);
    for (const pid of findProcesses(isSupervisor)) sendSignal(pid, "SIGTERM");
    for (const unit of this.units())
      await execa("systemctl", [...systemdScope, "disable", "--now", unit], { reject: false });
    const findOwn = () => findProcesses((line) => line.includes(`${this.root}/`));
    for (let waited = 0; waited < 100 && findOwn().length > 0; waited += 1) await delay(100);
    // Of an engine that was killed, a provider that it had not asked anything yet stays for ever.
    const idle = findProcesses((line, folder) => line.includes("/dynamic-provider/") && folder() === this.root);
    for (const pid of [...findOwn(), ...idle]) sendSignal(pid, "SIGKILL");
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
    this.ports.guard.close();
  }
}

export interface StateResource {
  type: string;
  id: string;
  inputs: Record<string, unknown>;
  outputs: Record<string, unknown>;
  initErrors?: string[];
}

interface OwnPorts {
  readonly range: readonly [number, number];
  /** Listens on the port after them, so that no other sandbox chooses the same. */
  readonly guard: Server;
}

/** Test files that run beside each other have ports of their own, and of those some that nobody listens on. */
async function choosePorts(): Promise<OwnPorts> {
  const worker = Number(process.env.VITEST_POOL_ID ?? 0) % 8;
  for (;;) {
    const first = 15_000 + 2000 * worker + 21 * Math.floor(Math.random() * 95);
    const guard = await listen(first + 20).catch(() => undefined);
    if (guard === undefined) continue;
    guard.unref();
    const ports = Array.from({ length: 20 }, (_, index) => first + index);
    const free = await Promise.allSettled(ports.map((port) => freePort(port)));
    if (free.every(({ status }) => status === "fulfilled")) return { range: [first, first + 19], guard };
    guard.close();
  }
}

/** A port that nobody listens on now; throws when one is asked for that somebody has. */
export async function freePort(wanted = 0): Promise<number> {
  const server = await listen(wanted);
  const address = server.address();
  return new Promise((resolve) => {
    server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
  });
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

/** Downloads of an earlier sandbox for a data directory, so that each does not fetch them anew. Everything is verified all the same. */
const sharedCache = join(repository, ".berth", "test-cache");

export function seedCache(dataDir: string): void {
  const wheels = join(sharedCache, "wheels");
  if (existsSync(wheels)) cpSync(wheels, join(dataDir, "cache", "wheels"), { recursive: true });
}

/** Numbers of processes begin again at the end, so they say nothing of the order. */
const oldestFirst = process.platform === "linux" ? ["--sort=start_time"] : [];

/** Processes by their command line and the folder they work in, which only Linux tells; the oldest first. */
function findProcesses(fits: (commandLine: string, folder: () => string) => boolean): number[] {
  const args = ["-axww", ...oldestFirst, "-o", "pid=,command="];
  const lines = execFileSync("ps", args, { encoding: "utf8" }).trim().split("\n");
  return lines.flatMap((line) => {
    const [, pid = "", commandLine = ""] = /^ *(\d+) (.*)$/.exec(line) ?? [];
    return fits(commandLine, () => readLink(`/proc/${pid}/cwd`)) ? [Number(pid)] : [];
  });
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
