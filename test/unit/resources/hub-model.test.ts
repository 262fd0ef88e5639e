import { join } from "node:path";
import { inspect } from "node:util";
import { setTimeout as delay } from "node:timers/promises";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { openHubRepository } from "../../../src/lock/hub.js";
import { lockModel } from "../../../src/lock/model.js";
import type { LogEvent } from "../../../src/lib/log.js";
import { modelFilesInputs, type ModelFilesInputs } from "../../../src/resources/model-files-inputs.js";
import { modelFilesKind } from "../../../src/resources/model-files.js";
import { modelSource } from "../../../src/schema/model.js";
import { HubServer } from "../../support/hub-server.js";
import { ggufFile, noise, safetensorsFile } from "../../support/weights.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

const repo = "acme/tiny";
const token = "hf_canary-5e2a";
const first = {
  "config.json": '{"architectures":["LlamaForCausalLM"]}',
  "model-00001-of-00002.safetensors": safetensorsFile(40_000, 1),
  "model-00002-of-00002.safetensors": safetensorsFile(30_000, 2),
  "text_encoder/tokenizer.json": "{}",
  "text_encoder_2/tokenizer.json": "{}",
};
const second = { ...first, "config.json": '{"architectures":["LlamaForCausalLM"],"changed":true}' };
const weightBytes = Buffer.byteLength(first["model-00001-of-00002.safetensors"]);

let hub: HubServer;
beforeEach(async () => {
  hub = await HubServer.start();
  hub.repositories[repo] = { revisions: { main: first, next: second } };
});
afterEach(() => hub.close());

/** This machine, with a data directory in an empty folder. */
async function setUp(freeBytes?: number) {
  const dataDir = join(await temporaryFolder(), "host");
  const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });
  if (freeBytes !== undefined) host.freeBytes = () => Promise.resolve(freeBytes);
  const reference = { name: "local", connection: "local" as const, dataDir };
  const events: LogEvent[] = [];
  let ids = 0;
  const own = { host, reference, newId: () => `id-${(ids += 1)}`, log: (event: LogEvent) => void events.push(event) };
  const context = { ...contextOf(host), ...own };
  const lock = async (revision = "main", changes: object = {}): Promise<ModelFilesInputs> => {
    const access = { repo, endpoint: hub.endpoint, token: undefined, where: "deployment chat" };
    const written = { source: "huggingface", repo, revision, endpoint: hub.endpoint };
    const problem = { model: modelSource.parse(written), before: undefined, indexUrl: undefined, where: "chat" };
    const edges = {
      findWheel: () => Promise.reject(new Error("no wheels here")),
      openRepository: () => openHubRepository({ ...access, token }, revision),
    };
    const { from, file, sha256 } = await lockModel(problem, edges);
    const common = { name: "local.tiny", owner: "shop/dev", host: reference };
    return modelFilesInputs.parse({ ...common, from, file, sha256, ...changes });
  };
  const converge = async (inputs: ModelFilesInputs, failsAt?: string) => {
    const { operation, steps } = operationOf(failsAt);
    await modelFilesKind.converge(context, operation, inputs);
    return steps;
  };
  const observe = (inputs: ModelFilesInputs) => modelFilesKind.observe(context, inputs, undefined);
  const remove = (inputs: ModelFilesInputs) =>
    modelFilesKind.remove(context, operationOf().operation, { ...inputs, uses: `models/${inputs.sha256}` });
  const folder = (inputs: ModelFilesInputs) => join(dataDir, "models", inputs.sha256);
  return { host, dataDir, events, lock, converge, observe, remove, folder };
}

const downloads = () => hub.requests.filter(({ server }) => server === "storage");
const sentBytes = () => [...hub.sent.values()].reduce((sum, bytes) => sum + bytes, 0);

