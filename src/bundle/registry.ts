/** A repository of a container registry (https://github.com/opencontainers/distribution-spec/blob/main/spec.md). */
import type { Readable } from "node:stream";

import { downloadFile } from "../host/download.js";
import type { DownloadOptions } from "../host/host.js";
import { LocalPart } from "../host/part-file.js";
import { sha256 } from "../lib/canonical.js";
import { BerthError, messageOf } from "../lib/errors.js";
import { readWithin } from "../lib/response-body.js";
import { answerChallenge, manifestTypes, readImageReference, type Asker } from "../lock/image-digest.js";
import { imageDigest } from "../schema/scalars.js";
import type { Blob } from "./oci.js";

const requestSeconds = 60;
const mostManifestBytes = 4 * 1024 * 1024;

interface Question {
  readonly method: "GET" | "HEAD" | "POST" | "PUT";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/**
 * Reads from and writes to one repository. A login is sent only to a registry that asks for one, and in no error.
 * Methods throw BerthError `image-unavailable` for what the registry does not have, give or take.
 */
export class RegistryRepository {
  readonly #place: string;
  readonly #origin: string;
  readonly #name: string;
  readonly #asker: Asker;
  /** What the registry wants to be told, once it has said so. */
  #authorization: string | undefined;

  /** @param reference an image of the repository; its tag does not count */
  constructor(reference: string, asker: Asker) {
    const { origin, repository } = readImageReference(reference);
    this.#place = reference;
    this.#origin = origin;
    this.#name = repository;
    this.#asker = asker;
  }

  /** The very bytes of an index or a manifest. */
  async readManifest(digest: string): Promise<Uint8Array> {
    const response = await this.#expect(`manifests/${digest}`, { method: "GET", headers: { accept: manifestTypes } });
    const bytes = await readWithin(response, mostManifestBytes);
    const found = bytes === undefined ? "more than 4 MiB" : `sha256:${sha256(bytes)}`;
    if (bytes !== undefined && found === digest) return bytes;
    throw new BerthError("checksum-mismatch", {
      where: `${this.#place}@${digest}`,
      what: "the registry gave another manifest than was asked for",
      got: found,
      expected: digest,
    });
  }

  /** Fetches a blob into a file, going on where a broken download stopped. Its digest is not checked. */
  async download({ digest, sizeBytes }: Blob, path: string, options: DownloadOptions = {}): Promise<void> {
    // A registry that asks for a login says so before the first byte.
    await (await this.#ask(`blobs/${digest}`, { method: "HEAD" })).body?.cancel();
    const url = this.#address(`blobs/${digest}`);
    const headers = this.#authorization === undefined ? {} : { authorization: this.#authorization };
    await downloadFile(url, new LocalPart(path), { ...options, headers, maxBytes: sizeBytes });
  }

  async has(kind: "manifests" | "blobs", digest: string): Promise<boolean> {
    const response = await this.#ask(`${kind}/${digest}`, { method: "HEAD", headers: { accept: manifestTypes } });
    await response.body?.cancel();
    if (response.ok || response.status === 404) return response.ok;
    throw this.#refusal(`${kind}/${digest}`, response.status);
  }

  /** The digest that a tag has now, by its manifest where the registry does not tell; undefined when there is no such tag. */
  async findTag(tag: string): Promise<string | undefined> {
    const response = await this.#ask(`manifests/${tag}`, { method: "HEAD", headers: { accept: manifestTypes } });
    await response.body?.cancel();
    if (response.status === 404) return undefined;
    if (!response.ok) throw this.#refusal(`manifests/${tag}`, response.status);
    const told = response.headers.get("docker-content-digest") ?? "";
    if (imageDigest.safeParse(told).success) return told;
    const whole = await this.#expect(`manifests/${tag}`, { method: "GET", headers: { accept: manifestTypes } });
    const bytes = await readWithin(whole, mostManifestBytes);
    return bytes === undefined ? "a manifest of more than 4 MiB" : `sha256:${sha256(bytes)}`;
  }

  /** @param name its digest, or a tag that is to lead to it */
  async putManifest(name: string, bytes: Uint8Array, mediaType: string): Promise<void> {
    const headers = { "content-type": mediaType };
    const response = await this.#expect(`manifests/${name}`, { method: "PUT", headers, body: bytes });
    await response.body?.cancel();
  }

  /** Sends a blob at once. What comes is verified by the registry. */
  async upload({ digest, sizeBytes }: Blob, open: () => Readable, signal?: AbortSignal): Promise<void> {
    const begun = await this.#expect("blobs/uploads/", { method: "POST" });
    await begun.body?.cancel();
    const to = new URL(begun.headers.get("location") ?? "", this.#address("blobs/uploads/"));
    to.searchParams.set("digest", digest);
    // It may be another server's, such as that of a store; the login is for the registry alone.
    const isOwn = to.origin === this.#origin;
    const { request } = await import("undici");
    const { statusCode, body } = await request(to, {
      method: "PUT",
      headers: {
        "content-type": "application/octet-stream",
        "content-length": String(sizeBytes),
        ...(this.#authorization === undefined || !isOwn ? {} : { authorization: this.#authorization }),
      },
      body: open(),
      headersTimeout: 0,
      bodyTimeout: 0,
      ...(signal === undefined ? {} : { signal }),
    });
    await body.dump();
    if (statusCode !== 201) throw this.#refusal(`blobs/${digest}`, statusCode);
  }

  async #expect(path: string, question: Question): Promise<Response> {
    const response = await this.#ask(path, question);
    if (response.ok) return response;
    await response.body?.cancel();
    throw this.#refusal(path, response.status);
  }

  async #ask(path: string, question: Question): Promise<Response> {
    const response = await this.#askOnce(path, question);
    if (response.status !== 401) return response;
    // The first answer, a token that is over, or one that is for reading alone.
    const authorization = await answerChallenge(response, this.#origin, this.#asker);
    if (authorization === undefined) return response;
    await response.body?.cancel();
    this.#authorization = authorization;
    return this.#askOnce(path, question);
  }

  async #askOnce(path: string, { method, headers, body }: Question): Promise<Response> {
    const { signal } = this.#asker;
    const limit = AbortSignal.timeout(requestSeconds * 1000);
    try {
      return await fetch(this.#address(path), {
        method,
        headers: { ...headers, ...(this.#authorization === undefined ? {} : { authorization: this.#authorization }) },
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
        ...(body === undefined ? {} : { body: new Uint8Array(body) }),
      });
    } catch (error) {
      signal?.throwIfAborted();
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      throw new BerthError("image-unavailable", {
        where: this.#place,
        what: "the registry does not answer",
        got: messageOf(cause),
        hint: "check that this machine reaches the registry",
        cause: error,
      });
    }
  }

  #address(path: string): string {
    return `${this.#origin}/v2/${this.#name}/${path}`;
  }

  #refusal(path: string, status: number): BerthError {
    const isLogin = status === 401 || status === 403;
    return new BerthError("image-unavailable", {
      where: this.#place,
      what: isLogin
        ? "the registry asks for a login, or does not allow it with the login that there is"
        : status === 404
          ? "the registry does not have it"
          : "the registry refused",
      got: `HTTP status ${status} for ${path}`,
      hint: isLogin
        ? "log in with `docker login` on this machine, or name the login in the stack's `registryLogins`"
        : "check the image's name, and what the registry serves",
    });
  }
}
