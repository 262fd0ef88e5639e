import { posix } from "node:path";

import type { Host, RunResult } from "../host/host.js";
import { dataPaths } from "../host/paths.js";
import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import { execPath, outputPath, followOutput, readOutput, writeRunnerFiles, type Launcher } from "./runner-files.js";
import type {
  OutputFollower,
  RunnerDefinition,
  RunnerObservation,
  RunnerSpec,
  RunnerState,
  Supervisor,
} from "./supervisor.js";

const controlSeconds = 60;
const stopLimitSeconds = 3600;
const restartSeconds = 1;
const startsBeforeGivingUp = 4;
const shownProperties = ["LoadState", "ActiveState", "SubState", "Result", "MainPID", "NRestarts", "ExecMainStatus"];

export interface SystemdOptions extends Launcher {
  readonly host: Host;
  readonly dataDir: string;
  /** Root's runners are system units, those of others belong to the user's own manager. */
  readonly isRoot: () => Promise<boolean>;
}

/**
 * systemd units. Their files lie in the data directory; systemd's own folders hold links to them. Names carry a digest
 * of the data directory, so that two of them on one host do not meet.
 */
export class Systemd implements Supervisor {
  readonly #options: SystemdOptions;
  readonly #folder: string;
  readonly #prefix: string;