describe("a model of several files", () => {
  it("lies in a folder of its own as it is in the repository, and runners are given the folder", async () => {
    const { host, lock, converge, observe, folder } = await setUp();
    const inputs = await lock();
    expect(await converge(inputs)).toEqual(["fetch and verify", "put in place"]);
    const found = await host.walk(folder(inputs));
    expect([...found.keys()].sort()).toEqual([...Object.keys(first), "placement.json"].sort());
    for (const [path, content] of Object.entries(first))
      expect(await host.sha256(join(folder(inputs), path)), path).toBe(sha256(content));
    const sizeBytes = Object.values(first).reduce((sum, content) => sum + Buffer.byteLength(content), 0);
    expect(await observe(inputs)).toEqual({ path: folder(inputs), sizeBytes, placement: "id-1", drift: [] });
  });

  it("tells how far it is over all its files", async () => {
    const { events, lock, converge } = await setUp();
    await converge(await lock());
    const progress = events.flatMap((event) => (event.kind === "progress" ? [event] : []));
    const total = Object.values(first).reduce((sum, content) => sum + Buffer.byteLength(content), 0);
    expect(new Set(progress.map((event) => event.total))).toEqual(new Set([total]));
    expect(progress.map(({ current }) => current)).toEqual(
      progress.map(({ current }) => current).sort((a, b) => a - b),
    );
    expect(progress.at(-1)).toMatchObject({ text: repo, current: total });
  });

  it("is drift where a file is gone, cut, changed or added, each by its name, and only those are fetched again", async () => {
    const { host, lock, converge, observe, folder } = await setUp();
    const inputs = await lock();
    await converge(inputs);
    const at = (path: string) => join(folder(inputs), path);
    // The system's times of files stand still for some milliseconds: a change within them is as the file was before.
    await delay(50);
    await host.remove(at("config.json"));
    await host.writeFile(at("model-00001-of-00002.safetensors"), "short");
    await host.writeFile(at("text_encoder/tokenizer.json"), "[]");
    await host.writeFile(at("extra.safetensors"), "mine");
    expect((await observe(inputs)).drift).toEqual([
      "config.json is missing",
      `model-00001-of-00002.safetensors has 5 bytes, expected ${weightBytes}`,
      expect.stringMatching(/^text_encoder\/tokenizer.json was changed: sha256 \w+, expected \w+$/) as string,
      "extra.safetensors was added",
    ]);
    const before = sentBytes();
    expect(await converge(inputs)).toEqual(["fetch and verify", "put in place", "take aside what was there"]);
    expect(await observe(inputs)).toMatchObject({ placement: "id-2", drift: [] });
    expect(sentBytes() - before).toBe(weightBytes);
  });

  it("goes back to the cache as one, and comes from there without a byte of its weights fetched again", async () => {
    const { host, dataDir, lock, converge, observe, remove } = await setUp();
    const inputs = await lock();
    await converge(inputs);
    await remove(inputs);
    expect(await host.list(join(dataDir, "models"))).toEqual([]);
    const before = hub.requests.length;
    await converge(inputs);
    expect((await observe(inputs)).drift).toEqual([]);
    expect(hub.requests.length).toBe(before);
    expect(await host.walk(join(dataDir, "cache", "models"))).toEqual(new Map());
  });

  it("of a later commit takes what did not change from the host: only what changed is fetched", async () => {
    const { lock, converge, observe } = await setUp();
    const [old, next] = [await lock(), await lock("next")];
    await converge(old);
    const [bytes, requests] = [sentBytes(), hub.requests.length];
    await converge(next);
    expect(sentBytes()).toBe(bytes);
    expect(hub.requests.slice(requests).filter(({ path }) => path.includes("/resolve/"))).toHaveLength(1);
    expect((await observe(old)).drift).toEqual([]);
    expect((await observe(next)).drift).toEqual([]);
  });

  it("takes the files of one that was retired, and leaves that one to be fetched where it is wanted again", async () => {
    const { lock, converge, observe, remove } = await setUp();
    const [old, next] = [await lock(), await lock("next")];
    await converge(old);
    await remove(old);
    const bytes = sentBytes();
    await converge(next);
    expect(sentBytes()).toBe(bytes);
    await converge(old);
    expect((await observe(old)).drift).toEqual([]);
    expect((await observe(next)).drift).toEqual([]);
  });

  it("is put in place beside another that has the same files, at the same time", async () => {
    const { lock, converge, observe } = await setUp();
    const both = [await lock(), await lock("next")];
    hub.pieceBytes = 5000;
    const before = sentBytes();
    await Promise.all(both.map((inputs) => converge(inputs)));
    for (const inputs of both) expect((await observe(inputs)).drift).toEqual([]);
    const weights = Object.entries(first).filter(([path]) => path.endsWith(".safetensors"));
    expect(sentBytes() - before).toBe(weights.reduce((sum, [, content]) => sum + Buffer.byteLength(content), 0));
  });

  it("is put in place again from where an interruption left it", async () => {
    const { lock, converge, observe } = await setUp();
    const inputs = await lock();
    await expect(converge(inputs, "put in place")).rejects.toThrow();
    expect((await observe(inputs)).drift).toEqual(["is not there"]);
    const before = hub.requests.length;
    await converge(inputs);
    expect((await observe(inputs)).drift).toEqual([]);
    expect(hub.requests.length).toBe(before);
  });
});

