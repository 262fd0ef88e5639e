import type { Host, RunResult } from "../host/host.js";
import type { Clock } from "../lib/clock.js";
import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import { waitUntil } from "../lib/wait-until.js";
import { proxyName, serverName, serverPorts, type GatewayPaths, type Listener } from "./haproxy-configuration.js";

const controlSeconds = 20;
/** A port that cannot be had costs HAProxy two of them. */
export const settleSeconds = 10;
/** So many commands in one line. */
const mostCommands = 100;
/**
 * Bits of `srv_admin_state` by which somebody keeps new requests from a server: maintenance and drain (management.txt,
 * 9.3). That its name has no address is nobody's doing: it is not healthy.
 */
const awayBits = 0x1b;
/** Of `srv_op_state`. */
const running = 2;

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

/** What a worker says of itself. */
export interface WorkerSight {
  /** The `description` of its configuration. */
  readonly description: string | undefined;
  readonly states: ServerStates;
  /** Of the same servers, whether their checks find them healthy. */
  readonly health: ServerStates;
  /** Its maps, by their files. */
  readonly maps: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

export interface HaproxyControlOptions {
  readonly host: Host;
  readonly paths: Pick<GatewayPaths, "socket">;
  readonly clock: Clock;
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

  /**
   * Has a new worker read the file. It takes over the ports; the one before finishes what it has. Returns whether it has
   * begun: else the one before goes on.
   */
  async reload(): Promise<boolean> {
    const { current: replaced } = await this.workers();
    await this.#ask("reload");
    // The master answers nothing while it begins anew.
    const look = () => this.workers().catch(() => undefined);
    const hasBegun = (workers?: Workers) => workers?.current !== undefined && workers.current !== replaced;
    await waitUntil(this.#options.clock, settleSeconds, async () => {
      const workers = await look();
      return hasBegun(workers) || workers?.failed === true;
    });
    return hasBegun(await look());
  }

  /** What the worker that takes new requests says of itself; undefined when nobody answers. */
  async see(maps: readonly string[]): Promise<WorkerSight | undefined> {
    const commands = ["show info", "show servers state", ...maps.map((file) => `show map ${file}`)];
    const { exitCode, stdout } = await this.#try(commands.map((command) => `@1 ${command}`).join("; "));
    // An empty map is an empty answer.
    const [info = "", states = "", ...rows] = splitAnswers(stdout, commands.length);
    if (exitCode !== 0 || !info.startsWith("Name:")) return undefined;
    return {
      description: /^description: (.*)$/im.exec(info)?.[1],
      states: parseStates(states),
      health: parseHealth(states),
      maps: new Map(maps.map((file, index) => [file, parseMap(rows[index] ?? "")])),
    };
  }

  /** Has the worker that takes new requests do something; what it answers is not read. */
  async tell(commands: readonly string[]): Promise<void> {
    for (let first = 0; first < commands.length; first += mostCommands) {
      const part = commands.slice(first, first + mostCommands);
      await this.#ask(part.map((command) => `@1 ${command}`).join("; "));
    }
  }

  /**
   * Requests in progress on a server of any proxy whose name begins so, in all workers, and connections without one to
   * workers that were replaced: of each they answer once more, and know no other choice of servers than they had.
   *
   * @param asked how the proxies that clients ask begin, where these are others
   */
  async sessions(prefix: string, server: string, asked = prefix): Promise<number> {
    const { current, old } = await this.workers();
    const count = async (pid: number, countIn: (stat: string) => number) =>
      // A worker that has ended meanwhile has none.
      countIn((await this.#try(`@!${pid} show stat`)).stdout);
    const active = (stat: string) => parseSessions(stat, prefix, server);
    const counts = [
      ...(current === undefined ? [] : [count(current, active)]),
      ...old.map((pid) => count(pid, (stat) => active(stat) + parseIdle(stat, asked))),
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

/** Each answer ends with an empty line. */
export function splitAnswers(text: string, count: number): string[] {
  const lines = text.split("\n");
  const answers: string[] = [];
  for (let line = 0; answers.length < count && line < lines.length; line += 1) {
    const end = lines.indexOf("", line);
    if (end === -1) break;
    answers.push(lines.slice(line, end).join("\n"));
    line = end;
  }
  return answers;
}

/** The answer to `show map`: an address of memory, the key and the value in each row. One that nothing uses has none. */
export function parseMap(text: string): Map<string, string> {
  return new Map([...text.matchAll(/^0x[0-9a-f]+ (\S+) (.*)$/gm)].map(([, key = "", value = ""]) => [key, value]));
}

/** Whether requests are sent to a server, by the answer to `show servers state`. */
export function parseStates(text: string): Map<string, boolean> {
  return parseServers(text, (field) => (Number(field("srv_admin_state")) & awayBits) === 0);
}

/** Whether a server's checks find it healthy, by the same answer. */
export function parseHealth(text: string): Map<string, boolean> {
  return parseServers(text, (field) => Number(field("srv_op_state")) === running);
}

/** After the format's version, a row of names and one for each server. */
function parseServers(text: string, tell: (field: (name: string) => string) => boolean): Map<string, boolean> {
  const rows = text.split("\n").map((line) => line.split(" "));
  const names = rows.find(([first]) => first === "#")?.slice(1) ?? [];
  const isServer = ([first = ""]: string[]) => /^\d+$/.test(first);
  return new Map(
    rows
      .filter((row) => isServer(row) && row.length > 1)
      .map((row) => {
        const field = (name: string) => row[names.indexOf(name)] ?? "";
        return [`${field("be_name")}/${field("srv_name")}`, tell(field)];
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
