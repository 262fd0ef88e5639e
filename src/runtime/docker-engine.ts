import { posix } from "node:path";
import type { Socket } from "node:net";

import { z } from "zod";

import type { Host } from "../host/host.js";
import { LineSplitter } from "../host/line-splitter.js";
import { systemCode } from "../lib/errors.js";
import type { ContainerBody } from "./container-body.js";
import type {
  ContainerEngine,
  ContainerStatus,
  ContainerSummary,
  ImageStatus,
  PullOptions,
} from "./container-engine.js";
import { DockerApi, defaultDockerPace, read, type DockerPace } from "./docker-api.js";
import { explain } from "./docker-failure.js";
import { DockerFault } from "./docker-fault.js";
import { splitNetworks } from "./docker-networks.js";
import { forEachFrame, readFrames } from "./docker-output.js";
import { pullImage } from "./docker-pull.js";
import type { OutputFollower } from "./supervisor.js";
import { containerAnswer, imageAnswer, summariesAnswer } from "./docker-status.js";

/** Where the system's Docker Engine listens. */
export const usualSocket = "/var/run/docker.sock";

/** Beyond the usual: files of an image may be many gigabytes. */
const removalSeconds = 240;

/** A host's Docker Engine: the system's, or, where there is none, the user's own (rootless). Nothing is asked yet. */
export function createContainerEngine(host: Host, pace: DockerPace = defaultDockerPace): ContainerEngine {
  return new DockerEngine(host.name, () => connectTo(host), pace);
}

async function connectTo(host: Host): Promise<Socket> {
  try {
    return await host.openSocket(usualSocket);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    const { stdout } = await host.run(["id", "-u"]);
    // https://docs.docker.com/engine/security/rootless/
    const own = posix.join("/run/user", stdout.trim(), "docker.sock");
    return host.openSocket(own).catch(() => Promise.reject(error as Error));
  }
}

const madeAnswer = z.object({ Id: z.string() });

/** `ContainerEngine` over the Docker Engine API, at one host (`docs/decisions/0014-docker-engine.md`). */
export class DockerEngine implements ContainerEngine {
  readonly #host: string;
  readonly #api: DockerApi;

  constructor(host: string, connect: () => Promise<Socket>, pace: DockerPace) {
    this.#host = host;
    this.#api = new DockerApi(connect, pace);
  }