it("of one file in a folder goes back to the cache, and comes from there", async () => {
  hub.repositories[repo] = { revisions: { main: { "Q8/tiny.gguf": ggufFile({ "general.architecture": "llama" }) } } };
  const { folder, lock, converge, observe, remove } = await setUp();
  const inputs = await lock();
  await converge(inputs);
  expect(await observe(inputs)).toMatchObject({ path: join(folder(inputs), "Q8/tiny.gguf"), drift: [] });
  await remove(inputs);
  const before = hub.requests.length;
  await converge(inputs);
  expect((await observe(inputs)).drift).toEqual([]);
  expect(hub.requests.length).toBe(before);
});

describe("a disk that is too small", () => {
  it("is told before the first byte, with what is free and what is missing", async () => {
    const { lock, converge } = await setUp(50_000);
    const inputs = await lock();
    const before = hub.requests.length;
    const error = await rejectionOf(converge(inputs));
    expect(error.code).toBe("disk-full");
    expect(error.parts).toMatchObject({ got: "50.0 kB free", expected: `70.2 kB for what is missing of ${repo}` });
    expect(hub.requests.length).toBe(before);
  });
});

describe("a repository that asks for a token", () => {
  beforeEach(() => {
    hub.repositories[repo] = { revisions: { main: first }, access: { kind: "gated", token } };
  });

  it("gets it, and the server of its large files does not", async () => {
    const { lock, converge, observe, dataDir, host, events } = await setUp();
    const inputs = await lock("main", { token });
    expect(modelFilesKind.secrets(inputs)).toEqual([token]);
    await converge(inputs);
    expect((await observe(inputs)).drift).toEqual([]);
    expect(new Set(downloads().map(({ authorization }) => authorization))).toEqual(new Set([undefined]));
    for (const path of (await host.walk(dataDir)).keys())
      expect(await host.readText(join(dataDir, path)), path).not.toContain("canary");
    expect(JSON.stringify([events, await observe(inputs)])).not.toContain("canary");
  });

  it.each([
    [{}, "HTTP status 401"],
    [{ token: "hf_another-canary" }, "HTTP status 403"],
  ])("says what to do where it is refused: %j", async (changes, got) => {
    const { lock, converge } = await setUp();
    const error = await rejectionOf(converge(await lock("main", changes)));
    expect(error.code).toBe("model-unavailable");
    expect(error.parts.got).toBe(got);
    expect(error.message).toContain(`accept them at ${hub.endpoint}/${repo}`);
    expect(inspect(error, { depth: 10 })).not.toContain("canary");
  });
});

describe("the mirror of an environment", () => {
  /** As a lock has a model that names no endpoint. */
  const withoutEndpoint = ({ from, ...inputs }: ModelFilesInputs, changes: object) => {
    if (from.source !== "huggingface") throw new Error("a repository was locked");
    const { endpoint: _, ...bare } = from;
    return modelFilesInputs.parse({ ...inputs, from: bare, ...changes });
  };

  it("is where the files come from, and gets the token", async () => {
    hub.repositories[repo] = { revisions: { main: first }, access: { kind: "gated", token } };
    const { lock, converge, observe } = await setUp();
    const inputs = withoutEndpoint(await lock("main", { token }), { hubEndpoint: hub.endpoint });
    await converge(inputs);
    expect((await observe(inputs)).drift).toEqual([]);
  });

  it("does not count for a model that names its own", async () => {
    const { lock, converge, observe } = await setUp();
    const inputs = await lock("main", { hubEndpoint: "http://127.0.0.1:9" });
    await converge(inputs);
    expect((await observe(inputs)).drift).toEqual([]);
  });

  it("can change without anything to be done on a host", () => {
    expect(modelFilesKind.differences.hubEndpoint.change).toBe("none");
  });
});

it("says so where the commit is gone from the hub", async () => {
  const { lock, converge } = await setUp();
  const inputs = await lock();
  hub.repositories[repo] = { revisions: { main: { "other.safetensors": noise(10) } } };
  const error = await rejectionOf(converge(inputs));
  expect(error.code).toBe("model-unavailable");
  expect(error.message).toContain("berth lock --upgrade-models");
});

it("takes no other bytes than those that are locked", async () => {
  const { lock, converge, observe } = await setUp();
  const inputs = await lock();
  if (inputs.from.source !== "huggingface") throw new Error("a repository was locked");
  const files = inputs.from.files.map((file) => ({ ...file, sha256: file.sha256.replace(/^./, "0") }));
  const error = await rejectionOf(converge({ ...inputs, from: { ...inputs.from, files } }));
  expect(error.code).toBe("checksum-mismatch");
  expect(error.parts.hint).toContain("the mirror gives other files than the hub");
  expect((await observe(inputs)).drift).toEqual(["is not there"]);
});
