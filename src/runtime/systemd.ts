import { posix } from "node:path";

import type { Host, RunResult } from "../host/host.js";
import { dataPaths } from "../host/paths.js";
import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import { execPath, outputPath, writeRunnerFiles } from "./runner-files.js";
import type { RunnerDefinition, RunnerObservation, RunnerSpec, RunnerState, Supervisor } from "./supervisor.js";

const controlSeconds = 60;
const stopLimitSeconds = 3600;

export interface SystemdOptions {
  readonly host: Host;
  readonly dataDir: string;
  /** Root's runners are system units, those of others belong to the user's own manager. */
  readonly isRoot: () => Promise<boolean>;
  /** Absolute path of the Python that runs `exec.py`. */
  readonly python: () => Promise<string>;
  /** Path of `exec.py` on the host; writes it when it is missing. */
  readonly execScript: () => Promise<string>;
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
    const { host } = this.#options;
    await writeRunnerFiles(host, spec);
    await host.writeFile(this.#unitFile(spec.id), await this.#unit(spec));
    await this.#control(["enable", "--quiet", this.#unitFile(spec.id)]);
    await this.#control(["daemon-reload"]);
    await this.#tryControl(["reset-failed", this.#unitName(spec.id)]);
    await this.#control(["restart", "--no-block", this.#unitName(spec.id)]);
  }

  async stop(spec: RunnerDefinition): Promise<void> {
    await this.#control(["disable", "--quiet", this.#unitName(spec.id)]);
    // Disabling takes the link away, and with it the unit; it is linked again to be stopped and later started.
    await this.#control(["link", "--quiet", this.#unitFile(spec.id)]);
    await this.#control(["stop", this.#unitName(spec.id)], stopLimitSeconds);
  }

  async remove({ id }: RunnerDefinition): Promise<void> {
    const unit = this.#unitName(id);
    // Where this runtime was never used there is nothing to remove, and perhaps no systemctl.
    if ((await this.#options.host.status(this.#unitFile(id))) === undefined) return;
    const present = await this.#show(id);
    if (present.LoadState !== "not-found") await this.#control(["stop", unit], stopLimitSeconds);
    await this.#tryControl(["disable", "--quiet", unit]);
    await this.#options.host.remove(this.#unitFile(id));
    await this.#control(["daemon-reload"]);
    await this.#tryControl(["reset-failed", unit]);
  }

  async observe(spec: RunnerDefinition): Promise<RunnerObservation> {
    const { host } = this.#options;
    const properties = await this.#show(spec.id);
    const definition = await host.readText(this.#unitFile(spec.id));
    return {
      state: parseShow(properties),
      restarts: Number(properties.NRestarts ?? 0),
      asDefined: definition === (await this.#unit(spec)),
    };
  }

  async list(): Promise<string[]> {
    const files = await this.#options.host.list(this.#folder);
    return files
      .filter((file) => file.startsWith(this.#prefix) && file.endsWith(".service"))
      .map((file) => file.slice(this.#prefix.length, -".service".length));
  }

  async retire(): Promise<void> {
    const { host } = this.#options;
    if ((await this.list()).length > 0) return;
    await host.remove(this.#folder);
    if ((await host.status("/run/systemd/system")) === undefined) return;
    const units = await this.#control(["list-units", "--all", "--plain", "--no-legend", `${this.#prefix}*.service`]);
    for (const line of units.stdout.split("\n").filter((text) => text.startsWith(this.#prefix))) {
      const [unit = ""] = line.split(" ");
      await this.#tryControl(["stop", unit], stopLimitSeconds);
      await this.#tryControl(["disable", "--quiet", unit]);
      await this.#tryControl(["reset-failed", unit]);
    }
  }

  async #show(id: string): Promise<Partial<Record<string, string>>> {
    const names = ["LoadState", "ActiveState", "SubState", "Result", "MainPID", "NRestarts", "ExecMainStatus"];
    const wanted = names.map((name) => `--property=${name}`);
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

  #unitName(id: string): string {
    return `${this.#prefix}${id}.service`;
  }

  #unitFile(id: string): string {
    return posix.join(this.#folder, this.#unitName(id));
  }

  async #unit(spec: RunnerDefinition): Promise<string> {
    const words = [await this.#options.python(), "-I", await this.#options.execScript(), execPath(spec.folder)];
    const target = (await this.#options.isRoot()) ? "multi-user.target" : "default.target";
    return `[Unit]
Description=Berth runner ${spec.id}
After=network.target
StartLimitIntervalSec=${Math.ceil(spec.startSeconds)}
StartLimitBurst=4

[Service]
Type=exec
ExecStart=${words.map(quoteWord).join(" ")}
WorkingDirectory=${escapeSpecifiers(spec.folder)}
Restart=always
RestartSec=1
KillMode=mixed
TimeoutStopSec=${Math.ceil(spec.stopSeconds)}
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