  constructor(options: SystemdOptions) {
    this.#options = options;
    this.#folder = dataPaths(options.dataDir).systemd;
    this.#prefix = `berth-${sha256(options.dataDir).slice(0, 8)}-`;
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  async start(spec: RunnerSpec): Promise<void> {
    const { host, makeLauncher } = this.#options;
    await writeRunnerFiles(host, spec);
    await host.writeFile(this.#unitFile(spec.id), await this.#unit(spec, await makeLauncher()));
    await this.#control(["enable", "--quiet", this.#unitFile(spec.id)]);
    await this.#control(["daemon-reload"]);
    await this.#tryControl(["reset-failed", this.#unitName(spec.id)]);
    await this.#control(["restart", this.#unitName(spec.id)], stopLimitSeconds);
  }

  async stop(spec: RunnerDefinition): Promise<void> {
    const { host, makeLauncher } = this.#options;
    await host.writeFile(this.#unitFile(spec.id), await this.#unit(spec, await makeLauncher()));
    const link = ["link", "--quiet", this.#unitFile(spec.id)];
    // Disabling takes the link away, and with it the unit; and where somebody has taken it away, disabling fails.
    await this.#control(link);
    await this.#control(["disable", "--quiet", this.#unitName(spec.id)]);
    await this.#control(link);
    await this.#control(["stop", this.#unitName(spec.id)], stopLimitSeconds);
  }

  async remove({ id }: RunnerDefinition): Promise<void> {
    const { host } = this.#options;
    const reached = await this.#isReached();
    // Where this runtime was never used there is nothing to remove, and perhaps no systemctl.
    if ((await host.status(this.#unitFile(id))) === undefined && !reached) return;
    // Where systemd does not run now, nothing of its runs, and it takes links away all the same.
    if (reached) await this.#end(this.#unitName(id));
    else await this.#tryControl(["disable", "--quiet", this.#unitName(id)]);
    await host.remove(this.#unitFile(id));
    if (reached) await this.#control(["daemon-reload"]);
  }

  async observe(spec: RunnerDefinition): Promise<RunnerObservation> {
    const { host, findLauncher } = this.#options;
    const properties = await this.#show(spec.id);
    const definition = await host.readText(this.#unitFile(spec.id));
    // Unlike `show` it looks at the links as they are now.
    const enabled = await this.#tryControl(["is-enabled", this.#unitName(spec.id)]);
    const launcher = await findLauncher();
    const written = launcher !== undefined && definition === (await this.#unit(spec, launcher));
    return {
      state: parseShow(properties),
      restarts: Number(properties.NRestarts ?? 0),
      // One that is not enabled would not come back when the machine starts.
      asDefined: written && enabled.stdout.trim() === "enabled",
    };
  }

  readOutput({ folder }: RunnerDefinition, lines: number): Promise<string> {
    return readOutput(this.#options.host, folder, lines);
  }

  followOutput({ folder }: RunnerDefinition, lines: number, follower: OutputFollower): Promise<void> {
    return followOutput(this.#options.host, folder, lines, follower);
  }

  async list(): Promise<string[]> {
    const files = await this.#options.host.list(this.#folder);
    return files
      .filter((file) => file.startsWith(this.#prefix) && file.endsWith(".service"))
      .map((file) => file.slice(this.#prefix.length, -".service".length).replaceAll(":", "@"));
  }

  async retire(): Promise<void> {
    const { host } = this.#options;
    if ((await this.list()).length > 0) return;
    await host.remove(this.#folder);
    if (!(await this.#isReached())) return;
    const lost = await this.#findUnits();
    for (const unit of lost) await this.#end(unit);
    if (lost.length > 0) await this.#control(["daemon-reload"]);
  }

  /** Whether systemd, or the user's own manager, runs here and answers. */
  async #isReached(): Promise<boolean> {
    return (await this.#tryControl(["show", "--property=Version"])).exitCode === 0;
  }

  /** Units of this data directory that systemd has in memory, or links to. */
  async #findUnits(): Promise<string[]> {
    const pattern = `${this.#prefix}*.service`;
    // They fail where there is none.
    const loaded = await this.#tryControl(["list-units", "--all", "--plain", "--no-legend", pattern]);
    const linked = await this.#tryControl(["list-unit-files", "--no-legend", pattern]);
    const names = `${loaded.stdout}\n${linked.stdout}`.split("\n").map((line) => line.trim().split(" ", 1).join(""));
    return [...new Set(names)].filter((name) => name.startsWith(this.#prefix));
  }

  /** Stops a unit, if there is one, and takes its links and its failure away. */
  async #end(unit: string): Promise<void> {
    const { exitCode, stdout } = await this.#tryControl(["show", "--property=ActiveState", "--value", unit]);
    if (exitCode !== 0 || stdout.trim() !== "inactive") await this.#control(["stop", unit], stopLimitSeconds);
    await this.#tryControl(["disable", "--quiet", unit]);
    await this.#tryControl(["reset-failed", unit]);
  }

  async #show(id: string): Promise<Partial<Record<string, string>>> {
    const wanted = shownProperties.map((name) => `--property=${name}`);
    const { stdout } = await this.#control(["show", ...wanted, this.#unitName(id)]);
    return Object.fromEntries(
      stdout.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
  }

  async #control(args: string[], timeoutSeconds = controlSeconds): Promise<RunResult> {
    const result = await this.#tryControl(args, timeoutSeconds);
    if (result.exitCode === 0) return result;
    throw new BerthError("command-failed", {
      where: `host ${this.#options.host.name}`,
      what: `systemctl ${args.join(" ")} failed`,
      got: `exit code ${result.exitCode}`,
      detail: lastLines(`${result.stdout}\n${result.stderr}`, 10),
    });
  }

  async #tryControl(args: string[], timeoutSeconds = controlSeconds): Promise<RunResult> {
    const scope = (await this.#options.isRoot()) ? [] : ["--user"];
    return this.#options.host.run(["systemctl", ...scope, "--no-pager", ...args], { timeoutSeconds });
  }

  /** An `@` would make the unit one of a template's, for which systemd has rules of its own; no id holds a colon. */
  #unitName(id: string): string {
    return `${this.#prefix}${id.replaceAll("@", ":")}.service`;
  }

  #unitFile(id: string): string {
    return posix.join(this.#folder, this.#unitName(id));
  }

  /**
   * A runner that always ends before it can be healthy is given up: the interval holds so many such starts, and never
   * as many of longer ones. A time of 0 to stop would mean without end.
   */
  async #unit(spec: RunnerDefinition, launcher: readonly string[]): Promise<string> {
    const words = [...launcher, execPath(spec.folder)];
    const target = (await this.#options.isRoot()) ? "multi-user.target" : "default.target";
    return `[Unit]
Description=Berth runner ${spec.id}
After=network.target
StartLimitIntervalSec=${startsBeforeGivingUp * (Math.ceil(spec.startSeconds) + restartSeconds + 1)}
StartLimitBurst=${startsBeforeGivingUp}

[Service]
Type=exec
ExecStart=${words.map(quoteWord).join(" ")}
WorkingDirectory=${escapeSpecifiers(spec.folder)}
Restart=always
RestartSec=${restartSeconds}
KillMode=mixed
TimeoutStopSec=${Math.max(1, Math.ceil(spec.stopSeconds))}
StandardOutput=append:${escapeSpecifiers(outputPath(spec.folder))}
StandardError=inherit

[Install]
WantedBy=${target}
`;
  }
}

/** A word of a systemd command line: quoted, with its escapes (systemd.service(5), "Command lines"). */
function quoteWord(word: string): string {
  const escaped = word.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("$", "$$$$");
  return `"${escapeSpecifiers(escaped)}"`;
}

function escapeSpecifiers(text: string): string {
  return text.replaceAll("%", "%%");
}

function parseShow(properties: Partial<Record<string, string>>): RunnerState {
  const { LoadState, ActiveState, SubState, MainPID, Result, ExecMainStatus } = properties;
  if (LoadState === "not-found") return { kind: "absent" };
  if (ActiveState === "active" && SubState === "running") return { kind: "running", pid: Number(MainPID) };
  const ended = Result === "success" ? "" : `: ${Result ?? ""}, exit status ${ExecMainStatus ?? ""}`;
  return { kind: "stopped", reason: `${ActiveState ?? ""} (${SubState ?? ""})${ended}` };
}
