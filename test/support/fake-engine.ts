import type { RegistryLogin } from "../../src/host/registry-login.js";
import type { OutputFollower } from "../../src/runtime/supervisor.js";
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";

import { BerthError, type ErrorCode } from "../../src/lib/errors.js";
import type { ContainerBody } from "../../src/runtime/container-body.js";
import type {
  ContainerEnd,
  ContainerEngine,
  ContainerStatus,
  ContainerSummary,
  EngineVersion,
  ImageStatus,
  PullOptions,
} from "../../src/runtime/container-engine.js";
import { FakeContainer, hostPorts, type Program } from "./fake-engine-container.js";

/** What goes wrong with a call. */
export interface EngineFault {
  readonly method: keyof ContainerEngine;
  /** Of the calls of the method from now on, the so manieth; all without it. */
  readonly call?: number;
  /** `request`: nothing is done. `answer`: it is done, and nobody is told. `none`: it only takes time. */
  readonly loss: "request" | "answer" | "none";
  readonly seconds?: number;
  /** Default: `docker-unreachable`. */
  readonly error?: BerthError;
}

export interface FakeEngineOptions {
  /** References of images that registries have, and the login that they ask for. */
  readonly registry?: Readonly<Record<string, RegistryLogin | undefined>>;
  /** Where it says that it keeps images. Default: it does not tell. */
  readonly dataFolder?: string;
  /** What a container's first process does. Default: it runs until it is stopped. */
  readonly behave?: (body: ContainerBody) => Program;
}

const reads = new Set([
  "version",
  "dataFolder",
  "lastEnd",
  "findImage",
  "inspectContainer",
  "listContainers",
  "readOutput",
]);

/** A Docker Engine in memory: names, labels, ports, restarts and images, and faults that it is told. */
export class FakeEngine implements ContainerEngine {
  /** Every call so far, as `method subject`. */
  readonly calls: string[] = [];
  /** Ports of the host that something else than a container listens on. */
  readonly takenPorts = new Set<number>();
  readonly #options: FakeEngineOptions;
  readonly #images = new Map<string, ImageStatus>();
  readonly #containers = new Map<string, FakeContainer>();
  #faults: { fault: EngineFault; calls: number }[] = [];

  constructor(options: FakeEngineOptions = {}) {
    this.#options = options;
  }

  /** From now on these faults, and no others. */
  spoil(...faults: readonly EngineFault[]): void {
    this.#faults = faults.map((fault) => ({ fault, calls: 0 }));
  }

  /** Calls so far that may have changed something. */
  get writes(): string[] {
    return this.calls.filter((call) => !reads.has(call.split(" ")[0] ?? ""));
  }

  /** Has an image without a pull, by any name. */
  addImage(reference: string, id = `sha256:${randomBytes(32).toString("hex")}`): ImageStatus {
    const digests = reference.includes("@") ? [reference] : [];
    const image = { id, digests, sizeBytes: 1000, environment: ["PATH=/"] };
    this.#images.set(reference, image);
    return image;
  }

  /** Ends a container's first process, as by a crash. */
  kill(pid: number): void {
    this.#all()
      .find((container) => container.pid === pid)
      ?.crash(137);
  }

  version(): Promise<EngineVersion> {
    return this.#call("version", "", () => ({ product: "docker", version: "20.10.24", apiVersion: "1.41" }));
  }

  dataFolder(): Promise<string | undefined> {
    return this.#call("dataFolder", "", () => this.#options.dataFolder);
  }

  findImage(reference: string): Promise<ImageStatus | undefined> {
    return this.#call("findImage", reference, () => this.#image(reference));
  }

