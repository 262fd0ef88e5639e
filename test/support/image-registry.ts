/** A real registry of container images (Debian's `docker-registry`) on loopback, for those who log in. */
import { createHash } from "node:crypto";
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { execa } from "execa";

import { freePort } from "./sandbox.js";

export const registryUser = "ann";
export const registryPassword = "canary-registry-7f3a";
/** bcrypt of that password, which `htpasswd -B` would write. */
const registryUsers = `${registryUser}:$2b$04$9lKuU16jQltnHcvWR9IrpeLjVUgKJFC0JDXYyhADYl5iuQyOjtV1q\n`;
const startSeconds = 30;

export class ImageRegistry {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly #folder: string;
  readonly #process: ReturnType<typeof start>;

  private constructor(host: string, folder: string, process: ReturnType<typeof start>) {
    this.host = host;
    this.#folder = folder;
    this.#process = process;
  }

  static async start(): Promise<ImageRegistry> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "berth-registry-")));
    const host = `127.0.0.1:${await freePort()}`;
    await writeFile(join(folder, "users"), registryUsers);
    const configuration = {
      version: 0.1,
      log: { accesslog: { disabled: true }, level: "error" },
      storage: { filesystem: { rootdirectory: join(folder, "images") } },
      http: { addr: host },
      auth: { htpasswd: { realm: "berth", path: join(folder, "users") } },
    };
    await writeFile(join(folder, "config.yml"), JSON.stringify(configuration));
    const registry = new ImageRegistry(host, folder, start(join(folder, "config.yml")));
    await registry.#whenUp().catch(async (error: unknown) => {
      await registry.close();
      throw error;
    });
    return registry;
  }

  /** An image without layers; returns its digest. `defaults` is what its containers have where they say nothing. */
  async push(repository: string, tag: string, defaults?: object): Promise<string> {
    const rootfs = { type: "layers", diff_ids: [] };
    const config = JSON.stringify({ architecture: "amd64", os: "linux", rootfs, config: defaults });
    const begun = await this.#request("POST", `/v2/${repository}/blobs/uploads/`);
    const upload = new URL(begun.headers.get("location") ?? "", `http://${this.host}`);
    upload.searchParams.set("digest", digestOf(config));
    await this.#request("PUT", upload, config, "application/octet-stream");
    const type = "application/vnd.oci.image.manifest.v1+json";
    const described = { mediaType: "application/vnd.oci.image.config.v1+json", digest: digestOf(config) };
    const manifest = { schemaVersion: 2, mediaType: type, config: { ...described, size: config.length }, layers: [] };
    await this.#request("PUT", `/v2/${repository}/manifests/${tag}`, JSON.stringify(manifest), type);
    return digestOf(JSON.stringify(manifest));
  }

  async close(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process;
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #request(method: string, to: string | URL, body?: string, type = ""): Promise<Response> {
    const login = Buffer.from(`${registryUser}:${registryPassword}`).toString("base64");
    const headers = { authorization: `Basic ${login}`, ...(type === "" ? {} : { "content-type": type }) };
    const request = body === undefined ? { method, headers } : { method, headers, body };
    const response = await fetch(new URL(to, `http://${this.host}`), request);
    if (!response.ok) throw new Error(`${method} ${String(to)}: ${response.status} ${await response.text()}`);
    return response;
  }

  async #whenUp(): Promise<void> {
    const begun = Date.now();
    while (Date.now() - begun < startSeconds * 1000) {
      const answer = await fetch(`http://${this.host}/v2/`).catch(() => undefined);
      if (answer?.status === 401) return;
      await delay(50);
    }
    this.#process.kill("SIGKILL");
    const { stderr } = await this.#process;
    throw new Error(`docker-registry did not start: ${stderr}`);
  }
}

function start(configuration: string) {
  return execa("docker-registry", ["serve", configuration], { reject: false });
}

function digestOf(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
