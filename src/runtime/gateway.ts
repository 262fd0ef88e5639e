import type { Host } from "../host/host.js";
import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import type { Serial } from "../lib/serial.js";
import { waitUntil } from "../lib/wait-until.js";
import {
  gatewayPaths,
  haproxyConfiguration,
  parseHaproxyConfiguration,
  proxyName,
  proxyPrefix,
  serverName,
  serverPorts,
  type GatewayPaths,
  type Listener,
} from "./haproxy-configuration.js";
import { HaproxyControl, settleSeconds, type HaproxyControlOptions, type ServerStates } from "./haproxy-control.js";
import { readOutput, readRunner } from "./runner-files.js";

const checkSeconds = 20;

export interface GatewayOptions extends Omit<HaproxyControlOptions, "paths"> {
  readonly host: Host;
  readonly dataDir: string;
  /** Whose gateway it is, as project/stack. */
  readonly owner: string;
  readonly serial: Serial;
}

/** Where clients ask for an instance. */
export type Asked = Pick<Listener, "instance" | "address" | "port">;

/**
 * What a stack's clients ask on a host: each instance's stable port, and which of its runners answers there. Nobody else
 * writes its file or changes its HAProxy. Every change goes to the file first, validated and in one step, then to what
 * runs, and is read back: whenever HAProxy starts again, it serves as before. The host lock has to be held for changes.
 */
