import { mkdtemp, realpath, rm } from "node:fs/promises";
import { join } from "node:path";

import { expect } from "vitest";

import type { Host } from "../../src/host/host.js";
import { outputPath } from "../../src/runtime/runner-files.js";
import type { RunnerSpec, Supervisor } from "../../src/runtime/supervisor.js";
import { idle } from "./runner-programs.js";

/** What the suite has to know of a kind of supervisor beside its interface. */
export interface SupervisorSetting {
  readonly host: Host;
  /** A Python on the host; the suite's runners are written in it. */
  readonly python: string;
  /** Where data directories may be made. */
  readonly folder: string;
  /** A supervisor that shares nothing with those made before, as if another process had made it. */
  open(dataDir: string): Supervisor;
  /** The same for `start-runner.mjs`: the class, its module, and its options. */
  readonly recipe: SupervisorRecipe;
  definitionPath(dataDir: string, id: string): string;
  /** Makes the supervisor forget a runner, by its own commands, as somebody may do by hand. */
  forget(dataDir: string, id: string): Promise<void>;
  /** Everything of a data directory's supervisor that is on the host: files, units, links, processes. */
  remains(dataDir: string): Promise<string[]>;
}

export interface SupervisorRecipe {
  readonly kind: "supervisord" | "systemd";
  /** Plain values of the class's options. */
  readonly options: Readonly<Record<string, string | boolean | readonly string[]>>;
}

export const patience = { timeout: 30_000, interval: 200 };

/** A data directory with its supervisor. */
export class SupervisorStage {
  readonly host: Host;
  readonly supervisor: Supervisor;

  private constructor(
    readonly setting: SupervisorSetting,
    readonly dataDir: string,
  ) {
    this.host = setting.host;
    this.supervisor = setting.open(dataDir);
  }

  /** The data directory's name begins with the given words. */
  static async create(setting: SupervisorSetting, words: string): Promise<SupervisorStage> {
    return new SupervisorStage(setting, await realpath(await mkdtemp(join(setting.folder, `${words} `))));
  }

  /** The definition of a runner; its last argument finds its processes. */
  runner(id: string, program: string = idle, more: Partial<RunnerSpec> = {}): RunnerSpec {
    return {
      id,
      folder: join(this.dataDir, "instances", id),
      startSeconds: 1,
      stopSeconds: 3,
      argv: [this.setting.python, "-u", "-c", program, `${this.dataDir} ${id}`],
      environment: { LANG: "C.UTF-8" },
      ...more,
    };
  }

  /** Starts a runner whose program says that it is up, and waits for that. */
  async startUp(spec: RunnerSpec): Promise<number> {
    await this.supervisor.start(spec);
    await expect.poll(() => this.output(spec), patience).toContain("up\n");
    return this.pid(spec);
  }

  /** The process that the supervisor takes for the runner; 0 when it runs none. */
  async pid(spec: RunnerSpec): Promise<number> {
    const { state } = await this.supervisor.observe(spec);
    return state.kind === "running" ? state.pid : 0;
  }

  async restarts(spec: RunnerSpec): Promise<number> {
    return (await this.supervisor.observe(spec)).restarts;
  }

  async stateKind(spec: RunnerSpec): Promise<string> {
    return (await this.supervisor.observe(spec)).state.kind;
  }

  /** Processes that carry a runner's last argument, by the host's word. */
  processes({ argv }: RunnerSpec): Promise<number[]> {
    return this.host.findProcesses(argv.slice(-1));
  }

  async output({ folder }: RunnerSpec): Promise<string> {
    return (await this.host.readText(outputPath(folder))) ?? "";
  }

  async dispose(): Promise<void> {
    for (const id of await this.supervisor.list()) await this.supervisor.remove(this.runner(id));
    await this.supervisor.retire();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}
