/**
 * A hub of models on loopback, with a server of its own for large files at another origin. What it answers is modelled
 * on the Hugging Face Hub:
 *
 * - commit of a revision, list of files with pages by `Link`, `lfs.oid` as SHA-256, other files by Git's SHA-1:
 *   https://huggingface.co/docs/hub/api and the types of @huggingface/hub (src/types/api, src/lib/list-files.ts)
 * - `resolve`: small files after a redirect within the origin, large ones after one to a signed address elsewhere, with
 *   `X-Repo-Commit`, `X-Linked-Etag`, `X-Linked-Size` (huggingface_hub, src/huggingface_hub/file_download.py)
 * - refusals by `X-Error-Code` and status, 401 to those without a token also for what does not exist
 *   (huggingface_hub, src/huggingface_hub/utils/_http.py `hf_raise_for_status`, tests/test_utils_errors.py)
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { sha256 } from "../../src/lib/canonical.js";

export interface HubRequest {
  readonly server: "hub" | "storage";
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

export interface HubRepository {
  /** Name of a revision to its files, by path. */
  readonly revisions: Record<string, Readonly<Record<string, string | Buffer>>>;
  readonly task?: string;
  /** `gated` shows its list to everybody, `private` nothing; both give files to this token alone. */
  readonly access?: { readonly kind: "gated" | "private"; readonly token: string };
  /** Files that are kept as large ones. Default: weights. */
  readonly large?: (path: string) => boolean;
  /** Gives pointers for large files, as a mirror does that cloned without them. */
  readonly pointers?: boolean;
}

const isWeights = (path: string) => /\.(?:gguf|safetensors|bin|pt)$/.test(path);

export class HubServer {
  readonly requests: HubRequest[] = [];
  readonly repositories: Record<string, HubRepository> = {};
  /** Files on a page of a list. */
  pageSize = 1000;
  /** Sends large files in pieces of so many bytes, with a pause after each; undefined sends all at once. */
  pieceBytes: number | undefined;
  /** Answers the next requests with these statuses. */
  readonly statuses: number[] = [];
  /** Bytes of large files that were sent, by SHA-256. */
  readonly sent = new Map<string, number>();
  readonly #hub: Server;
  readonly #storage: Server;

  private constructor() {
    this.#hub = createServer((request, response) => this.#answer(request, response));
    this.#storage = createServer((request, response) => this.#store(request, response));
  }

