import { posix } from "node:path";

import type { Host } from "../host/host.js";
import { canonicalJson } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import type { Serial } from "../lib/serial.js";
import { waitUntil } from "../lib/wait-until.js";
import { gatewayPaths, type GatewayPaths } from "./haproxy-configuration.js";
import { HaproxyControl, settleSeconds, type HaproxyControlOptions } from "./haproxy-control.js";
import {
  boundPorts,
  modelFrontend,
  modelGatewayFiles,
  textsOf,
  type ModelGatewayFiles,
} from "./model-gateway-configuration.js";
import { mapFile, mapNames } from "./model-gateway-rules.js";
import { hasAway, isAs, mapChanges, namesOfUnhealthy, serverText, type GatewaySight } from "./model-gateway-sight.js";
import { parseSettings, serversGone, type ModelGatewaySettings } from "./model-gateway-settings.js";
import { readOutput } from "./runner-files.js";

const checkSeconds = 20;
/** How long its checks may lag behind those of an instance. */
const healthSeconds = 20;
const mapFiles = mapNames.map(mapFile);

export interface ModelGatewayOptions extends Omit<HaproxyControlOptions, "paths"> {
  readonly host: Host;
  readonly dataDir: string;
  /** Whose gateway it is, as project/stack. */
  readonly owner: string;
  readonly serial: Serial;
}

/** Where a gateway's files and sockets are; it has a second process, which reads large requests. */
export interface ModelGatewayPaths extends GatewayPaths {
  readonly largeFolder: string;
  readonly largeSocket: string;
}

export function modelGatewayPaths(dataDir: string, owner: string): ModelGatewayPaths {
  const paths = gatewayPaths(dataDir, owner, "models");
  return {
    ...paths,
    largeFolder: posix.join(paths.folder, "large"),
    largeSocket: posix.join(paths.socketFolder, "large.sock"),
  };
}

/**
 * The gateway of a stack that routes by model, on one of its hosts. Nobody else writes its files or changes its HAProxy.
 * Every change goes to the files first, validated, then to what runs, and is read back: whenever HAProxy starts again, it
 * serves as before. The host lock has to be held for changes.
 */
export class ModelGateway {
  readonly paths: ModelGatewayPaths;
  readonly #options: ModelGatewayOptions;
  readonly #control: HaproxyControl;
  readonly #large: HaproxyControl;

  constructor(options: ModelGatewayOptions) {
    this.#options = options;
    this.paths = modelGatewayPaths(options.dataDir, options.owner);
    this.#control = new HaproxyControl({ ...options, paths: this.paths });
    this.#large = new HaproxyControl({ ...options, paths: { socket: this.paths.largeSocket } });
  }

