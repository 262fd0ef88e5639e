import { posix } from "node:path";

import type { Host, RunResult } from "../host/host.js";
import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import { supervisordPaths, type SupervisordPaths } from "./supervisord-configuration.js";
import type { RunnerState } from "./supervisor.js";

export const controlSeconds = 30;
const stopLimitSeconds = 3600;

/** Asks a running supervisord and tells it what to do, by its own `supervisorctl`. Makes nothing. */
export class SupervisordControl {
  readonly #host: Host;
  readonly #paths: SupervisordPaths;

  constructor(host: Host, dataDir: string) {
    this.#host = host;
    this.#paths = supervisordPaths(dataDir);
  }

  async isUp(): Promise<boolean> {
    return isReached(await this.#try(["pid"]));
  }

  /** Whether all is there by which it can be asked: its files, its socket, and the environment it was started from. */
  async canBeAsked(): Promise<boolean> {
    return (await this.#command()) !== undefined;
  }

  /** `defined`: whether the runner has a definition, for when supervisord cannot be asked. */
  async state(id: string, defined: boolean): Promise<RunnerState> {
    const answer = await this.#try(["pid", id]);
    if (!isReached(answer)) return defined ? { kind: "unsupervised" } : { kind: "absent" };
    const pid = Number(answer.stdout.trim());
    if (pid > 0) return { kind: "running", pid };
    const { stdout } = await this.#run(["status", id]);
    return parseStatus(stdout);
  }

  /** Reads a new or changed definition and starts its runner; of one that runs already the old one is ended first. */
  async add(id: string, beforeStart: () => Promise<void>): Promise<void> {
    await this.#change(["reread"]);
    await this.forget(id);
    await beforeStart();
    // `add` spawns and returns; `start` would wait for all of startsecs.
    await this.#change(["add", id]);
  }

  /** Ends a runner and takes its definition, which supervisord keeps until then, away from it. */
  async forget(id: string): Promise<void> {
    if ((await this.state(id, true)).kind === "absent") return;
    await this.stop(id);
    await this.#change(["remove", id]);
  }

  /** Whatever state the runner is in; of one that has ended it keeps supervisord from starting it again. */
  async stop(id: string): Promise<void> {
    // No time limit of its own: supervisord kills the runner after stopwaitsecs.
    await this.#run(["stop", id], stopLimitSeconds);
  }

  async shutDown(): Promise<void> {
    await this.#run(["shutdown"]);
  }

  failure(what: string, result: RunResult): BerthError {
    return new BerthError("command-failed", {
      where: `host ${this.#host.name}`,
      what,
      got: `exit code ${result.exitCode}`,
      detail: lastLines(`${result.stdout}\n${result.stderr}`, 10),
    });
  }

  /** A command that changes what supervisord keeps; supervisorctl tells of some failures in words alone. */
  async #change(args: string[]): Promise<void> {
    const result = await this.#run(args);
    if (/^ERROR/m.test(result.stdout)) throw this.failure(`supervisorctl ${args.join(" ")} failed`, result);
  }

  async #run(args: string[], timeoutSeconds = controlSeconds): Promise<RunResult> {
    const result = await this.#try(args, timeoutSeconds);
    if (!isReached(result)) throw this.failure(`supervisorctl ${args.join(" ")} failed`, result);
    return result;
  }

  async #try(args: string[], timeoutSeconds = controlSeconds): Promise<RunResult> {
    const command = await this.#command();
    if (command === undefined) return { exitCode: 127, stdout: "", stderr: "supervisord is not set up" };
    return this.#host.run([command, "-c", this.#paths.configuration, ...args], { timeoutSeconds });
  }

  async #command(): Promise<string | undefined> {
    const bin = await readBinFolder(this.#host, this.#paths);
    if (bin === undefined) return undefined;
    const command = posix.join(bin, "supervisorctl");
    const needed = [command, this.#paths.configuration, this.#paths.socket];
    const found = await Promise.all(needed.map((path) => this.#host.status(path)));
    return found.includes(undefined) ? undefined : command;
  }
}

/** The `bin` folder from which a data directory's supervisord was started last; it may be gone. */
export async function readBinFolder(host: Host, { bin }: Pick<SupervisordPaths, "bin">): Promise<string | undefined> {
  return (await host.readText(bin))?.trim();
}

/** What `supervisorctl status <id>` tells of a runner that has no process. */
function parseStatus(text: string): RunnerState {
  if (/no such process/i.test(text)) return { kind: "absent" };
  const [, state = "", detail = ""] = /^\S+\s+([A-Z]+)\s*(.*)$/m.exec(text) ?? [];
  return { kind: "stopped", reason: detail === "" ? state : `${state}: ${detail}` };
}

/** Whether supervisord was reached; its answer may still be that the runner is unknown or stopped. */
function isReached({ exitCode, stdout, stderr }: RunResult): boolean {
  return exitCode < 100 && !/refused connection|no such file|cannot connect/i.test(stdout + stderr);
}
