import { posix } from "node:path";

import { gatherFacts } from "../host/facts.js";
import type { Host, HostReference } from "../host/host.js";
import { dataPaths } from "../host/paths.js";
import type { Content } from "../install/content.js";
import { ensurePythonTool, hostPython } from "../install/python.js";
import { sha256 } from "../lib/canonical.js";
import type { Clock } from "../lib/clock.js";
import { BerthError } from "../lib/errors.js";
import type { Log } from "../lib/log.js";
import type { Redact } from "../lib/redact.js";
import { Serial } from "../lib/serial.js";
import { Supervisord } from "../runtime/supervisord.js";
import type { Supervisor } from "../runtime/supervisor.js";
import { Systemd } from "../runtime/systemd.js";
import type { HostFacts } from "../schema/facts.js";
import type { Context } from "./kind.js";

export interface ContextOptions {
  readonly openHost: (reference: Pick<HostReference, "name" | "connection">) => Host;
  readonly content: Content;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly newId: () => string;
}

/** Makes the contexts of one process: what is known or being done about a host is shared by all resources on it. */
export class Contexts {
  readonly #options: ContextOptions;
  readonly #serial = new Serial();
  readonly #facts = new Map<string, Promise<HostFacts>>();

  constructor(options: ContextOptions) {
    this.#options = options;
  }

  of(reference: HostReference, redact: Redact): Context {
    const { openHost, content, clock, signal, newId, log } = this.#options;
    const host = openHost(reference);
    return {
      host,
      reference,
      content,
      clock,
      signal,
      newId,
      redact,
      serial: this.#serial,
      log: (event) => log({ ...event, text: redact(event.text) }),
      facts: () => this.#factsOf(host, reference),
      supervisor: (runtime) => this.#supervisor(runtime, host, reference),
    };
  }

  #factsOf(host: Host, { name, dataDir }: HostReference): Promise<HostFacts> {
    const key = `${name} ${dataDir}`;
    const known = this.#facts.get(key) ?? gatherFacts(host, dataDir);
    this.#facts.set(key, known);
    return known;
  }

  #supervisor(runtime: string, host: Host, reference: HostReference): Supervisor {
    const { content, clock } = this.#options;
    const { dataDir } = reference;
    const python = async () =>
      hostPython({ host, dataDir, serial: this.#serial, found: (await this.#factsOf(host, reference)).python });
    const execScript = () => this.#writeScript(host, dataDir);
    if (runtime === "supervisord") {
      const binFolder = async () =>
        ensurePythonTool({ host, dataDir, content, serial: this.#serial, python: await python() }, "supervisor");
      return new Supervisord({ host, dataDir, binFolder, execScript, clock, serial: this.#serial });
    }
    if (runtime === "systemd")
      return new Systemd({ host, dataDir, python, execScript, isRoot: () => this.#isRoot(host, reference) });
    throw new BerthError("host-unsuitable", { where: `host ${host.name}`, what: "no such runtime", got: runtime });
  }

  async #isRoot(host: Host, reference: HostReference): Promise<boolean> {
    return (await this.#factsOf(host, reference)).user === "root";
  }

  async #writeScript(host: Host, dataDir: string): Promise<string> {
    const source = await this.#options.content.pythonTool("exec.py");
    const path = posix.join(dataPaths(dataDir).tools, `${sha256(source).slice(0, 12)}-exec.py`);
    if ((await host.status(path)) === undefined) await host.writeFile(path, source);
    return path;
  }
}
