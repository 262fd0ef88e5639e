import { posix } from "node:path";

import type { Host } from "../host/host.js";
import type { Clock } from "../lib/clock.js";
import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import type { Serial } from "../lib/serial.js";
import { endOrphan, endProcess, followOutput, readOutput, writeRunnerFiles, type Launcher } from "./runner-files.js";
import {
  isFit,
  parseProgram,
  programConfiguration,
  programPath,
  supervisordConfiguration,
  supervisordPaths,
  type SupervisordPaths,
} from "./supervisord-configuration.js";
import { controlSeconds, SupervisordControl } from "./supervisord-control.js";
import type { OutputFollower, RunnerDefinition, RunnerObservation, RunnerSpec, Supervisor } from "./supervisor.js";

const startupSeconds = 15;

export interface SupervisordOptions extends Launcher {
  readonly host: Host;
  readonly dataDir: string;
  /** The `bin` folder of the environment that holds supervisord; makes it when it is missing. */
  readonly binFolder: () => Promise<string>;
  readonly clock: Clock;
  readonly serial: Serial;
}

/** supervisord in an environment of its own, for hosts where no systemd runs. One for each data directory. */
export class Supervisord implements Supervisor {
  readonly #options: SupervisordOptions;
  readonly #paths: SupervisordPaths;
  readonly #control: SupervisordControl;

  constructor(options: SupervisordOptions) {
    this.#options = options;
    this.#paths = supervisordPaths(options.dataDir);
    this.#control = new SupervisordControl(options.host, options.dataDir);
  }

