/** Containers that a real Docker Engine makes of Berth's bodies, and does not start. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { request } from "node:http";

import { execa } from "execa";

import type { ContainerBody } from "../../src/runtime/container-body.js";
import type { SeenBody } from "../../src/runtime/container-difference.js";
import { mountedHere } from "../unit/support/container-specs.js";
import type { ContainerImage } from "./container-image.js";
import { ImageRegistry, registryPassword, registryUser } from "./image-registry.js";

const socket = "/var/run/docker.sock";

/** Why no container can be made here; undefined when one can. */
export async function whyNoEngine(): Promise<string | undefined> {
  if (!existsSync(socket)) return "it needs a Docker Engine";
  const { failed } = await execa("docker-registry", ["--version"], { reject: false });
  return failed ? "it needs docker-registry" : undefined;
}

/** What the image says for containers that do not, so that it is seen whose word counts. */
const imageDefaults = {
  Entrypoint: ["/bin/own"],
  Cmd: ["own"],
  Env: ["PATH=/own", "LEVEL=own", "NVIDIA_VISIBLE_DEVICES=all"],
  User: "7",
  Labels: { vendor: "acme", "berth.owner": "acme" },
  ExposedPorts: { "9999/tcp": {} },
  StopSignal: "SIGQUIT",
};

/** Nothing is ever started of it. */
function withoutLayers(config: object): ContainerImage {
  const rootfs = { type: "layers", diff_ids: [] };
  return { config: JSON.stringify({ architecture: "amd64", os: "linux", config, rootfs }), layers: [] };
}

export class CreatedContainers {
  readonly #mark = `berth-test-${randomBytes(4).toString("hex")}`;

  private constructor(
    private readonly registry: ImageRegistry,
    private readonly image: string,
    readonly engineVersion: string,
  ) {}

  static async start(): Promise<CreatedContainers> {
    const { answer } = await ask("GET", "/version");
    const registry = await ImageRegistry.start();
    try {
      const image = await pull(registry, await registry.push("team/engine", "1.0", withoutLayers(imageDefaults)));
      return new CreatedContainers(registry, image, (answer as { Version: string }).Version);
    } catch (error) {
      await registry.close();
      throw error;
    }
  }

  /** The same body of an image and folders that are here. */
  here(body: ContainerBody): ContainerBody {
    return { ...mountedHere(body), Image: this.image };
  }

  async create(body: ContainerBody): Promise<{ status: number; message: string; id: string }> {
    const query = new URLSearchParams({ name: `${this.#mark}-${randomBytes(4).toString("hex")}` });
    const { status, answer } = await ask("POST", `/containers/create?${query.toString()}`, body);
    const { message = "", Id: id = "" } = answer as { message?: string; Id?: string };
    return { status, message, id };
  }

  async inspect(id: string): Promise<SeenBody> {
    const { answer } = await ask("GET", `/containers/${id}/json`);
    const { Config, HostConfig } = answer as { Config: object; HostConfig: object };
    return { ...Config, HostConfig };
  }

  /** Changes one by hand, as people do with `docker update`. */
  async update(id: string, change: object): Promise<void> {
    const { status, text } = await ask("POST", `/containers/${id}/update`, change);
    if (status !== 200) throw new Error(text);
  }

  async dispose(): Promise<void> {
    const query = new URLSearchParams({ all: "1", filters: JSON.stringify({ name: [this.#mark] }) });
    const { answer } = await ask("GET", `/containers/json?${query.toString()}`);
    for (const { Id } of answer as { Id: string }[]) await ask("DELETE", `/containers/${Id}?force=1&v=1`);
    await ask("DELETE", `/images/${encodeURIComponent(this.image)}?force=1`);
    await this.registry.close();
  }
}

async function pull(registry: ImageRegistry, digest: string): Promise<string> {
  const image = `${registry.host}/team/engine@${digest}`;
  const login = { username: registryUser, password: registryPassword, serveraddress: registry.host };
  // The engine reads the URL's form of base64, with its padding.
  const header = Buffer.from(JSON.stringify(login)).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
  const path = `/images/create?${new URLSearchParams({ fromImage: image }).toString()}`;
  const { status, text } = await ask("POST", path, undefined, { "x-registry-auth": header });
  if (status !== 200 || text.includes('"error"')) throw new Error(`the engine pulled nothing: ${text}`);
  return image;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  /** The text as JSON; undefined for another. */
  readonly answer: unknown;
}

function ask(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const asked = request({ socketPath: socket, method, path: `/v1.41${path}`, headers: { ...headers, ...type } });
    asked.once("error", reject);
    asked.once("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (text += part));
      response.once("error", reject);
      response.once("end", () => {
        resolve({ status: response.statusCode ?? 0, text, answer: parse(text) });
      });
    });
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
