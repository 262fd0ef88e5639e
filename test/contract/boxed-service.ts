/** An instance in a container of an engine that a test stops and starts, and what Pulumi's engine does with it. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";

import { ResourceHandler, type Handler, type Surroundings } from "../../src/pulumi/handler.js";
import { PartialFailure } from "../../src/pulumi/partial-failure.js";
import type { Properties } from "../../src/pulumi/properties.js";
import { resourceKinds } from "../../src/resources/kinds.js";
import { Docker } from "../../src/runtime/docker.js";
import { defaultDockerPace, type DockerPace } from "../../src/runtime/docker-api.js";
import { createContainerEngine } from "../../src/runtime/docker-engine.js";
import type { Listener } from "../../src/runtime/haproxy-configuration.js";
import { complete } from "../support/load.js";
import { freePort } from "../support/sandbox.js";
import type { PrivateEngine } from "../support/private-engine.js";
import type { TestImage } from "../support/test-image.js";
import { FakeGateway } from "../unit/support/fake-gateway.js";
import { surroundingsOf } from "./convergence.js";

export interface WantedService {
  readonly image: TestImage;
  readonly text: string;
  /** Further arguments of the fake engine. */
  readonly argv?: readonly string[];
}

interface JournalStep {
  readonly kind: string;
  readonly step: string;
}

/** Hands connections on to the active runner. */
class LoopbackGateway extends FakeGateway {
  readonly #servers: Server[] = [];

  override async switchTo(listener: Listener): Promise<void> {
    const isNew = this.served.size === 0;
    await super.switchTo(listener);
    if (!isNew) return;
    const server = createServer((client) => {
      const runner = connect(this.served.get(listener.instance)?.active ?? 0, "127.0.0.1");
      client.pipe(runner).on("error", () => client.destroy());
      runner.pipe(client).on("error", () => runner.destroy());
    });
    this.#servers.push(server.listen(listener.port, "127.0.0.1"));
    await once(server, "listening");
  }

  end(): void {
    for (const server of this.#servers) server.close();
  }
}

export class BoxedService {
  readonly #folder = mkdtempSync("/tmp/bs-");
  readonly #state = new Map<string, Properties>();
  readonly #gateway = new LoopbackGateway();
  #ports: readonly [number, number, number] = [0, 0, 0];
  pace: DockerPace = defaultDockerPace;

  private constructor(
    readonly engine: PrivateEngine,
    /** Whether a gateway stands before it, so that its updates are blue/green. */
    readonly isServed: boolean,
  ) {}

  static async create(engine: PrivateEngine, isServed: boolean): Promise<BoxedService> {
    const service = new BoxedService(engine, isServed);
    service.#ports = [await freePort(), await freePort(), await freePort()];
    writeFileSync(join(service.#folder, "model.txt"), "a good model\n");
    return service;
  }

  get dataDir(): string {
    return join(this.#folder, "data");
  }

  /** Brings the image, and with it the instance. Throws what Pulumi would show. */
  async up({ image, text, argv = [] }: WantedService): Promise<void> {
    const handlerOf = this.#process();
    const { reference, digest, pinned } = image;
    const engine = { backend: "fake", version: "1", method: "image", reference, digest };
    await this.#apply(handlerOf("BackendVersion"), `BackendVersion local.${digest.slice(7, 13)}`, engine);
    const installation = this.#state.get(`BackendVersion local.${digest.slice(7, 13)}`)?.installation;
    const [port, ...slots] = this.#ports;
    await this.#apply(handlerOf("Instance"), "Instance chat-0", {
      ...{ deployment: "chat", backend: "fake", backendVersion: "1", installation, runtime: "docker" },
      ...{ modelSha256: "a".repeat(64), modelPath: join(this.#folder, "model.txt"), placement: "placed" },
      argv: ["--port", "8000", "--alias", "chat", "--text", text, ...argv],
      container: { image: pinned, containerPort: 8000 },
      ...{ bindAddress: "127.0.0.1", port, ...(this.isServed ? { slots, drainSeconds: 1 } : {}) },
      ...{ servedModel: "chat", healthPath: "/health" },
      ...{ minHealthySeconds: 0, healthyDeadlineSeconds: 30, stopSeconds: 2 },
    });
  }

  /** The journal steps that begin while something is done. */
  async steps(action: () => Promise<void>, onStep: (step: string) => void = () => undefined): Promise<string[]> {
    const steps: string[] = [];
    const note = (message: unknown) => {
      const { step } = message as JournalStep;
      steps.push(step);
      onStep(step);
    };
    subscribe("berth:journal", note);
    try {
      await action();
    } finally {
      unsubscribe("berth:journal", note);
    }
    return steps;
  }

  /** What clients are answered. */
  async answer(): Promise<string> {
    return complete(`http://127.0.0.1:${this.#ports[0]}/v1`);
  }

  /** The containers that the engine has of it, as `image state`. */
  async containers(): Promise<string[]> {
    const format = "{{.Image}} {{.State}}";
    const labels = ["--filter", `label=berth.data-dir=${this.dataDir}`];
    const text = await this.engine.docker(["ps", "--all", "--no-trunc", "--format", format, ...labels]);
    return text.split("\n").filter((line) => line !== "");
  }

  async destroy(): Promise<void> {
    const handlerOf = this.#process();
    // Images go when no container is made of them any more.
    for (const kind of ["Instance", "BackendVersion"] as const) {
      for (const [key, props] of [...this.#state].filter(([each]) => each.startsWith(kind))) {
        await handlerOf(kind).delete(props);
        this.#state.delete(key);
      }
    }
  }

  forget(): void {
    this.#gateway.end();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #apply(handler: Handler, key: string, more: Properties): Promise<void> {
    const [, name = ""] = key.split(" ");
    const host = { name: "local", connection: "local", dataDir: this.dataDir };
    const known = this.#state.get(key);
    try {
      // `refresh: always`
      const olds = known === undefined ? undefined : (await handler.read(`local/${name}`, known)).props;
      const given = { name, owner: "shop/dev", host, ...more };
      const news = { ...handler.check(olds ?? {}, given).inputs, __provider: "shim" };
      if (olds === undefined) this.#state.set(key, (await handler.create(news)).outs);
      else this.#state.set(key, handler.diff(olds, news).changes ? (await handler.update(olds, news)).outs : olds);
    } catch (error) {
      if (error instanceof PartialFailure) this.#state.set(key, error.properties);
      throw error;
    }
  }

  /** The handlers of one run, which is a process of its own. */
  #process(): (kind: "BackendVersion" | "Instance") => Handler {
    const { host } = this.engine;
    const surroundings = surroundingsOf(host);
    const engine = () => Promise.resolve(container);
    const container = createContainerEngine(host, this.pace);
    const own: Surroundings = {
      ...surroundings,
      context: (inputs, redact) => {
        const context = surroundings.context(inputs, redact);
        const { dataDir } = inputs.host;
        const supervisor = (runtime: string) =>
          runtime === "docker" ? new Docker({ host, dataDir, engine }) : context.supervisor(runtime);
        return { ...context, containerEngine: engine, supervisor, gateway: () => this.#gateway as never };
      },
    };
    return (kind) => new ResourceHandler<never, never>(resourceKinds[kind] as never, own);
  }
}