  async prepare(): Promise<void> {
    const { host, binFolder } = this.#options;
    const { programs, configuration, socket, socketFolder } = this.#paths;
    this.#assertFit();
    await this.#alone(async () => {
      if (await this.#control.isUp()) return;
      const bin = await binFolder();
      await host.writeFile(this.#paths.bin, `${bin}\n`);
      // It may have lost no more than the environment by which it is asked.
      if (await this.#control.isUp()) return;
      await this.#endRemains();
      await host.makeDirectory(programs);
      await host.makeDirectory(socketFolder, 0o700);
      await host.writeFile(configuration, supervisordConfiguration(this.#paths), 0o600);
      await host.remove(socket);
      const started = await host.run([posix.join(bin, "supervisord"), "-c", configuration], {
        timeoutSeconds: controlSeconds,
      });
      if (started.exitCode !== 0) throw this.#control.failure("supervisord did not start", started);
      await this.#waitUntilUp();
    });
  }

  async start(spec: RunnerSpec): Promise<void> {
    const { host, makeLauncher } = this.#options;
    await writeRunnerFiles(host, spec);
    await this.#alone(async () => {
      const program = programConfiguration(spec, await makeLauncher(), { autostart: true });
      await host.writeFile(programPath(this.#paths, spec.id), program);
      await this.#control.add(spec.id, async () =>
        host.writeFile(startsPath(spec.folder), String(await this.#countStarts(spec.id))),
      );
    });
  }

  async stop(spec: RunnerDefinition): Promise<void> {
    const { host, clock, makeLauncher } = this.#options;
    await this.#alone(async () => {
      const program = programConfiguration(spec, await makeLauncher(), { autostart: false });
      await host.writeFile(programPath(this.#paths, spec.id), program);
      if (await this.#isInReach()) await this.#control.stop(spec.id);
      await endOrphan(host, spec, clock);
    });
  }

  async remove(spec: RunnerDefinition): Promise<void> {
    const { host, clock } = this.#options;
    await this.#alone(async () => {
      await host.remove(programPath(this.#paths, spec.id));
      if (await this.#isInReach()) await this.#control.forget(spec.id);
      await endOrphan(host, spec, clock);
    });
  }

  async observe(spec: RunnerDefinition): Promise<RunnerObservation> {
    const { host, findLauncher } = this.#options;
    const definition = await host.readText(programPath(this.#paths, spec.id));
    const launcher = await findLauncher();
    return {
      state: await this.#control.state(spec.id, definition !== undefined),
      restarts: await this.#countRestarts(spec),
      asDefined: launcher !== undefined && definition === programConfiguration(spec, launcher, { autostart: true }),
    };
  }

  readOutput({ folder }: RunnerDefinition, lines: number): Promise<string> {
    return readOutput(this.#options.host, folder, lines);
  }

  followOutput({ folder }: RunnerDefinition, lines: number, follower: OutputFollower): Promise<void> {
    return followOutput(this.#options.host, folder, lines, follower);
  }

  async list(): Promise<string[]> {
    const files = await this.#options.host.list(this.#paths.programs);
    return files.filter((file) => file.endsWith(".conf")).map((file) => file.slice(0, -".conf".length));
  }

  async retire(): Promise<void> {
    const { host } = this.#options;
    const { folder, socketFolder } = this.#paths;
    await this.#alone(async () => {
      if ((await this.list()).length > 0) return;
      if (await this.#control.isUp()) {
        await this.#control.shutDown();
        await this.#waitUntilDown();
      }
      await this.#endRemains();
      await host.remove(folder);
      if (socketFolder !== folder) await host.remove(socketFolder);
    });
  }

  /** One change of a data directory's supervisord at a time. */
  #alone<T>(action: () => Promise<T>): Promise<T> {
    return this.#options.serial.run(this.#paths.folder, action);
  }

  #assertFit(): void {
    const { host, dataDir } = this.#options;
    if (isFit(dataDir)) return;
    throw new BerthError("host-unsuitable", {
      where: `host ${host.name}`,
      what: "supervisord cannot keep its files in this data directory",
      got: JSON.stringify(dataDir),
      expected: 'a path without " \\ ; # [ ] and control characters',
      hint: "give the host a dataDir without them",
    });
  }

  /** Counts by supervisord's own log, the only place where it tells of starts. */
  async #countStarts(id: string): Promise<number> {
    const log = (await this.#options.host.readText(this.#paths.log)) ?? "";
    return log.split("\n").filter((line) => line.includes(`spawned: '${id}' with pid`)).length;
  }

  async #countRestarts({ id, folder }: RunnerDefinition): Promise<number> {
    const before = Number((await this.#options.host.readText(startsPath(folder))) ?? 0);
    return Math.max(0, (await this.#countStarts(id)) - before - 1);
  }

  /**
   * Whether supervisord can be told to end a runner. One that lives and has lost what it is told by would start the
   * runner again, so it is ended; its other runners go on without it until the next {@link prepare}.
   */
  async #isInReach(): Promise<boolean> {
    if (await this.#control.isUp()) return true;
    const pid = await this.#findSupervisord();
    if (pid !== undefined && !(await this.#control.canBeAsked()))
      await this.#options.host.run(["kill", "-KILL", String(pid)]);
    return false;
  }

  /**
   * Ends what a supervisord that cannot be reached has left: itself, if only its socket is gone, and runners that
   * outlived it. They hold ports and devices that their successors need.
   */
  async #endRemains(): Promise<void> {
    const { host, clock } = this.#options;
    await endProcess(host, () => this.#findSupervisord(), startupSeconds, clock);
    for (const id of await this.list()) {
      const runner = parseProgram((await host.readText(programPath(this.#paths, id))) ?? "");
      if (runner !== undefined) await endOrphan(host, runner, clock);
    }
  }

  async #findSupervisord(): Promise<number | undefined> {
    return (await this.#options.host.findProcesses(["-c", this.#paths.configuration]))[0];
  }

  async #waitUntilUp(): Promise<void> {
    const { clock, host } = this.#options;
    for (let waited = 0; waited < startupSeconds; waited += 0.2) {
      if (await this.#control.isUp()) return;
      await clock.sleep(0.2);
    }
    throw new BerthError("runner-failed", {
      where: `host ${host.name}`,
      what: `supervisord did not answer within ${startupSeconds} s`,
      detail: lastLines((await host.readText(this.#paths.log)) ?? "", 20),
    });
  }

  async #waitUntilDown(): Promise<void> {
    for (let waited = 0; waited < startupSeconds && (await this.#control.isUp()); waited += 0.2)
      await this.#options.clock.sleep(0.2);
  }
}

/** Holds the count of starts before Berth's last one. */
function startsPath(folder: string): string {
  return posix.join(folder, "starts");
}
