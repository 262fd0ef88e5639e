/** A registry in memory, which gives what it is told to give, also what it should not. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { sha256 } from "../../src/lib/canonical.js";
import type { ContainerImage } from "./container-image.js";

export const manifestType = "application/vnd.oci.image.manifest.v1+json";
export const indexType = "application/vnd.oci.image.index.v1+json";

export interface Described {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export class MemoryRegistry {
  /** What is given for `manifests/DIGEST`, `manifests/TAG` and `blobs/DIGEST`; tests change it. */
  readonly content = new Map<string, Buffer>();
  /** `blobs/sha256:... bytes=5-` is what is read, `PUT manifests/TAG` what is written. */
  readonly requests: string[] = [];
  /** `Basic ...`: refuses who does not say it. */
  authorization: string | undefined;
  readonly #server = createServer((request, response) => this.#answer(request, response));

  static async start(): Promise<MemoryRegistry> {
    const registry = new MemoryRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, "127.0.0.1", resolve));
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  add(image: ContainerImage): Described {
    const blob = (content: Buffer, mediaType: string): Described => this.#put("blobs", content, mediaType);
    const config = blob(Buffer.from(image.config), "application/vnd.oci.image.config.v1+json");
    const layers = image.layers.map((layer) => blob(layer, "application/vnd.oci.image.layer.v1.tar+gzip"));
    return this.addManifest({ schemaVersion: 2, mediaType: manifestType, config, layers }, manifestType);
  }

  addIndex(images: Readonly<Record<string, Described>>): Described {
    const manifests = Object.entries(images).map(([platform, described]) => {
      const [os, architecture] = platform.split("/");
      return { ...described, platform: { os, architecture } };
    });
    return this.addManifest({ schemaVersion: 2, mediaType: indexType, manifests }, indexType);
  }

  addManifest(manifest: object, mediaType: string): Described {
    return this.#put("manifests", Buffer.from(JSON.stringify(manifest)), mediaType);
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => void this.#server.close(() => resolve()));
  }

  #put(kind: string, content: Buffer, mediaType: string): Described {
    const digest = `sha256:${sha256(content)}`;
    this.content.set(`${kind}/${digest}`, content);
    return { mediaType, digest, size: content.length };
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method = "", url = "", headers } = request;
    const name = /(?:manifests|blobs)\/[^/]+$/.exec(url)?.[0] ?? "";
    if (this.authorization !== undefined && headers.authorization !== this.authorization) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end();
      return;
    }
    if (method === "PUT") {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        this.requests.push(`PUT ${name}`);
        this.content.set(name, Buffer.concat(chunks));
        response.writeHead(201).end();
      });
      return;
    }
    if (method === "GET") this.requests.push([name, headers.range].filter((part) => part !== undefined).join(" "));
    const content = this.content.get(name);
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    if (content === undefined) {
      response.writeHead(404).end();
    } else if (from > 0) {
      const rest = content.subarray(from);
      const range = `bytes ${from}-${content.length - 1}/${content.length}`;
      response.writeHead(206, { "content-length": rest.length, "content-range": range }).end(rest);
    } else {
      response.writeHead(200, { "content-length": content.length }).end(method === "HEAD" ? undefined : content);
    }
  }
}