export class Gateway {
  readonly paths: GatewayPaths;
  readonly #options: GatewayOptions;
  readonly #control: HaproxyControl;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.paths = gatewayPaths(options.dataDir, options.owner);
    this.#control = new HaproxyControl({ ...options, paths: this.paths });
  }

  /** What its file says; undefined when there is none, or when that cannot be told any more. */
  async listeners(): Promise<Listener[] | undefined> {
    return parseHaproxyConfiguration((await this.#text()) ?? "");
  }

  /** Whether its file is, to the byte, what is written for what it says. */
  async isAsWritten(): Promise<boolean> {
    const listeners = await this.listeners();
    return listeners !== undefined && (await this.#text()) === haproxyConfiguration(listeners);
  }

  #text(): Promise<string | undefined> {
    return this.#options.host.readText(this.paths.configuration);
  }

  /**
   * The port of the runner that an instance's requests go to; undefined when they go nowhere, nobody knows where, or
   * clients ask for them elsewhere.
   */
  async activePort({ instance, address, port }: Asked): Promise<number | undefined> {
    const [listeners = [], states] = await Promise.all([this.listeners(), this.#control.states()]);
    const name = proxyName({ instance, address, port });
    const found = listeners.find((listener) => listener.instance === instance && proxyName(listener) === name);
    if (found === undefined || states === undefined) return undefined;
    return wantedStates([found]).every(([server, serves]) => states.get(server) === serves) ? found.active : undefined;
  }

  /** Whether a HAProxy runs that serves exactly as the file says. */
  async isInStep(): Promise<boolean> {
    const [listeners, states] = await Promise.all([this.listeners(), this.#control.states()]);
    return listeners !== undefined && isAs(states, listeners);
  }

  /** Writes its file anew for what it says; one without listeners, where that cannot be told. */
  async prepare(): Promise<void> {
    const { host } = this.#options;
    if (!(await this.isAsWritten()))
      await host.writeFile(this.paths.configuration, haproxyConfiguration((await this.listeners()) ?? []), 0o600);
    await host.makeDirectory(this.paths.socketFolder, 0o700);
  }

  /** Waits until HAProxy, which was just started, answers. */
  async awaitAnswer(): Promise<boolean> {
    return this.#waitUntil(async () => (await this.#control.states()) !== undefined);
  }

  /** Brings what runs to what the file says. */
  async settle(): Promise<void> {
    await this.#change((listeners) => listeners);
  }

  /**
   * Sends an instance's new requests to the active port; those in progress end where they are. The first time, and when
   * the listener itself changes, a new worker takes over; else nothing but the choice of the server changes.
   */
  async switchTo(listener: Listener): Promise<void> {
    await this.#change((listeners) => [...without(listeners, listener.instance), listener]);
  }

  /** Listens no more for an instance. What is in progress goes on; nothing there is fine. */
  async close(instance: string): Promise<void> {
    const listeners = await this.listeners();
    if (listeners?.some((listener) => listener.instance === instance) !== true) return;
    // One that does not run listens to nothing, and starts from the file.
    if ((await this.#control.states()) === undefined) await this.#write(without(listeners, instance));
    else await this.#change((present) => without(present, instance));
  }

  /**
   * Waits until the requests that a runner has got from here have ended, but no longer than the given time. Returns how
   * many are left. It gets no new ones when another is active.
   */
  async drain(instance: string, port: number, seconds: number): Promise<number> {
    let left = 0;
    await waitUntil(this.#options.clock, seconds, async () => {
      left = await this.#control.sessions(proxyPrefix(instance), serverName(port));
      return left === 0;
    });
    return left;
  }

  #change(edit: (listeners: readonly Listener[]) => readonly Listener[]): Promise<void> {
    const { serial } = this.#options;
    return serial.run(this.paths.folder, async () => {
      const read = await this.listeners();
      const states = await this.#control.states();
      if (states === undefined) throw this.#failure("the gateway does not answer", "");
      // What others are served by would end with what is written now.
      if (read === undefined && states.size > 0) throw this.#failure("the gateway's file does not say what serves", "");
      const before = read ?? [];
      const after = edit(before);
      await this.#assertPortsFree(after, states);
      await this.#write(after);
      if (isAs(states, after)) return;
      if (hasServersOf(states, after)) await this.#activate(after, states);
      else await this.#reload(before);
      if (!(await this.#waitUntil(async () => isAs(await this.#control.states(), after))))
        throw this.#failure("the gateway does not serve as it was told", await this.#lastOutput());
    });
  }

  /** A port that somebody has would keep a new worker from starting, and the old one from answering meanwhile. */
  async #assertPortsFree(listeners: readonly Listener[], states: ServerStates): Promise<void> {
    const served = new Set([...states.keys()].map((server) => server.slice(0, server.lastIndexOf("/"))));
    const added = listeners.filter((listener) => !served.has(proxyName(listener)));
    if (added.length === 0) return;
    const own = new Set([...served].map((proxy) => Number(proxy.slice(proxy.lastIndexOf(":") + 1))));
    const taken = await this.#options.host.listeningPorts();
    const rival = added.find(({ port }) => taken.has(port) && !own.has(port));
    if (rival === undefined) return;
    throw new BerthError("port-in-use", {
      where: `host ${this.#options.host.name}: ${rival.instance}`,
      what: `port ${rival.port} is taken by another process`,
      hint: "stop that process, or give the deployment another port",
    });
  }

  async #write(listeners: readonly Listener[]): Promise<void> {
    const { host } = this.#options;
    const { configuration, candidate } = this.paths;
    const text = haproxyConfiguration(listeners);
    if ((await host.readText(configuration)) === text) return;
    // HAProxy takes one without listeners for a mistake.
    if (listeners.length > 0) {
      await host.writeFile(candidate, text, 0o600);
      await this.#validate();
    }
    await host.writeFile(configuration, text, 0o600);
  }

  async #validate(): Promise<void> {
    const { host } = this.#options;
    const { folder, candidate } = this.paths;
    const haproxy = (await readRunner(host, folder))?.argv[0];
    if (haproxy === undefined) throw this.#failure("the gateway is not set up", "");
    const checked = await host.run([haproxy, "-c", "-f", candidate], { timeoutSeconds: checkSeconds });
    await host.remove(candidate);
    if (checked.exitCode !== 0)
      throw this.#failure("HAProxy refuses what it is to serve", lastLines(`${checked.stdout}\n${checked.stderr}`, 10));
  }

  async #activate(listeners: readonly Listener[], states: ServerStates): Promise<void> {
    for (const listener of listeners) if (!isAs(states, [listener], true)) await this.#control.activate(listener);
  }

  /** When no new worker starts from the file, the one before goes on, and its file is put back. */
  async #reload(before: readonly Listener[]): Promise<void> {
    if (await this.#control.reload()) return;
    await this.#options.host.writeFile(this.paths.configuration, haproxyConfiguration(before), 0o600);
    throw this.#failure("the gateway goes on as before: it cannot serve as it was told", await this.#lastOutput());
  }

  #waitUntil(isDone: () => Promise<boolean>): Promise<boolean> {
    return waitUntil(this.#options.clock, settleSeconds, isDone);
  }

  #lastOutput(): Promise<string> {
    return readOutput(this.#options.host, this.paths.folder, 10);
  }

  #failure(what: string, detail: string): BerthError {
    return new BerthError("runner-failed", {
      where: `host ${this.#options.host.name}: gateway of ${this.#options.owner}`,
      what,
      hint: "`pulumi up` with refresh starts what does not run",
      ...(detail === "" ? {} : { detail }),
    });
  }
}

function without(listeners: readonly Listener[], instance: string): Listener[] {
  return listeners.filter((listener) => listener.instance !== instance);
}

/** Each server, and whether requests are sent to it. */
function wantedStates(listeners: readonly Listener[]): [string, boolean][] {
  return listeners.flatMap((listener) =>
    serverPorts(listener).map((port): [string, boolean] => [
      `${proxyName(listener)}/${serverName(port)}`,
      port === listener.active,
    ]),
  );
}

/** Whether what runs serves the listeners, and, unless they are a part, nothing else. */
function isAs(states: ServerStates | undefined, listeners: readonly Listener[], part = false): boolean {
  const wanted = wantedStates(listeners);
  if (states === undefined || (!part && states.size !== wanted.length)) return false;
  return wanted.every(([server, serves]) => states.get(server) === serves);
}

function hasServersOf(states: ServerStates, listeners: readonly Listener[]): boolean {
  const wanted = wantedStates(listeners);
  return states.size === wanted.length && wanted.every(([server]) => states.has(server));
}
