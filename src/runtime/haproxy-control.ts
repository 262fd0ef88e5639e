import type { Host, RunResult } from "../host/host.js";
import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import { proxyName, serverName, serverPorts, type GatewayPaths, type Listener } from "./haproxy-configuration.js";

const controlSeconds = 20;
/** Bits of `srv_admin_state` that keep new requests from a server: maintenance and drain (management.txt, 9.3). */
const awayBits = 0x3b;

/** HAProxy's processes, by their ids. */
export interface Workers {
  /** The one that takes new requests. */
  readonly current: number | undefined;
  /** Those that only finish theirs. */
  readonly old: readonly number[];
  /** Whether the last reload found no way to serve what the file says. */
  readonly failed: boolean;
}

/** A proxy's servers by `PROXY/SERVER`, and whether requests are sent to each. */
export type ServerStates = ReadonlyMap<string, boolean>;

export interface HaproxyControlOptions {
  readonly host: Host;
  readonly paths: GatewayPaths;
  /** The host's Python; undefined where none is found. */
  readonly findPython: () => Promise<string | undefined>;
  /** Text of `tools/python/unix_socket.py`. */
  readonly script: () => Promise<string>;
}

/** Asks a running HAProxy and tells it what to do, through the socket of its master. Writes no file. */
export class HaproxyControl {
  readonly #options: HaproxyControlOptions;

  constructor(options: HaproxyControlOptions) {
    this.#options = options;
  }

  /** What the worker that takes new requests does; undefined when nobody answers. */
  async states(): Promise<ServerStates | undefined> {
    const answer = await this.#try("@1 show servers state");
    return answer.exitCode === 0 ? parseStates(answer.stdout) : undefined;
  }

  /** Sends an instance's requests to the active server. The others come after it: some server is always there. */
  async activate(listener: Listener): Promise<void> {
    const { active } = listener;
    const server = (port: number) => `set server ${proxyName(listener)}/${serverName(port)} state`;
    const others = serverPorts(listener).filter((port) => port !== active);
    const commands = [`${server(active)} ready`, ...others.map((port) => `${server(port)} maint`)];
    await this.#ask(commands.map((command) => `@1 ${command}`).join("; "));
  }

  async workers(): Promise<Workers> {
    return parseWorkers(await this.#ask("show proc"));
  }

  /** Has a new worker read the file. It takes over the ports; the one before finishes what it has. Does not wait. */
  async reload(): Promise<void> {
    await this.#ask("reload");
  }

  /**
   * Requests in progress on a server of any proxy whose name begins so, in all workers, and connections without one to
   * workers that were replaced: of each they answer once more, and know no other choice of servers than they had.
   */
  async sessions(prefix: string, server: string): Promise<number> {
    const { current, old } = await this.workers();
    const count = async (pid: number, countIn: (stat: string) => number) =>
      // A worker that has ended meanwhile has none.
      countIn((await this.#try(`@!${pid} show stat`)).stdout);
    const active = (stat: string) => parseSessions(stat, prefix, server);
    const counts = [
      ...(current === undefined ? [] : [count(current, active)]),
      ...old.map((pid) => count(pid, (stat) => active(stat) + parseIdle(stat, prefix))),
    ];
    return (await Promise.all(counts)).reduce((sum, each) => sum + each, 0);
  }

  async #ask(command: string): Promise<string> {
    const answer = await this.#try(command);
    if (answer.exitCode === 0) return answer.stdout;
    throw new BerthError("command-failed", {
      where: `host ${this.#options.host.name}`,
      what: "the gateway does not answer",
      got: `exit code ${answer.exitCode}`,
      hint: "run `pulumi up` with refresh, so that it is started first",
      detail: lastLines(answer.stderr, 5),
    });
  }

  async #try(command: string): Promise<RunResult> {
    const { host, paths, findPython, script } = this.#options;
    const python = await findPython();
    if (python === undefined) return { exitCode: 127, stdout: "", stderr: "no Python is found" };
    return host.run([python, "-I", "-c", await script(), paths.socket, command], { timeoutSeconds: controlSeconds });
  }
}

/** The answer to `show servers state`: after the format's version, a row of names and one for each server. */
export function parseStates(text: string): Map<string, boolean> {
  const rows = text.split("\n").map((line) => line.split(" "));
  const names = rows.find(([first]) => first === "#")?.slice(1) ?? [];
  const column = (name: string) => names.indexOf(name);
  const isServer = ([first = ""]: string[]) => /^\d+$/.test(first);
  return new Map(
    rows
      .filter((row) => isServer(row) && row.length > 1)
      .map((row) => {
        const field = (name: string) => row[column(name)] ?? "";
        const away = (Number(field("srv_admin_state")) & awayBits) !== 0;
        return [`${field("be_name")}/${field("srv_name")}`, !away];
      }),
  );
}

/** The answer to `show proc`. */
export function parseWorkers(text: string): Workers {
  const [, workers = ""] = text.split("# workers\n");
  const [present = "", replaced = ""] = workers.split("# old workers\n");
  const pids = (part: string) => [...part.matchAll(/^(\d+)\s+worker\b/gm)].map(([, pid]) => Number(pid));
  return { current: pids(present)[0], old: pids(replaced), failed: /\[failed: [1-9]/.test(text) };
}

/** Requests in progress on a server, by the answer to `show stat`. */
export function parseSessions(text: string, prefix: string, server: string): number {
  return countCurrent(text, prefix, (name) => name === server);
}

/** Clients' connections on which nothing is in progress, by the answer to `show stat`. */
export function parseIdle(text: string, prefix: string): number {
  const connections = countCurrent(text, prefix, (name) => name === "FRONTEND");
  const busy = countCurrent(text, prefix, (name) => name !== "FRONTEND" && name !== "BACKEND");
  return Math.max(0, connections - busy);
}

/** The answer to `show stat` is comma-separated values. */
function countCurrent(text: string, prefix: string, isCounted: (server: string) => boolean): number {
  const rows = text.split("\n").map((line) => line.replace(/^# /, "").split(","));
  const column = (name: string) => rows[0]?.indexOf(name) ?? -1;
  return rows
    .slice(1)
    .filter((row) => row[column("pxname")]?.startsWith(prefix) === true && isCounted(row[column("svname")] ?? ""))
    .reduce((sum, row) => sum + Number(row[column("scur")] ?? 0), 0);
}