  /** What it was told last; undefined when there is nothing, or when that cannot be told any more. */
  async settings(): Promise<ModelGatewaySettings | undefined> {
    return parseSettings(await this.#options.host.readText(this.#record));
  }

  /** Whether its files are, to the byte, what is written for what it was told. */
  async isAsWritten(): Promise<boolean> {
    const settings = await this.settings();
    if (settings === undefined) return false;
    const wanted = textsOf(await this.#filesFor(settings));
    const found = await Promise.all(wanted.map(([file]) => this.#options.host.readText(this.#path(file))));
    return wanted.every(([, text], index) => text === found[index]);
  }

  /** Whether a HAProxy runs that serves exactly as it was told, with the certificate as it is now. */
  async isInStep(): Promise<boolean> {
    const settings = await this.settings();
    return settings !== undefined && isAs(await this.#see(), await this.#filesFor(settings));
  }

  /**
   * Writes its files; HAProxy is started with them.
   *
   * @throws BerthError `port-in-use` where another process listens: HAProxy would share the port with another HAProxy
   */
  async prepare(settings: ModelGatewaySettings, haproxy: string): Promise<void> {
    await this.#assertPortsFree(settings, (await this.answers()) ? await this.#boundPorts() : []);
    await this.#write(settings, haproxy);
    await this.#options.host.makeDirectory(this.paths.socketFolder, 0o700);
  }

  /** Waits until HAProxy, which was just started, answers. */
  awaitAnswer(): Promise<boolean> {
    return this.#waitUntil(async () => (await this.#see()) !== undefined);
  }

  /** Whether the process that clients ask runs. */
  async answers(): Promise<boolean> {
    return (await this.#control.see([])) !== undefined;
  }

  /** What both processes say of themselves; undefined when one of them does not answer. */
  async #see(): Promise<GatewaySight | undefined> {
    const [sight, large] = await Promise.all([this.#control.see(mapFiles), this.#large.see([])]);
    return sight === undefined || large === undefined ? undefined : { ...sight, large: large.description };
  }

  /**
   * Serves as told: routes, shares and keys without a new worker, all else with one, which takes over while the one before
   * ends what it has. Replicas that were not there are asked when they have been healthy for as long as they must be.
   */
  async apply(settings: ModelGatewaySettings, haproxy: string): Promise<void> {
    await this.#options.serial.run(this.paths.folder, async () => {
      const before = await this.settings();
      const sight = await this.#see();
      if (sight === undefined) throw this.#failure("the gateway does not answer", "");
      await this.#assertPortsFree(settings, await this.#boundPorts());
      await this.#write(settings, haproxy);
      const files = await this.#filesFor(settings);
      if (isAs(sight, files)) return;
      if (sight.large !== files.largeVersion) await this.#reload(this.#large, before, haproxy);
      if (sight.description === files.version && !hasAway(sight)) await this.#control.tell(mapChanges(sight, files));
      else await this.#reload(this.#control, before, haproxy);
      if (!(await this.#waitUntil(async () => isAs(await this.#see(), files))))
        throw this.#failure("the gateway does not serve as it was told", await this.#lastOutput());
      await this.#awaitHealth(sight, before, settings);
    });
  }

  /** The replicas that it does not find healthy, as `SERVER of DEPLOYMENT`: all of them when it does not run. */
  async findUnhealthy(): Promise<string[]> {
    const sight = await this.#control.see([]);
    if (sight !== undefined) return namesOfUnhealthy(sight).map(serverText);
    return serversGone(await this.settings(), undefined).map(({ proxy, server }) => serverText(`${proxy}/${server}`));
  }

  /** Waits until it finds all replicas healthy, but no longer than they may take; returns those that are not. */
  async awaitHealthy({ targets }: ModelGatewaySettings): Promise<string[]> {
    const most = Math.max(0, ...Object.values(targets).map(({ minHealthySeconds }) => minHealthySeconds));
    let unhealthy: string[] = [];
    await waitUntil(this.#options.clock, most + healthSeconds, async () => {
      unhealthy = await this.findUnhealthy();
      return unhealthy.length === 0;
    });
    return unhealthy;
  }

  /** Waits until requests in progress at replicas that went have ended. Returns how many are left after their time. */
  async drain(before: ModelGatewaySettings | undefined, after: ModelGatewaySettings): Promise<number> {
    const gone = serversGone(before, after);
    const counts = await Promise.all(
      gone.map(async ({ proxy, server, drainSeconds }) => {
        let left = 0;
        await waitUntil(this.#options.clock, drainSeconds, async () => {
          left = await this.#control.sessions(proxy, server, modelFrontend);
          return left === 0;
        });
        return left;
      }),
    );
    return counts.reduce((sum, left) => sum + left, 0);
  }

  /**
   * A new worker takes its servers for healthy until they are not: those that were not there before, or not healthy, have
   * to show it.
   */
  async #awaitHealth(
    sight: GatewaySight,
    before: ModelGatewaySettings | undefined,
    after: ModelGatewaySettings,
  ): Promise<void> {
    if (before === undefined) return;
    const added = serversGone(after, before).map(({ proxy, server }) => `${proxy}/${server}`);
    const doubtful = new Set([...added, ...namesOfUnhealthy(sight)]);
    const present = serversGone(after, undefined).map(({ proxy, server }) => `${proxy}/${server}`);
    const asked = present.filter((server) => doubtful.has(server));
    await this.#control.tell(asked.map((server) => `set server ${server} health down`));
  }

  async #filesFor(settings: ModelGatewaySettings): Promise<ModelGatewayFiles> {
    const { certFile } = settings;
    return modelGatewayFiles(settings, certFile === undefined ? undefined : await this.#certificate(certFile));
  }

  async #certificate(certFile: string): Promise<string> {
    const { host } = this.#options;
    const kind = (await host.status(certFile))?.kind;
    if (kind === "file" || kind === "link") return host.sha256(certFile);
    throw new BerthError("file-not-found", {
      where: `host ${host.name}: ${certFile}`,
      what: kind === undefined ? "the gateway's certificate is not there" : "the gateway's certificate is no file",
      ...(kind === undefined ? {} : { got: kind === "directory" ? "a folder" : "neither a file nor a link" }),
      expected: "a file with the certificate, those between it and its authority, and its key",
      hint: "put it there, or correct `gateway.tls.certFile`",
    });
  }

  /** By its file, which is as it was when the process read it. */
  async #boundPorts(): Promise<number[]> {
    return boundPorts((await this.#options.host.readText(this.paths.configuration)) ?? "");
  }

  /** A port that somebody has would keep a new worker from starting. @param own ports that it has already */
  async #assertPortsFree({ listen, metrics }: ModelGatewaySettings, own: readonly number[]): Promise<void> {
    const added = [listen.port, metrics.port].filter((port) => !own.includes(port));
    if (added.length === 0) return;
    const taken = await this.#options.host.listeningPorts();
    const rival = added.find((port) => taken.has(port));
    if (rival === undefined) return;
    throw new BerthError("port-in-use", {
      where: `host ${this.#options.host.name}: gateway of ${this.#options.owner}`,
      what: `port ${rival} is taken by another process`,
      hint: "stop that process, or give `gateway.listen` or `gateway.metrics` another port",
    });
  }

  async #write(settings: ModelGatewaySettings, haproxy: string): Promise<void> {
    const { host } = this.#options;
    const texts = textsOf(await this.#filesFor(settings));
    const present = await Promise.all(texts.map(([file]) => host.readText(this.#path(file))));
    const isWritten = texts.every(([, text], index) => text === present[index]);
    const record = `${canonicalJson(settings)}\n`;
    if (isWritten && (await host.readText(this.#record)) === record) return;
    await this.#validate(texts, haproxy);
    // Lists of keys that are gone would stay.
    for (const file of await host.list(this.paths.folder))
      if (/^models-of-.*\.json$/.test(file) && !texts.some(([name]) => name === file))
        await host.remove(this.#path(file));
    for (const [file, text] of texts) await host.writeFile(this.#path(file), text, 0o600);
    await host.writeFile(this.#record, record, 0o600);
  }

  /** In a folder of its own: what serves stays as it is until all is well-formed. */
  async #validate(texts: readonly (readonly [string, string])[], haproxy: string): Promise<void> {
    const { host } = this.#options;
    const folder = this.#path("next");
    await host.makeDirectory(folder, 0o700);
    try {
      for (const [file, text] of texts) await host.writeFile(posix.join(folder, file), text, 0o600);
      for (const cwd of [folder, posix.join(folder, "large")]) {
        const checked = await host.run([haproxy, "-c", "-f", "haproxy.cfg"], { timeoutSeconds: checkSeconds, cwd });
        const said = lastLines(`${checked.stdout}\n${checked.stderr}`, 10);
        if (checked.exitCode !== 0) throw this.#failure("HAProxy refuses what it is to serve", said);
      }
    } finally {
      await host.remove(folder);
    }
  }

  /** When no new worker starts from the files, the one before goes on, and its files are put back. */
  async #reload(control: HaproxyControl, before: ModelGatewaySettings | undefined, haproxy: string): Promise<void> {
    if (await control.reload()) return;
    const said = await this.#lastOutput();
    if (before !== undefined) await this.#write(before, haproxy);
    throw this.#failure("the gateway goes on as before: it cannot serve as it was told", said);
  }

  #waitUntil(isDone: () => Promise<boolean>): Promise<boolean> {
    return waitUntil(this.#options.clock, settleSeconds, isDone);
  }

  #lastOutput(): Promise<string> {
    return readOutput(this.#options.host, this.paths.folder, 10);
  }

  get #record(): string {
    return this.#path("settings.json");
  }

  #path(file: string): string {
    return posix.join(this.paths.folder, file);
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