  version(): Promise<{ version: string; apiVersion: string }> {
    return this.#tell("", async () => {
      const { Version, ApiVersion } = await this.#api.version();
      return { version: Version, apiVersion: ApiVersion };
    });
  }

  findImage(reference: string): Promise<ImageStatus | undefined> {
    const path = `/images/${escapePath(reference)}/json`;
    return this.#tell(`image ${reference}`, () => absentAsUndefined(this.#api.get(imageAnswer, path)));
  }

  pull(reference: string, options: PullOptions = {}): Promise<void> {
    const where = this.#where(`image ${reference}`);
    const isThere = async () => (await this.findImage(reference)) !== undefined;
    return pullImage({ api: this.#api, reference, where, options, isThere });
  }

  async removeImage(reference: string): Promise<void> {
    const call = {
      method: "DELETE",
      path: `/images/${escapePath(reference)}`,
      answers: [404],
      waitSeconds: removalSeconds,
    } as const;
    await this.#tell(`image ${reference}`, () => this.#api.repeat(call));
  }

  createContainer(name: string, body: ContainerBody): Promise<string> {
    return this.#tell(`container ${name}`, () => this.#create(name, body));
  }

  async startContainer(container: string): Promise<void> {
    await this.#change(container, { method: "POST", path: "/start", answers: [304] });
  }

  async stopContainer(container: string, graceSeconds: number): Promise<void> {
    const query = { t: String(Math.ceil(graceSeconds)) };
    await this.#change(container, { method: "POST", path: "/stop", query, answers: [304], waitSeconds: graceSeconds });
  }

  async removeContainer(container: string): Promise<void> {
    // With the volumes that nobody but this container has a name for.
    const query = { force: "true", v: "true" };
    const waiting = { answers: [404, 409], waitSeconds: removalSeconds } as const;
    const { status } = await this.#change(container, { method: "DELETE", path: "", query, ...waiting });
    if (status !== 409) return;
    // Somebody else removes it already.
    const removed = { condition: "removed" };
    await this.#change(container, { method: "POST", path: "/wait", query: removed, ...waiting });
  }

  inspectContainer(container: string): Promise<ContainerStatus | undefined> {
    const path = `/containers/${escapePath(container)}/json`;
    return this.#tell(`container ${container}`, () => absentAsUndefined(this.#api.get(containerAnswer, path)));
  }

  listContainers(labels: Readonly<Record<string, string>>): Promise<ContainerSummary[]> {
    const label = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
    const query = { all: "true", filters: JSON.stringify({ label }) };
    return this.#tell("", () => this.#api.get(summariesAnswer, "/containers/json", query));
  }

  readOutput(container: string, lines: number): Promise<string> {
    const query = { stdout: "true", stderr: "true", tail: String(lines) };
    const call = { method: "GET", path: `/containers/${escapePath(container)}/logs`, query } as const;
    return this.#tell(`container ${container}`, () => this.#api.readStream(call, readFrames));
  }

  async followOutput(container: string, lines: number, { onLine, signal }: OutputFollower): Promise<void> {
    const query = { stdout: "true", stderr: "true", follow: "true", tail: String(lines) };
    const call = { method: "GET", path: `/containers/${escapePath(container)}/logs`, query } as const;
    const splitter = new LineSplitter(onLine);
    try {
      await this.#tell(`container ${container}`, async () => {
        await forEachFrame(await this.#api.stream(call, signal), (bytes) => splitter.write(bytes));
      });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #create(name: string, body: ContainerBody): Promise<string> {
    const { first, others } = splitNetworks(body);
    const id = await this.#createOnce(name, first);
    try {
      for (const [network, EndpointConfig] of others) {
        const path = `/networks/${escapePath(network)}/connect`;
        await this.#api.repeat({ method: "POST", path, body: { Container: id, EndpointConfig } });
      }
      return id;
    } catch (error) {
      await this.removeContainer(id).catch(() => undefined);
      throw error;
    }
  }

  /**
   * When it is not known whether the container was made, it is looked for. One with the same name and labels is it:
   * before the call there was none, or the engine would have said so.
   */
  async #createOnce(name: string, body: ContainerBody): Promise<string> {
    const call = { method: "POST", path: "/containers/create", query: { name }, body } as const;
    try {
      return read(madeAnswer, await this.#api.once(call)).Id;
    } catch (error) {
      if (!(error instanceof DockerFault) || error.reason.kind !== "lost") throw error;
      const found = await this.inspectContainer(name);
      if (found !== undefined && hasLabels(found.body.Labels, body.Labels)) return found.id;
      return read(madeAnswer, await this.#api.once(call)).Id;
    }
  }

  #change(container: string, call: Parameters<DockerApi["repeat"]>[0]) {
    const path = `/containers/${escapePath(container)}${call.path}`;
    return this.#tell(`container ${container}`, () => this.#api.repeat({ ...call, path }));
  }

  async #tell<T>(subject: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw error instanceof DockerFault ? explain(error, this.#where(subject)) : error;
    }
  }

  #where(subject: string): string {
    return subject === "" ? `host ${this.#host}` : `host ${this.#host}: ${subject}`;
  }
}

function hasLabels(found: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => found[key] === value);
}

function escapePath(name: string): string {
  return name.split("/").map(encodeURIComponent).join("/");
}

async function absentAsUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof DockerFault && error.reason.kind === "refused" && error.reason.status === 404)
      return undefined;
    throw error;
  }
}