  pull(reference: string, { login, onProgress, signal }: PullOptions = {}): Promise<void> {
    return this.#call("pull", reference, () => {
      signal?.throwIfAborted();
      const { registry = {} } = this.#options;
      const wanted = registry[reference];
      if (!(reference in registry)) throw refusal("image-unavailable", reference, "the registry has no such image");
      if (wanted !== undefined && (wanted.username !== login?.username || wanted.password !== login.password))
        throw refusal("image-unavailable", reference, "the registry does not give the image", "docker login");
      if (this.#image(reference) === undefined) this.addImage(reference);
      onProgress?.({ layers: 1, doneLayers: 0, bytes: 500, totalBytes: 1000 });
      onProgress?.({ layers: 1, doneLayers: 1, bytes: 1000, totalBytes: 1000 });
    });
  }

  removeImage(reference: string): Promise<void> {
    return this.#call("removeImage", reference, () => {
      const image = this.#image(reference);
      if (this.#all().some(({ imageId }) => imageId === image?.id))
        throw refusal("docker-refused", `image ${reference}`, "the image is in use");
      this.#images.delete(reference);
    });
  }

  createContainer(name: string, body: ContainerBody): Promise<string> {
    return this.#call("createContainer", name, () => {
      const where = `container ${name}`;
      if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) throw refusal("docker-refused", where, "Invalid container name");
      if (this.#find(name) !== undefined) throw refusal("host-foreign", where, "another container has the name");
      const image = this.#image(body.Image);
      if (image === undefined) throw refusal("docker-refused", where, "the image is not on the host");
      const program = this.#options.behave?.(body) ?? { kind: "idle" };
      const container = new FakeContainer({ name, imageId: image.id, body: structuredClone(body), program });
      this.#containers.set(container.id, container);
      return container.id;
    });
  }

  startContainer(name: string): Promise<void> {
    return this.#call("startContainer", name, () => {
      const container = this.#get(name);
      if (container.isAlive) return;
      const others = this.#all().filter(({ isAlive }) => isAlive);
      const taken = new Set([...this.takenPorts, ...others.flatMap(({ body }) => hostPorts(body))]);
      const port = hostPorts(container.body).find((wanted) => taken.has(wanted));
      const where = `container ${name}`;
      if (port !== undefined)
        throw refusal("port-in-use", where, `another process or container has the port`, `${port}`);
      if (container.wantsUnknownDevices)
        throw refusal("host-unsuitable", where, "the Docker Engine cannot give accelerators to containers");
      if (!container.start())
        throw refusal("docker-refused", where, "the container's first process could not be started");
    });
  }

  stopContainer(name: string): Promise<void> {
    return this.#call("stopContainer", name, () => this.#get(name).stop());
  }

  removeContainer(name: string): Promise<void> {
    return this.#call("removeContainer", name, () => {
      const container = this.#find(name);
      if (container !== undefined) this.#containers.delete(container.id);
    });
  }

  renameContainer(container: string, name: string): Promise<void> {
    return this.#call("renameContainer", `${container} ${name}`, () => {
      const found = this.#get(container);
      const other = this.#find(name);
      if (other !== undefined && other !== found)
        throw refusal("host-foreign", `container ${container}`, "another container has the name");
      found.name = name;
    });
  }

  inspectContainer(name: string): Promise<ContainerStatus | undefined> {
    return this.#call("inspectContainer", name, () => this.#find(name)?.status());
  }

  lastEnd(name: string): Promise<ContainerEnd | undefined> {
    return this.#call("lastEnd", name, () => this.#find(name)?.lastEnd);
  }

  listContainers(labels: Readonly<Record<string, string>>): Promise<ContainerSummary[]> {
    return this.#call("listContainers", JSON.stringify(labels), () =>
      this.#all()
        .filter(({ body }) => Object.entries(labels).every(([key, value]) => body.Labels[key] === value))
        .map(({ id, name, body, isAlive }) => {
          return { id, name, labels: body.Labels, running: isAlive, ports: isAlive ? hostPorts(body) : [] };
        }),
    );
  }

  async followOutput(name: string, lines: number, { onLine }: OutputFollower): Promise<void> {
    for (const line of (await this.readOutput(name, lines)).trimEnd().split("\n")) onLine(line);
  }

  readOutput(name: string, lines: number): Promise<string> {
    return this.#call("readOutput", name, () => {
      const all = this.#get(name).output;
      return all
        .slice(Math.max(0, all.length - lines))
        .map((line) => `${line}\n`)
        .join("");
    });
  }

  #all(): FakeContainer[] {
    return [...this.#containers.values()];
  }

  #find(name: string): FakeContainer | undefined {
    return this.#all().find((container) => container.name === name || container.id === name);
  }

  #get(name: string): FakeContainer {
    const found = this.#find(name);
    if (found === undefined)
      throw refusal("docker-refused", `container ${name}`, "the Docker Engine has no such thing");
    return found;
  }

  #image(reference: string): ImageStatus | undefined {
    return this.#images.get(reference) ?? [...this.#images.values()].find(({ id }) => id === reference);
  }

  async #call<T>(method: keyof ContainerEngine, subject: string, action: () => T): Promise<T> {
    this.calls.push(`${method} ${subject}`.trimEnd());
    const fault = this.#fault(method);
    // Others have their turn, as with a real one.
    await delay((fault?.seconds ?? 0) * 1000);
    if (fault === undefined || fault.loss === "none") return action();
    const error =
      fault.error ?? refusal("docker-unreachable", subject, "the connection to the Docker Engine broke off");
    if (fault.loss === "answer") action();
    throw error;
  }

  #fault(method: keyof ContainerEngine): EngineFault | undefined {
    let found: EngineFault | undefined;
    for (const known of this.#faults.filter(({ fault }) => fault.method === method)) {
      known.calls += 1;
      if (known.fault.call === undefined || known.fault.call === known.calls) found ??= known.fault;
    }
    return found;
  }
}

function refusal(code: ErrorCode, where: string, what: string, hint?: string): BerthError {
  return new BerthError(code, { where: `host fake: ${where}`, what, ...(hint === undefined ? {} : { hint }) });
}
