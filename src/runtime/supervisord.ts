import { posix } from "node:path";

import type { Host, RunResult } from "../host/host.js";
import { dataPaths } from "../host/paths.js";
import type { Clock } from "../lib/clock.js";
import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import type { Serial } from "../lib/serial.js";
import { endOrphan, endProcess, execPath, outputPath, writeRunnerFiles } from "./runner-files.js";
import type { RunnerDefinition, RunnerObservation, RunnerSpec, RunnerState, Supervisor } from "./supervisor.js";

/** 104 bytes on macOS with the closing NUL; supervisord first binds to a name that is longer by its process id. */
const longestSocketPath = 92;
const socketName = "supervisor.sock";
/** Of quotes and comments in its configuration, and of the pattern by which it finds its programs. */
const unfitCharacters = /["\\;#[\]\u0000-\u001f\u007f]/;
const startupSeconds = 15;
const controlSeconds = 30;
const stopLimitSeconds = 3600;

export interface SupervisordOptions {
  readonly host: Host;
  readonly dataDir: string;
  /** The `bin` folder of the environment that holds supervisord; makes it when it is missing. */
  readonly binFolder: () => Promise<string>;
  /** Path of `exec.py` on the host; writes it when it is missing. */
  readonly execScript: () => Promise<string>;
  readonly clock: Clock;
  readonly serial: Serial;
}

/** supervisord in an environment of its own, for hosts where no systemd runs. One for each data directory. */
export class Supervisord implements Supervisor {
  readonly #options: SupervisordOptions;
  readonly #folder: string;

  constructor(options: SupervisordOptions) {
    this.#options = options;
    this.#folder = dataPaths(options.dataDir).supervisor;
  }

  async prepare(): Promise<void> {
    const { host, serial, binFolder } = this.#options;
    this.#assertFit();
    await serial.run(this.#folder, async () => {
      if (await this.#isUp()) return;
      await this.#endRemains();
      const bin = await binFolder();
      await host.makeDirectory(posix.join(this.#folder, "programs"));
      await host.makeDirectory(this.#socketFolder(), 0o700);
      await host.writeFile(this.#configuration(), this.#mainSection(), 0o600);
      await host.remove(this.#socket());
      const started = await host.run([posix.join(bin, "supervisord"), "-c", this.#configuration()], {
        timeoutSeconds: controlSeconds,
      });
      if (started.exitCode !== 0) throw this.#failure("supervisord did not start", started);
      await this.#waitUntilUp();
    });
  }

  async start(spec: RunnerSpec): Promise<void> {
    const { host, serial } = this.#options;
    await writeRunnerFiles(host, spec);
    await serial.run(this.#folder, async () => {
      await host.writeFile(this.#programFile(spec.id), await this.#program(spec, true));
      await this.#change(["reread"]);
      await this.#forget(spec.id);
      await host.writeFile(startsPath(spec.folder), String(await this.#countStarts(spec.id)));
      // `add` spawns and returns; `start` would wait for all of startsecs.
      await this.#change(["add", spec.id]);
    });
  }

  async stop(spec: RunnerDefinition): Promise<void> {
    const { host, serial } = this.#options;
    await serial.run(this.#folder, async () => {
      await host.writeFile(this.#programFile(spec.id), await this.#program(spec, false));
      if (await this.#isUp()) await this.#stopNow(spec.id);
      await endOrphan(host, spec, this.#options.clock);
    });
  }

  async remove(spec: RunnerDefinition): Promise<void> {
    const { host, serial, clock } = this.#options;
    if ((await host.status(this.#folder)) === undefined) return;
    await serial.run(this.#folder, async () => {
      await host.remove(this.#programFile(spec.id));
      if (await this.#isUp()) {
        await this.#forget(spec.id);
      }
      await endOrphan(host, spec, clock);
    });
  }

  async observe(spec: RunnerDefinition): Promise<RunnerObservation> {
    const { host } = this.#options;
    const definition = await host.readText(this.#programFile(spec.id));
    const state = await this.#state(spec.id, definition !== undefined);
    return {
      state,
      restarts: await this.#countRestarts(spec),
      asDefined: definition === (await this.#program(spec, true)),
    };
  }

  async list(): Promise<string[]> {
    const files = await this.#options.host.list(posix.join(this.#folder, "programs"));
    return files.filter((file) => file.endsWith(".conf")).map((file) => file.slice(0, -".conf".length));
  }

  async retire(): Promise<void> {
    const { host, serial } = this.#options;
    await serial.run(this.#folder, async () => {
      if ((await this.list()).length > 0) return;
      if (await this.#isUp()) {
        await this.#control(["shutdown"]);
        await this.#waitUntilDown();
      }
      await this.#endRemains();
      await host.remove(this.#folder);
      if (this.#socketFolder() !== this.#folder) await host.remove(this.#socketFolder());
    });
  }

  #assertFit(): void {
    const { host, dataDir } = this.#options;
    if (!unfitCharacters.test(dataDir)) return;
    throw new BerthError("host-unsuitable", {
      where: `host ${host.name}`,
      what: "supervisord cannot keep its files in this data directory",
      got: JSON.stringify(dataDir),
      expected: 'a path without " \\ ; # [ ] and control characters',
      hint: "give the host a dataDir without them",
    });
  }

  async #state(id: string, defined: boolean): Promise<RunnerState> {
    const answer = await this.#tryControl(["pid", id]);
    if (!isReached(answer)) return defined ? { kind: "unsupervised" } : { kind: "absent" };
    const pid = Number(answer.stdout.trim());
    if (pid > 0) return { kind: "running", pid };
    const { stdout } = await this.#control(["status", id]);
    return parseStatus(stdout);
  }

  /** Counts by supervisord's own log, the only place where it tells of starts. */
  async #countStarts(id: string): Promise<number> {
    const log = (await this.#options.host.readText(this.#log())) ?? "";
    return log.split("\n").filter((line) => line.includes(`spawned: '${id}' with pid`)).length;
  }

  async #countRestarts({ id, folder }: RunnerDefinition): Promise<number> {
    const before = Number((await this.#options.host.readText(startsPath(folder))) ?? 0);
    return Math.max(0, (await this.#countStarts(id)) - before - 1);
  }

  /** Ends a runner and takes its definition, which supervisord keeps until then, away from it. */
  async #forget(id: string): Promise<void> {
    if ((await this.#state(id, true)).kind === "absent") return;
    await this.#stopNow(id);
    await this.#change(["remove", id]);
  }

  /** Whatever state the runner is in; of one that has ended it keeps supervisord from starting it again. */
  async #stopNow(id: string): Promise<void> {
    // No time limit of its own: supervisord kills the runner after stopwaitsecs.
    await this.#control(["stop", id], stopLimitSeconds);
  }

  /**
   * Ends what a supervisord that cannot be reached has left: itself, if only its socket is gone, and runners that
   * outlived it. They hold ports and devices that their successors need.
   */
  async #endRemains(): Promise<void> {
    const { host, clock } = this.#options;
    const stray = async () => (await host.findProcesses(["-c", this.#configuration()]))[0];
    await endProcess(host, stray, startupSeconds, clock);
    for (const id of await this.list()) {
      const definition = (await host.readText(this.#programFile(id))) ?? "";
      const folder = /^directory = (.*)$/m.exec(definition)?.[1]?.replaceAll("%%", "%");
      const stopSeconds = Number(/^stopwaitsecs = (\d+)$/m.exec(definition)?.[1] ?? 0);
      if (folder !== undefined) await endOrphan(host, { folder, stopSeconds }, clock);
    }
  }

  async #isUp(): Promise<boolean> {
    return isReached(await this.#tryControl(["pid"]));
  }

  async #waitUntilUp(): Promise<void> {
    const { clock, host } = this.#options;
    for (let waited = 0; waited < startupSeconds; waited += 0.2) {
      if (await this.#isUp()) return;
      await clock.sleep(0.2);
    }
    throw new BerthError("runner-failed", {
      where: `host ${host.name}`,
      what: `supervisord did not answer within ${startupSeconds} s`,
      detail: lastLines((await host.readText(this.#log())) ?? "", 20),
    });
  }

  async #waitUntilDown(): Promise<void> {
    for (let waited = 0; waited < startupSeconds && (await this.#isUp()); waited += 0.2)
      await this.#options.clock.sleep(0.2);
  }

  /** A command that changes what supervisord keeps; supervisorctl tells of some failures in words alone. */
  async #change(args: string[]): Promise<void> {
    const result = await this.#control(args);
    if (/^ERROR/m.test(result.stdout)) throw this.#failure(`supervisorctl ${args.join(" ")} failed`, result);
  }

  async #control(args: string[], timeoutSeconds: number | undefined = controlSeconds): Promise<RunResult> {
    const result = await this.#tryControl(args, timeoutSeconds);
    if (!isReached(result)) throw this.#failure(`supervisorctl ${args.join(" ")} failed`, result);
    return result;
  }

  async #tryControl(args: string[], timeoutSeconds: number | undefined = controlSeconds): Promise<RunResult> {
    const { host } = this.#options;
    const configuration = this.#configuration();
    const absent = { exitCode: 127, stdout: "", stderr: "supervisord is not set up" };
    if ((await host.status(configuration)) === undefined || (await host.status(this.#socket())) === undefined)
      return absent;
    const bin = await this.#options.binFolder();
    return host.run([posix.join(bin, "supervisorctl"), "-c", configuration, ...args], { timeoutSeconds });
  }

  #failure(what: string, result: RunResult): BerthError {
    return new BerthError("command-failed", {
      where: `host ${this.#options.host.name}`,
      what,
      got: `exit code ${result.exitCode}`,
      detail: lastLines(`${result.stdout}\n${result.stderr}`, 10),
    });
  }

  #configuration(): string {
    return posix.join(this.#folder, "supervisord.conf");
  }

  #log(): string {
    return posix.join(this.#folder, "supervisord.log");
  }

  #programFile(id: string): string {
    return posix.join(this.#folder, "programs", `${id}.conf`);
  }

  #socket(): string {
    return posix.join(this.#socketFolder(), socketName);
  }

  /** A socket's path is bounded by the system; a longer one lies in the system's folder for temporary files. */
  #socketFolder(): string {
    const near = posix.join(this.#folder, socketName);
    if (Buffer.byteLength(near) <= longestSocketPath) return this.#folder;
    return posix.join("/tmp", `berth-${sha256(this.#folder).slice(0, 16)}`);
  }

  #mainSection(): string {
    return section("unix_http_server", { file: this.#socket(), chmod: "0700" }).concat(
      section("supervisord", {
        logfile: this.#log(),
        logfile_maxbytes: "0",
        pidfile: posix.join(this.#folder, "supervisord.pid"),
        childlogdir: this.#folder,
        identifier: "berth",
      }),
      section("rpcinterface:supervisor", {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
      }),
      section("supervisorctl", { serverurl: `unix://${this.#socket()}` }),
      section("include", { files: "programs/*.conf" }),
    );
  }

  async #program(spec: RunnerDefinition, autostart: boolean): Promise<string> {
    const python = posix.join(await this.#options.binFolder(), "python");
    const words = [python, "-I", await this.#options.execScript(), execPath(spec.folder)];
    return section(`program:${spec.id}`, {
      command: words.map((word) => `"${word}"`).join(" "),
      directory: spec.folder,
      autostart: String(autostart),
      autorestart: "true",
      // A runner that ends before it can be healthy counts as not started; after `startretries` of these
      // supervisord gives up, and later it never does. It looks once a second, so it sees an end that much late.
      startsecs: String(Math.ceil(spec.startSeconds) + 1),
      startretries: "3",
      stopsignal: "TERM",
      stopwaitsecs: String(Math.max(1, Math.ceil(spec.stopSeconds))),
      stopasgroup: "true",
      killasgroup: "true",
      redirect_stderr: "true",
      // supervisord expands this value twice.
      stdout_logfile: outputPath(spec.folder).replaceAll("%", "%%"),
      stdout_logfile_maxbytes: "50MB",
      stdout_logfile_backups: "2",
    });
  }
}

/** Holds the count of starts before Berth's last one. */
function startsPath(folder: string): string {
  return posix.join(folder, "starts");
}

/** One section of supervisord's configuration; `%` begins an expansion there and is doubled. */
function section(title: string, values: Record<string, string>): string {
  const lines = Object.entries(values).map(([key, value]) => `${key} = ${value.replaceAll("%", "%%")}`);
  return `[${title}]\n${lines.join("\n")}\n\n`;
}

/** What `supervisorctl status <id>` tells of a runner that has no process. */
export function parseStatus(text: string): RunnerState {
  if (/no such process/i.test(text)) return { kind: "absent" };
  const [, state = "", detail = ""] = /^\S+\s+([A-Z]+)\s*(.*)$/m.exec(text) ?? [];
  return { kind: "stopped", reason: detail === "" ? state : `${state}: ${detail}` };
}

/** Whether supervisord was reached; its answer may still be that the runner is unknown or stopped. */
function isReached({ exitCode, stdout, stderr }: RunResult): boolean {
  return exitCode < 100 && !/refused connection|no such file|cannot connect/i.test(stdout + stderr);
}
