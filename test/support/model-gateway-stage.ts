/** A gateway that routes by model: its real files, its two real HAProxy, and engines that record all that they get. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import type { ModelGateway } from "../../src/runtime/model-gateway.js";
import type { ModelGatewaySettings } from "../../src/runtime/model-gateway-settings.js";
import { RunningModelGateway } from "./model-gateway.js";
import { freePort } from "./sandbox.js";

/** A request, as an engine got it. */
export interface Seen {
  readonly engine: string;
  readonly method: string;
  readonly url: string;
  /** Names and values in turn, as they were sent. */
  readonly headers: readonly string[];
  readonly bytes: number;
  readonly sha256: string;
  /** How the body begins. */
  readonly text: string;
}

type Answer = (request: IncomingMessage, response: ServerResponse, name: string) => void;

const nameItself: Answer = (_, response, name) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ engine: name }));
};

export interface StageOptions {
  /** Deployments, each with one engine. */
  readonly engines: readonly string[];
  readonly settings: Partial<ModelGatewaySettings>;
  /** What engines answer; by default their names. */
  readonly answer?: Answer;
  /** Changes a file before HAProxy is started with it. */
  readonly edit?: Readonly<Record<string, (text: string) => string>>;
}

export class ModelGatewayStage {
  readonly seen: Seen[] = [];
  settings!: ModelGatewaySettings;
  #running!: RunningModelGateway;
  #servers: Server[] = [];

  static async start({ engines, settings, answer = nameItself, edit = {} }: StageOptions): Promise<ModelGatewayStage> {
    const stage = new ModelGatewayStage();
    stage.#servers = await Promise.all(engines.map((name) => stage.#listen(name, answer)));
    const address = "127.0.0.1";
    const server = (name: string, index: number) => ({ instance: `${name}-0`, address, port: stage.#portOf(index) });
    const target = (name: string, index: number) => ({
      servers: [server(name, index)],
      ...{ servedModel: name, healthPath: "/health", minHealthySeconds: 1, drainSeconds: 5 },
    });
    stage.settings = {
      listen: { address, port: await freePort() },
      metrics: { address, port: await freePort() },
      routes: Object.fromEntries(engines.map((name) => [name, { [name]: 100 }])),
      targets: Object.fromEntries(engines.map((name, index) => [name, target(name, index)])),
      ...{ keys: {}, keyDigests: {}, apiKeys: {} },
      ...{ queueSeconds: 5, maxBodyBytes: 32 * 2 ** 20, accessLog: true },
      ...settings,
    };
    stage.#running = await RunningModelGateway.create(stage.settings, edit);
    const unhealthy = await stage.gateway.awaitHealthy(stage.settings);
    if (unhealthy.length > 0) throw new Error(`not healthy: ${unhealthy.join(", ")}`);
    return stage;
  }

  get gateway(): ModelGateway {
    return this.#running.gateway;
  }

  get port(): number {
    return this.settings.listen.port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What was seen since this was called last. */
  takeSeen(): Seen[] {
    return this.seen.splice(0);
  }

  /** What HAProxy wrote: its access log. */
  output(): Promise<string> {
    return this.#running.output();
  }

  async dispose(): Promise<void> {
    await this.#running.dispose();
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
  }

  #portOf(index: number): number {
    return (this.#servers[index]?.address() as AddressInfo).port;
  }

  async #listen(engine: string, answer: Answer): Promise<Server> {
    const server = createServer({ maxHeaderSize: 4 * 2 ** 20 }, (request, response) => {
      if (request.url === "/health") {
        response.end("well");
        return;
      }
      const digest = createHash("sha256");
      const seen = { bytes: 0, text: "" };
      request.on("data", (data: Buffer) => {
        digest.update(data);
        seen.bytes += data.length;
        if (seen.text.length < 4096) seen.text += data.toString("latin1").slice(0, 4096);
      });
      request.on("end", () => {
        const { method = "", url = "", rawHeaders: headers } = request;
        this.seen.push({ engine, method, url, headers, sha256: digest.digest("hex"), ...seen });
        answer(request, response, engine);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return server;
  }
}