  static async start(port = 0): Promise<HubServer> {
    const hub = new HubServer();
    await listen(hub.#hub, port);
    await listen(hub.#storage, 0);
    return hub;
  }

  get endpoint(): string {
    return addressOf(this.#hub);
  }

  async close(): Promise<void> {
    for (const server of [this.#hub, this.#storage]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  /** The commit of a revision: it follows from the files. */
  commitOf(name: string, revision = "main"): string {
    const files = this.repositories[name]?.revisions[revision];
    if (files === undefined) throw new Error(`no ${name} at ${revision}`);
    return commitOf(files);
  }

  #answer(request: IncomingMessage, response: ServerResponse): ServerResponse {
    const url = new URL(request.url ?? "", this.endpoint);
    this.#note("hub", request);
    const status = this.statuses.shift();
    if (status !== undefined) return response.writeHead(status).end();
    if (url.pathname === "/api/models") return this.#listRepositories(url, response);
    const cached = /^\/api\/resolve-cache\/models\/([^/]+\/[^/]+)\/([0-9a-f]{40})\/(.+)$/.exec(url.pathname);
    const found = cached ?? /^\/(?:api\/models\/)?([^/]+\/[^/]+)(?:\/(\w+)(?:\/(.+))?)?$/.exec(url.pathname);
    const name = found?.[1] ?? "";
    const repository = this.repositories[name];
    const token = request.headers.authorization;
    if (repository === undefined || !this.#maySee(repository, token)) return refuseUnknown(response, token);
    if (cached !== null) return this.#send(repository, cached[2] ?? "", cached[3] ?? "", response);
    const rest = decodeURIComponent(found?.[3] ?? "");
    if (found?.[2] === "revision") return this.#describe(name, repository, rest, response);
    if (found?.[2] === "tree") return this.#list(url, repository, rest, response);
    if (found?.[2] === "refs") return sendJson(response, { branches: this.#refs(repository), tags: [] });
    if (found?.[2] === "resolve") return this.#resolve(name, repository, rest, token, response);
    return sendJson(response, {}, 404);
  }

  #maySee({ access }: HubRepository, token: string | undefined): boolean {
    return access?.kind !== "private" || token === `Bearer ${access.token}`;
  }

  #refs({ revisions }: HubRepository): object[] {
    return Object.entries(revisions).map(([name, files]) => ({ name, targetCommit: commitOf(files) }));
  }

  #listRepositories(url: URL, response: ServerResponse): ServerResponse {
    const owner = url.searchParams.get("author") ?? "";
    const names = Object.keys(this.repositories).filter((name) => name.startsWith(`${owner}/`));
    return sendJson(
      response,
      names.map((id) => ({ _id: sha256(id).slice(0, 24), id })),
    );
  }

  #describe(name: string, repository: HubRepository, revision: string, response: ServerResponse): ServerResponse {
    const files = filesAt(repository, revision);
    if (files === undefined) return refuse(response, 404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    return sendJson(response, {
      _id: sha256(name).slice(0, 24),
      id: name,
      sha: commitOf(files),
      private: repository.access?.kind === "private",
      gated: repository.access?.kind === "gated" ? "auto" : false,
      lastModified: "2026-01-02T03:04:05.000Z",
      downloads: 1,
      likes: 0,
      ...(repository.task === undefined ? {} : { pipeline_tag: repository.task }),
    });
  }

  #list(url: URL, repository: HubRepository, revision: string, response: ServerResponse): ServerResponse {
    const files = filesAt(repository, revision);
    if (files === undefined) return refuse(response, 404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    const { large = isWeights } = repository;
    const entries = Object.entries(files).map(([path, content]) => {
      const size = Buffer.byteLength(content);
      const pointer = pointerTo(content);
      if (!large(path)) return { type: "file", oid: gitSha1(content), size, path };
      const lfs = { oid: sha256(content), size, pointerSize: pointer.length };
      return { type: "file", oid: gitSha1(pointer), size, path, lfs };
    });
    const folders = new Set(entries.flatMap(({ path }) => (path.includes("/") ? [path.replace(/\/[^/]*$/, "")] : [])));
    const all = [...[...folders].map((path) => ({ type: "directory", oid: gitSha1(path), size: 0, path })), ...entries];
    const begin = Number(url.searchParams.get("cursor") ?? 0);
    const end = begin + this.pageSize;
    url.searchParams.set("cursor", String(end));
    // A mirror's link may lead to the Hub itself.
    const link = end < all.length ? { link: `<https://huggingface.co${url.pathname}${url.search}>; rel="next"` } : {};
    return sendJson(response, all.slice(begin, end), 200, link);
  }

  #resolve(
    name: string,
    repository: HubRepository,
    rest: string,
    token: string | undefined,
    response: ServerResponse,
  ): ServerResponse {
    const { access, large = isWeights } = repository;
    const [, revision = "", path = ""] = /^([^/]+)\/(.+)$/.exec(rest) ?? [];
    const files = filesAt(repository, revision);
    const content = files?.[path];
    if (files === undefined) return refuse(response, 404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    if (content === undefined) return refuse(response, 404, "EntryNotFound", "Entry not found");
    if (access !== undefined && token !== `Bearer ${access.token}`) {
      const message = `Access to model ${name} is restricted and you are not in the authorized list.`;
      return refuse(response, token === undefined ? 401 : 403, "GatedRepo", message);
    }
    const headers = { "x-repo-commit": commitOf(files) };
    if (!large(path) || repository.pointers === true) {
      const location = `/api/resolve-cache/models/${name}/${commitOf(files)}/${path.split("/").map(encodeURIComponent).join("/")}`;
      return response.writeHead(307, { ...headers, location }).end();
    }
    const digest = sha256(content);
    const location = `${addressOf(this.#storage)}/${digest}?X-Amz-Signature=0f1e2d`;
    const linked = { "x-linked-size": Buffer.byteLength(content), "x-linked-etag": `"${digest}"` };
    return response.writeHead(302, { ...headers, ...linked, location }).end();
  }

  #send(repository: HubRepository, commit: string, path: string, response: ServerResponse): ServerResponse {
    const content = filesAt(repository, commit)?.[decodeURIComponent(path)] ?? "";
    const { large = isWeights } = repository;
    const body = large(path) ? pointerTo(content) : Buffer.from(content);
    return response.writeHead(200, { etag: `"${gitSha1(body)}"`, "content-length": body.length }).end(body);
  }

  /** As S3 and the like do: by ranges, for who has the signed address, and nobody else's token. */
  #store(request: IncomingMessage, response: ServerResponse): ServerResponse {
    this.#note("storage", request);
    const url = new URL(request.url ?? "", this.endpoint);
    const digest = url.pathname.slice(1);
    const content = this.#contentOf(digest);
    if (request.headers.authorization !== undefined)
      return refuse(response, 400, "InvalidArgument", "Only one auth mechanism allowed");
    if (content === undefined || !url.searchParams.has("X-Amz-Signature")) return refuse(response, 403, "", "");
    const size = content.length;
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const begin = Number(from ?? 0);
    if (begin >= size && from !== undefined)
      return response.writeHead(416, { "content-range": `bytes */${size}` }).end();
    const end = Math.min(size, to === undefined || to === "" ? size : Number(to) + 1);
    const part = content.subarray(begin, end);
    const headers = { etag: `"${digest}"`, "content-length": part.length, "accept-ranges": "bytes" };
    const range = { "content-range": `bytes ${begin}-${end - 1}/${size}` };
    response.writeHead(from === undefined ? 200 : 206, from === undefined ? headers : { ...headers, ...range });
    this.#sendPart(digest, part, response);
    return response;
  }

  #sendPart(digest: string, part: Buffer, response: ServerResponse): void {
    const piece = part.subarray(0, this.pieceBytes ?? part.length);
    if (response.destroyed) return;
    this.sent.set(digest, (this.sent.get(digest) ?? 0) + piece.length);
    const rest = part.subarray(piece.length);
    if (rest.length === 0) response.end(piece);
    else response.write(piece, () => setTimeout(() => this.#sendPart(digest, rest, response), 3));
  }

  #contentOf(digest: string): Buffer | undefined {
    const all = Object.values(this.repositories).flatMap(({ revisions }) => Object.values(revisions));
    const found = all.flatMap((files) => Object.values(files)).find((content) => sha256(content) === digest);
    return found === undefined ? undefined : Buffer.from(found);
  }

  #note(server: HubRequest["server"], { url = "", headers: { authorization, range } }: IncomingMessage): void {
    this.requests.push({ server, path: url, authorization, range });
  }
}

function filesAt({ revisions }: HubRepository, revision: string) {
  return revisions[revision] ?? Object.values(revisions).find((files) => commitOf(files) === revision);
}

function commitOf(files: Readonly<Record<string, string | Buffer>>): string {
  const listed = Object.entries(files).map(([path, content]) => `${path} ${sha256(content)}`);
  return sha1(Buffer.from(listed.join("\n")));
}

/** What Git names a file by. */
function gitSha1(content: string | Buffer): string {
  return sha1(Buffer.concat([Buffer.from(`blob ${Buffer.byteLength(content)}\0`), Buffer.from(content)]));
}

function sha1(bytes: Buffer): string {
  return createHash("sha1").update(bytes).digest("hex");
}

/** What Git itself has of a large file (git-lfs, docs/spec.md). */
function pointerTo(content: string | Buffer): Buffer {
  const lines = ["version https://git-lfs.github.com/spec/v1", `oid sha256:${sha256(content)}`];
  return Buffer.from([...lines, `size ${Buffer.byteLength(content)}`, ""].join("\n"));
}

function refuseUnknown(response: ServerResponse, token: string | undefined): ServerResponse {
  if (token === undefined) return refuse(response, 401, "RepoNotFound", "Invalid username or password.");
  return refuse(response, 404, "RepoNotFound", "Repository not found");
}

function refuse(response: ServerResponse, status: number, code: string, message: string): ServerResponse {
  const named = code === "" ? {} : { "x-error-code": code, "x-error-message": message };
  return sendJson(response, { error: message }, status, named);
}

function sendJson(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): ServerResponse {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers });
  return response.end(JSON.stringify(body));
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
