import { gatherPython, gatherSharedFacts, type PythonFacts, type SharedFacts } from "../host/facts.js";
import type { Host, HostReference, OpenHost } from "../host/host.js";
import type { Content } from "../install/content.js";
import { ensurePythonTool, findHostPython, hostPython } from "../install/python.js";
import { canonicalJson } from "../lib/canonical.js";
import type { Clock } from "../lib/clock.js";
import { BerthError } from "../lib/errors.js";
import type { Log } from "../lib/log.js";
import type { Redact } from "../lib/redact.js";
import { Serial } from "../lib/serial.js";
import type { ContainerEngine } from "../runtime/container-engine.js";
import type { DeclaredType } from "../schema/declared-devices.js";
import { Docker } from "../runtime/docker.js";
import { createContainerEngine } from "../runtime/docker-engine.js";
import { lookAtDocker } from "../runtime/docker-sight.js";
import { Gateway, type GatewayOptions } from "../runtime/gateway.js";
import { ModelGateway } from "../runtime/model-gateway.js";
import { Supervisord } from "../runtime/supervisord.js";
import { runtimes, type Supervisor } from "../runtime/supervisor.js";
import { Systemd } from "../runtime/systemd.js";
import { AcceleratorUses } from "./accelerator-uses.js";
import type { Context } from "./kind.js";
import { createLauncher } from "./launcher.js";

export interface ContextOptions {
  readonly openHost: OpenHost;
  readonly content: Content;
  readonly clock: Clock;
  /** Aborts when nobody waits for what is done any more. */
  readonly signal: AbortSignal;
  /** Aborts when somebody asks to stop, and waits for it. */
  readonly interrupted?: AbortSignal;
  readonly log: Log;
  readonly newId: () => string;
  /** Types of devices that Berth's own code does not know. Default: none. */
  readonly declared?: () => readonly DeclaredType[];
}

/** Makes the contexts of one process: what is known or being done about a host is shared by all resources on it. */
export class Contexts {
  readonly #options: ContextOptions;
  readonly #serial = new Serial();
  readonly #facts = new Map<string, Promise<SharedFacts>>();
  readonly #pythons = new Map<string, Promise<PythonFacts>>();
  readonly #engines = new Map<string, ContainerEngine>();
  readonly #uses = new Map<string, AcceleratorUses>();

  constructor(options: ContextOptions) {
    this.#options = options;
  }

  of(reference: HostReference, redact: Redact): Context {
    const { openHost, content, clock, signal: gone, interrupted, newId, log } = this.#options;
    const host = openHost(reference);
    return {
      host,
      reference,
      content,
      clock,
      signal: interrupted === undefined ? gone : AbortSignal.any([gone, interrupted]),
      gone,
      newId,
      redact,
      serial: this.#serial,
      log: (event) => log({ ...event, text: redact(event.text) }),
      facts: () => this.#factsOf(host, reference),
      lookAgain: () => this.#lookAt(host, reference),
      findPython: () => this.#pythonOf(host, reference),
      acceleratorUse: this.#usesOf(host, reference),
      supervisor: (runtime) => this.#supervisor(runtime, host, reference),
      containerEngine: () => Promise.resolve(this.#engineOf(host, reference)),
      gateway: (owner) => new Gateway(this.#gatewayOptions(owner, host, reference)),
      modelGateway: (owner) => new ModelGateway(this.#gatewayOptions(owner, host, reference)),
    };
  }

  #factsOf(host: Host, reference: HostReference): Promise<SharedFacts> {
    // Whoever comes another way may be another user there.
    const key = canonicalJson(reference);
    const known = this.#facts.get(key) ?? this.#lookAt(host, reference);
    this.#facts.set(key, known);
    return known;
  }

  async #lookAt(host: Host, { dataDir }: HostReference): Promise<SharedFacts> {
    return gatherSharedFacts(host, dataDir, { lookAtDocker, declared: this.#options.declared?.() });
  }

  #usesOf(host: Host, reference: HostReference): AcceleratorUses {
    const key = canonicalJson(reference);
    const known = this.#uses.get(key) ?? new AcceleratorUses(host);
    this.#uses.set(key, known);
    return known;
  }

  #pythonOf(host: Host, reference: HostReference): Promise<PythonFacts> {
    const key = canonicalJson(reference);
    const known = this.#pythons.get(key) ?? gatherPython(host);
    this.#pythons.set(key, known);
    return known;
  }

  #engineOf(host: Host, reference: HostReference): ContainerEngine {
    const key = canonicalJson(reference);
    const known = this.#engines.get(key) ?? createContainerEngine(host);
    this.#engines.set(key, known);
    return known;
  }

  #gatewayOptions(owner: string, host: Host, reference: HostReference): GatewayOptions {
    const { content, clock } = this.#options;
    const { dataDir } = reference;
    return {
      ...{ host, dataDir, owner, clock, serial: this.#serial },
      findPython: () =>
        findHostPython({ host, dataDir, find: async () => (await this.#pythonOf(host, reference)).python }),
      script: () => content.pythonTool("unix_socket.py"),
    };
  }

  #supervisor(runtime: string, host: Host, reference: HostReference): Supervisor {
    const { content, clock } = this.#options;
    const { dataDir } = reference;
    const serial = this.#serial;
    const find = async () => (await this.#pythonOf(host, reference)).python;
    const options = { host, dataDir, ...createLauncher({ host, dataDir, content, serial, find }) };
    switch (runtimes.find((known) => known === runtime)) {
      case "supervisord": {
        const binFolder = async () => {
          const python = await hostPython({ host, dataDir, serial, find });
          return ensurePythonTool({ host, dataDir, content, serial, python }, "supervisor");
        };
        return new Supervisord({ ...options, binFolder, clock, serial });
      }
      case "systemd":
        return new Systemd({ ...options, isRoot: async () => (await this.#factsOf(host, reference)).user === "root" });
      case "docker":
        return new Docker({ host, dataDir, engine: () => Promise.resolve(this.#engineOf(host, reference)) });
      case undefined:
        throw new BerthError("host-unsuitable", {
          where: `host ${host.name}`,
          what: "no such runtime",
          got: runtime,
          expected: runtimes.join(" or "),
        });
    }
  }
}
