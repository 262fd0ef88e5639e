/** A gateway that routes by model: its real files, its two real HAProxy, and engines that record all that they get. */
import { createHash } from "node:crypto";
import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";

import { baseEnvironment } from "../../src/host/environment.js";
import { LocalHost } from "../../src/host/local.js";
import { createContent } from "../../src/install/content.js";
import { systemClock } from "../../src/lib/clock.js";
import { Serial } from "../../src/lib/serial.js";
import { haproxyArguments } from "../../src/runtime/haproxy-configuration.js";
import { ModelGateway } from "../../src/runtime/model-gateway.js";
import type { ModelGatewaySettings } from "../../src/runtime/model-gateway-settings.js";
import { endProcess, execPath, findRunner, outputPath, writeRunnerFiles } from "../../src/runtime/runner-files.js";
import { freePort } from "./sandbox.js";
import { repository } from "./toolchain.js";

export const haproxy = "/usr/sbin/haproxy";
const host = new LocalHost("local", baseEnvironment(process.env));
const content = createContent(repository, repository);

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
  #servers: Server[] = [];

  private constructor(
    readonly dataDir: string,
    readonly gateway: ModelGateway,
  ) {}

  static async start({ engines, settings, answer = nameItself, edit = {} }: StageOptions): Promise<ModelGatewayStage> {
    const dataDir = await realpath(await mkdtemp(join(tmpdir(), "berth gateway ")));
    const gateway = new ModelGateway({
      ...{ host, dataDir, owner: "shop/dev", clock: systemClock, serial: new Serial() },
      findPython: () => Promise.resolve("python3"),
      script: () => content.pythonTool("unix_socket.py"),
    });
    const stage = new ModelGatewayStage(dataDir, gateway);
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
    await gateway.prepare(stage.settings, haproxy);
    for (const [file, change] of Object.entries(edit)) {
      const path = join(gateway.paths.folder, file);
      await host.writeFile(path, change((await host.readText(path)) ?? ""), 0o600);
    }
    await stage.#run();
    return stage;
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
  async output(): Promise<string> {
    return readFile(outputPath(this.gateway.paths.folder), "utf8");
  }

  async dispose(): Promise<void> {
    const { folder, largeFolder, socketFolder } = this.gateway.paths;
    for (const each of [folder, largeFolder]) await endProcess(host, () => findRunner(host, each), 5, systemClock);
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
    await rm(this.dataDir, { recursive: true, force: true });
    await rm(socketFolder, { recursive: true, force: true });
  }

  async #run(): Promise<void> {
    const { folder, largeFolder, socket, largeSocket } = this.gateway.paths;
    for (const [of, master] of [
      [largeFolder, largeSocket],
      [folder, socket],
    ] as const) {
      const argv = haproxyArguments(haproxy, { socket: master, configuration: "haproxy.cfg" });
      const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
      await writeRunnerFiles(host, { id: "gateway", folder: of, startSeconds: 5, stopSeconds: 5, argv, environment });
      const launcher = ["-I", join(repository, "tools", "python", "exec.py"), execPath(of)];
      const to = { file: outputPath(of) };
      execa("python3", launcher, { stdin: "ignore", stdout: to, stderr: to, detached: true, reject: false }).unref();
    }
    if (!(await this.gateway.awaitAnswer())) throw new Error(`HAProxy did not start: ${await this.output()}`);
    const unhealthy = await this.gateway.awaitHealthy(this.settings);
    if (unhealthy.length > 0) throw new Error(`not healthy: ${unhealthy.join(", ")}`);
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
