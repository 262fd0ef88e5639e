/** A real registry of container images (Debian's `docker-registry`) on loopback. */
import { createHash } from "node:crypto";
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { execa } from "execa";

import type { ContainerImage } from "./container-image.js";
import { freePort } from "./sandbox.js";

export const registryUser = "ann";
export const registryPassword = "canary-registry-7f3a";
/** bcrypt of that password, which `htpasswd -B` would write. */
const registryUsers = `${registryUser}:$2b$04$9lKuU16jQltnHcvWR9IrpeLjVUgKJFC0JDXYyhADYl5iuQyOjtV1q\n`;
const startSeconds = 30;
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const indexType = "application/vnd.oci.image.index.v1+json";

export interface RegistryOptions {
  /** Whether it asks for a login. Default: true. */
  login?: boolean;
}

/** A manifest as an index names it. */
interface Described {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** What a manifest holds beside what all hold. */
interface Attachment {
  readonly layers: readonly {
    readonly content: string;
    readonly mediaType: string;
    readonly annotations?: Readonly<Record<string, string>>;
  }[];
  readonly artifactType?: string;
  readonly subject?: Described;
}

const emptyImage: ContainerImage = {
  config: JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } }),
  layers: [],
};

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

  static async start({ login = true }: RegistryOptions = {}): Promise<ImageRegistry> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "berth-registry-")));
    const host = `127.0.0.1:${await freePort()}`;
    await writeFile(join(folder, "users"), registryUsers);
    const configuration = {
      version: 0.1,
      log: { accesslog: { disabled: true }, level: "error" },
      storage: { filesystem: { rootdirectory: join(folder, "images") } },
      http: { addr: host },
      ...(login ? { auth: { htpasswd: { realm: "berth", path: join(folder, "users") } } } : {}),
    };
    await writeFile(join(folder, "config.yml"), JSON.stringify(configuration));
    const registry = new ImageRegistry(host, folder, start(join(folder, "config.yml")));
    await registry.#whenUp().catch(async (error: unknown) => {
      await registry.close();
      throw error;
    });
    return registry;
  }

  /** Returns the image's digest. Without a given one it is an image without layers. */
  async push(repository: string, tag: string, image: ContainerImage = emptyImage): Promise<string> {
    return (await this.#push(repository, tag, image)).digest;
  }

  /** An image of several platforms (`linux/arm64`); returns the digest of its index, and those of its images. */
  async pushIndex(
    repository: string,
    tag: string,
    images: Readonly<Record<string, ContainerImage>>,
  ): Promise<{ digest: string; digests: Record<string, string> }> {
    const digests: Record<string, string> = {};
    const manifests: object[] = [];
    for (const [platform, image] of Object.entries(images)) {
      const [os, architecture] = platform.split("/");
      const described = await this.#push(repository, undefined, image);
      digests[platform] = described.digest;
      manifests.push({ ...described, platform: { os, architecture } });
    }
    const index = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests });
    await this.#request("PUT", `/v2/${repository}/manifests/${tag}`, index, indexType);
    return { digest: digestOf(index), digests };
  }

  /** A manifest of any kind, as tools put beside images; returns how an index names it. */
  async attach(repository: string, tag: string | undefined, { layers, ...more }: Attachment): Promise<Described> {
    const described = layers.map(async ({ content, mediaType, ...rest }) => {
      return { ...(await this.#upload(repository, Buffer.from(content), mediaType)), ...rest };
    });
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: await this.#upload(repository, Buffer.from("{}"), "application/vnd.oci.empty.v1+json"),
      layers: await Promise.all(described),
      ...more,
    });
    const digest = digestOf(manifest);
    await this.#request("PUT", `/v2/${repository}/manifests/${tag ?? digest}`, manifest, manifestType);
    return { mediaType: manifestType, digest, size: manifest.length };
  }

  /** An index of manifests that are there. */
  async putIndex(repository: string, tag: string, manifests: readonly Described[]): Promise<void> {
    const index = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests });
    await this.#request("PUT", `/v2/${repository}/manifests/${tag}`, index, indexType);
  }

  async #push(repository: string, tag: string | undefined, { config, layers }: ContainerImage): Promise<Described> {
    const layerType = "application/vnd.oci.image.layer.v1.tar+gzip";
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: await this.#upload(repository, Buffer.from(config), "application/vnd.oci.image.config.v1+json"),
      layers: await Promise.all(layers.map((layer) => this.#upload(repository, layer, layerType))),
    });
    const digest = digestOf(manifest);
    await this.#request("PUT", `/v2/${repository}/manifests/${tag ?? digest}`, manifest, manifestType);
    return { mediaType: manifestType, digest, size: manifest.length };
  }

  async #upload(repository: string, blob: Buffer, mediaType: string): Promise<Described> {
    const digest = digestOf(blob);
    const begun = await this.#request("POST", `/v2/${repository}/blobs/uploads/`);
    const upload = new URL(begun.headers.get("location") ?? "", `http://${this.host}`);
    upload.searchParams.set("digest", digest);
    await this.#request("PUT", upload, blob, "application/octet-stream");
    return { mediaType, digest, size: blob.length };
  }

  async close(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process;
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #request(method: string, to: string | URL, body?: string | Buffer, type = ""): Promise<Response> {
    const login = Buffer.from(`${registryUser}:${registryPassword}`).toString("base64");
    const headers = { authorization: `Basic ${login}`, ...(type === "" ? {} : { "content-type": type }) };
    const bytes = typeof body === "string" ? body : body === undefined ? undefined : new Uint8Array(body);
    const request = bytes === undefined ? { method, headers } : { method, headers, body: bytes };
    const response = await fetch(new URL(to, `http://${this.host}`), request);
    if (!response.ok) throw new Error(`${method} ${String(to)}: ${response.status} ${await response.text()}`);
    return response;
  }

  async #whenUp(): Promise<void> {
    const begun = Date.now();
    while (Date.now() - begun < startSeconds * 1000) {
      const answer = await fetch(`http://${this.host}/v2/`).catch(() => undefined);
      if (answer?.status === 401 || answer?.ok === true) return;
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

function digestOf(content: string | Buffer): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}
