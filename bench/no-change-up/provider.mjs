/**
 * Berth's provider with one kind of resource: the instance, with a runner that does nothing. Only what would start,
 * ask or wait for an engine is left out; files on the host are written, read and compared as ever.
 */
import { baseEnvironment } from "../../dist/host/environment.js";
import { LocalHost } from "../../dist/host/local.js";
import { createDispatch } from "../../dist/pulumi/dispatch.js";
import { ResourceHandler } from "../../dist/pulumi/handler.js";
import { createSurroundings } from "../../dist/pulumi/provider.js";
import { instanceKind } from "../../dist/resources/instance.js";
import { writeRunnerFiles } from "../../dist/runtime/runner-files.js";

/** This machine, where every port is free and every engine answers at once. */
class IdleHost extends LocalHost {
  async listeningPorts() {
    return new Set();
  }

  async request({ path }) {
    return { kind: "answered", status: 200, body: answers[path] ?? "" };
  }
}

const answers = {
  "/v1/models": JSON.stringify({ data: [{ id: "chat" }] }),
  "/v1/completions": JSON.stringify({ choices: [{ text: " 5, 6" }] }),
};

/** Waits are over at once. */
class IdleClock {
  #skipped = 0;

  now() {
    return new Date(Date.now() + this.#skipped);
  }

  async sleep(seconds) {
    this.#skipped += seconds * 1000;
  }
}

class IdleSupervisor {
  #host;

  constructor(host) {
    this.#host = host;
  }

  async prepare() {}

  async start(spec) {
    await writeRunnerFiles(this.#host, spec);
  }

  async stop() {}

  async remove() {}

  async observe() {
    return { state: { kind: "running", pid: 1 }, restarts: 0, asDefined: true };
  }

  async list() {
    return [];
  }

  async retire() {}
}

const environment = baseEnvironment(process.env);

/** The world as an instance sees it, with an idle engine in it. */
function idle(context) {
  const host = new IdleHost(context.host.name, environment);
  return { ...context, host, clock: new IdleClock(), supervisor: () => new IdleSupervisor(host) };
}

const idleInstanceKind = {
  ...instanceKind,
  observe: (context, inputs, previous) => instanceKind.observe(idle(context), inputs, previous),
  converge: (context, operation, inputs) => instanceKind.converge(idle(context), operation, inputs),
  remove: (context, operation, key) => instanceKind.remove(idle(context), operation, key),
};

const surroundings = await createSurroundings(process.argv[2]);

export const dispatch = createDispatch({ Instance: new ResourceHandler(idleInstanceKind, surroundings) });
