import { posix } from "node:path";
import type { Socket } from "node:net";

import { z } from "zod";

import { dockerSocket } from "../host/docker-socket.js";
import type { Host } from "../host/host.js";
import { LineSplitter } from "../host/line-splitter.js";
import { systemCode } from "../lib/errors.js";
import type { ContainerBody } from "./container-body.js";
import type {
  ContainerEnd,
  ContainerEngine,
  ContainerStatus,
  ContainerSummary,
  EngineVersion,
  ImageStatus,
  PullOptions,
} from "./container-engine.js";
import { DockerApi, defaultDockerPace, read, type DockerPace } from "./docker-api.js";
import { explain } from "./docker-failure.js";
import { DockerFault } from "./docker-fault.js";
import { findLeftEndpoint, splitNetworks, type LeftEndpoint } from "./docker-networks.js";
import { forEachFrame, readFrames } from "./docker-output.js";
import { pullImage } from "./docker-pull.js";
import type { OutputFollower } from "./supervisor.js";
import {
  containerAnswer,
  imageAnswer,
  infoAnswer,
  readLastEnd,
  summariesAnswer,
  unixSeconds,
} from "./docker-status.js";

/** Beyond the usual: files of an image may be many gigabytes. */
const removalSeconds = 240;

/** A host's Docker Engine: the system's, or, where there is none, the user's own (rootless). Nothing is asked yet. */
export function createContainerEngine(host: Host, pace: DockerPace = defaultDockerPace): ContainerEngine {
  return new DockerEngine(host.name, () => connectToDocker(host), pace);
}

/** The system's socket, or, where there is none, that of the user's own engine. */
export async function connectToDocker(host: Host): Promise<Socket> {
  try {
    return await host.openSocket(dockerSocket);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    return host.openSocket(await ownSocket(host)).catch(() => Promise.reject(error as Error));
  }
}

/** https://docs.docker.com/engine/security/rootless/ */
async function ownSocket(host: Pick<Host, "run">): Promise<string> {
  const { stdout } = await host.run(["id", "-u"]);
  return posix.join("/run/user", stdout.trim(), "docker.sock");
}

/** Whether there is a socket where an engine would listen. */
export async function hasEngineSocket(host: Pick<Host, "run" | "status">): Promise<boolean> {
  if ((await host.status(dockerSocket)) !== undefined) return true;
  return (await host.status(await ownSocket(host))) !== undefined;
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

  version(): Promise<EngineVersion> {
    return this.#tell("", async () => {
      const { Version, ApiVersion, Components } = await this.#api.version();
      const isPodman = Components?.some(({ Name }) => Name === "Podman Engine") === true;
      return { product: isPodman ? "podman" : "docker", version: Version, apiVersion: ApiVersion };
    });
  }

  dataFolder(): Promise<string | undefined> {
    return this.#tell("", () => this.#api.get(infoAnswer, "/info"));
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

  startContainer(container: string): Promise<void> {
    const path = `/containers/${escapePath(container)}/start`;
    return this.#tell(`container ${container}`, async () => {
      const start = () => this.#api.repeat({ method: "POST", path, answers: [304] });
      try {
        await start();
      } catch (error) {
        const left = error instanceof DockerFault ? findLeftEndpoint(error) : undefined;
        if (left === undefined) throw error;
        await this.#disconnect(left);
        await start();
      }
    });
  }

  async #disconnect({ endpoint, network }: LeftEndpoint): Promise<void> {
    const path = `/networks/${escapePath(network)}/disconnect`;
    const body = { Container: endpoint, Force: true };
    await this.#api.repeat({ method: "POST", path, body, answers: [403, 404] });
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

  async renameContainer(container: string, name: string): Promise<void> {
    try {
      await this.#change(container, { method: "POST", path: "/rename", query: { name } });
    } catch (error) {
      // An engine refuses the name that a container has, as when the answer to the first call was lost.
      const [named, wanted] = [await this.inspectContainer(name), await this.inspectContainer(container)];
      if (named === undefined || named.id !== wanted?.id) throw error;
    }
  }

  inspectContainer(container: string): Promise<ContainerStatus | undefined> {
    const path = `/containers/${escapePath(container)}/json`;
    return this.#tell(`container ${container}`, () => absentAsUndefined(this.#api.get(containerAnswer, path)));
  }

  /** Asked only for what was before its last start, an engine answers at once instead of waiting for more. */
  async lastEnd(container: string): Promise<ContainerEnd | undefined> {
    const { id, startedAt } = (await this.inspectContainer(container)) ?? { id: "", startedAt: "" };
    if (startedAt === "") return undefined;
    const filters = JSON.stringify({ type: ["container"], container: [id], event: ["die", "oom"] });
    const query = { since: "0", until: unixSeconds(startedAt), filters };
    const events = { method: "GET", path: "/events", query } as const;
    return this.#tell(`container ${container}`, async () => readLastEnd((await this.#api.repeat(events)).text));
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
