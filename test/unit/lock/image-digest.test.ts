import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";

import { askImageDigest, readImageReference } from "../../../src/lock/image-digest.js";
import { imageReference } from "../../../src/schema/scalars.js";
import { rejectionOf, thrownBy } from "../support/thrown.js";

const digest = `sha256:${"a".repeat(64)}`;

async function registry(answer: (request: IncomingMessage, response: ServerResponse, origin: string) => void) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
    answer(request, response, origin);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const origin = `http://${host}`;
  return { host, asked };
}

describe("the digest of an image", () => {
  it("is what the registry says, asked for an index of several platforms first", async () => {
    let accept = "";
    const { host, asked } = await registry((request, response) => {
      accept = request.headers.accept ?? "";
      response.writeHead(200, { "docker-content-digest": digest }).end();
    });
    expect(await askImageDigest(`${host}/team/engine:v1`)).toEqual({ kind: "found", digest });
    expect(asked).toEqual(["HEAD /v2/team/engine/manifests/v1"]);
    expect(accept.split(", ")[0]).toBe("application/vnd.oci.image.index.v1+json");
  });

  it("is asked for with a token that anybody gets", async () => {
    const { host, asked } = await registry((request, response, origin) => {
      if (request.url?.startsWith("/token") === true) {
        response.end(JSON.stringify({ token: "t0ken" }));
      } else if (request.headers.authorization === "Bearer t0ken") {
        response.writeHead(200, { "docker-content-digest": digest }).end();
      } else {
        const challenge = `Bearer realm="${origin}/token",service="reg",scope="repository:team/engine:pull",error="x"`;
        response.writeHead(401, { "www-authenticate": challenge }).end();
      }
    });
    expect(await askImageDigest(`${host}/team/engine:v1`)).toEqual({ kind: "found", digest });
    expect(asked[1]).toBe("GET /token?service=reg&scope=repository%3Ateam%2Fengine%3Apull");
  });

  const findLogin = (registry: string) =>
    Promise.resolve(registry.startsWith("127.0.0.1:") ? { username: "ann", password: "hunter2" } : undefined);
  const login = `Basic ${Buffer.from("ann:hunter2").toString("base64")}`;

  it("is told to those who log in, by a registry that asks for it, and no login is sent before", async () => {
    const said: (string | undefined)[] = [];
    const { host } = await registry((request, response) => {
      said.push(request.headers.authorization);
      if (request.headers.authorization === login) response.setHeader("docker-content-digest", digest).end();
      else response.writeHead(401, { "www-authenticate": 'Basic realm="reg"' }).end();
    });
    expect(await askImageDigest(`${host}/team/engine:v1`, { findLogin })).toEqual({ kind: "found", digest });
    expect(said).toEqual([undefined, login]);
  });

  it("is told for a token that those get who log in; the registry itself is sent the token alone", async () => {
    const said: string[] = [];
    const { host } = await registry((request, response, origin) => {
      const { url = "", headers } = request;
      said.push(`${url.split("?")[0] ?? ""} ${headers.authorization ?? "-"}`);
      if (url.startsWith("/token") && headers.authorization === login) response.end(JSON.stringify({ token: "t0ken" }));
      else if (headers.authorization === "Bearer t0ken") response.setHeader("docker-content-digest", digest).end();
      else response.writeHead(401, { "www-authenticate": `Bearer realm="${origin}/token",service="reg"` }).end();
    });
    expect(await askImageDigest(`${host}/team/engine:v1`, { findLogin })).toEqual({ kind: "found", digest });
    const manifest = "/v2/team/engine/manifests/v1";
    expect(said).toEqual([`${manifest} -`, `/token ${login}`, `${manifest} Bearer t0ken`]);
  });

  it("is not worth a login that would go to an address anybody can listen to", async () => {
    const { host, asked } = await registry((_, response) => {
      response.writeHead(401, { "www-authenticate": 'Bearer realm="http://192.0.2.1/token"' }).end();
    });
    const answer = await askImageDigest(`${host}/team/engine:v1`, { findLogin });
    expect(answer).toEqual({ kind: "refused", reason: "HTTP status 401" });
    expect(asked).toHaveLength(1);
  });

  it("is that of the manifest's bytes where the registry tells none", async () => {
    const manifest = '{"schemaVersion": 2}';
    const { host } = await registry((request, response) => {
      response.writeHead(200).end(request.method === "HEAD" ? undefined : manifest);
    });
    const expected = `sha256:${createHash("sha256").update(manifest).digest("hex")}`;
    expect(await askImageDigest(`${host}/engine:v1`)).toEqual({ kind: "found", digest: expected });
  });

  it("is unknown where the registry has no such tag", async () => {
    const { host } = await registry((_, response) => void response.writeHead(404).end());
    expect(await askImageDigest(`${host}/engine:v9`)).toEqual({ kind: "unknown" });
  });

  it.each([
    ["that asks for a login", 401, { "www-authenticate": 'Basic realm="reg"' }],
    ["that forbids it", 403, {}],
    ["that is broken", 500, {}],
    [
      "that sends the token's asker to an address anybody can listen to",
      401,
      { "www-authenticate": 'Bearer realm="http://192.0.2.1/token"' },
    ],
    ["whose challenge is no address", 401, { "www-authenticate": 'Bearer realm="token please"' }],
  ])("is not told by a registry %s", async (_, status, headers) => {
    const { host, asked } = await registry((__, response) => void response.writeHead(status, headers).end());
    expect(await askImageDigest(`${host}/engine:v1`)).toEqual({ kind: "refused", reason: `HTTP status ${status}` });
    expect(asked).toHaveLength(1);
  });

  it("is not told by a registry that does not answer", async () => {
    const { kind } = await askImageDigest("127.0.0.1:9/engine:v1");
    expect(kind).toBe("refused");
  });

  it.each([
    ["vllm/vllm-openai:v0.19.0", "https://registry-1.docker.io", "vllm/vllm-openai", "v0.19.0"],
    ["ubuntu:24.04", "https://registry-1.docker.io", "library/ubuntu", "24.04"],
    ["docker.io/library/ubuntu:24.04", "https://registry-1.docker.io", "library/ubuntu", "24.04"],
    ["ghcr.io/ggml-org/llama.cpp:server-cuda-b1", "https://ghcr.io", "ggml-org/llama.cpp", "server-cuda-b1"],
    ["registry.example:5000/a/b/c:t", "https://registry.example:5000", "a/b/c", "t"],
    ["localhost:5000/engine", "http://localhost:5000", "engine", "latest"],
    ["127.0.0.1.example/engine:t", "https://127.0.0.1.example", "engine", "t"],
  ])("of %s is asked for at %s", (reference, origin, repository, tag) => {
    expect(readImageReference(reference)).toEqual({ origin, repository, tag });
  });

  it.each([
    ["leaves its folder", "registry.example/team/../../v2/other:1"],
    ["leaves it encoded", "registry.example/team/%2e%2e/other:1"],
    ["has an empty part", "registry.example//other:1"],
    ["has a query", "registry.example/team/engine?x=1"],
    ["has a login", "ann:password@registry.example/engine:1"],
    ["has two lines", "registry.example/engine:1\nx"],
    ["has a tag that leaves its folder", "registry.example/engine:../blobs"],
    ["is empty", ""],
  ])("of a name that %s is not asked for", async (_, reference) => {
    const error = thrownBy(() => readImageReference(reference));
    expect(error).toMatchObject({ code: "image-unavailable" });
    expect(error.parts.got).not.toMatch(/password|\n/);
    expect(await rejectionOf(askImageDigest(reference))).toMatchObject({ code: "image-unavailable" });
  });

  it("of any name that is taken is asked for below its own repository", () => {
    const piece = fc.constantFrom(
      "a",
      "B",
      "0",
      ".",
      "..",
      "-",
      "_",
      "/",
      ":",
      "@",
      "%2e",
      "?",
      "#",
      "\\",
      "\n",
      " ",
      "localhost",
    );
    const names = fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join(""));
    const isTaken = (name: string) => imageReference.safeParse(name).success;
    fc.assert(
      fc.property(names.filter(isTaken), (name) => {
        const { origin, repository, tag } = readImageReference(name);
        fc.pre(URL.canParse(origin));
        const address = new URL(`${origin}/v2/${repository}/manifests/${tag}`);
        expect(address.pathname).toBe(`/v2/${repository}/manifests/${tag}`);
        expect([address.username, address.search, address.hash]).toEqual(["", "", ""]);
      }),
    );
  });
});
