import { mkdtemp, realpath, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { execa } from "execa";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { LocalHost } from "../../src/host/local.js";
import { sha256 } from "../../src/lib/canonical.js";
import { openHubRepository } from "../../src/lock/hub.js";
import { lockModel } from "../../src/lock/model.js";
import { modelSource } from "../../src/schema/model.js";
import { HubServer } from "../support/hub-server.js";
import { toolFolderWithout } from "../support/tool-folder.js";
import { safetensorsFile } from "../support/weights.js";

const repo = "acme/tiny";
const sizes = { "model-1.safetensors": 300_000, "model-2.safetensors": 200_000, "model-3.safetensors": 100_000 };
const files = Object.fromEntries(
  Object.entries(sizes).map(([path, bytes], seed) => [path, safetensorsFile(bytes, seed)]),
);
const all = Object.values(files).reduce((sum, content) => sum + content.length, 0);
const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });
const script = fileURLToPath(new URL("bring-model.mjs", import.meta.url));

/** Bytes that the server has sent when the process is killed: within files, and near their ends. */
const killPoints = [3, 19, 20, 47, 61, 62, 88, 97].map((percent) => (percent / 100) * all);
const kills = 20;
/** What a kill may cost: what the server has sent and nobody has written yet, in both sockets' buffers and on the way. */
const lostBytes = 1 << 20;
/** Long enough for kills to fall into its transfer. */
const big = safetensorsFile(24_000_000, 7);

describe.each([
  { by: "curl", without: [] },
  { by: "Node", without: ["curl"] },
])("bringing a model from a hub, by $by", ({ without }) => {
  let hub: HubServer;
  let dataDir: string;
  let tools: string;

  beforeAll(async () => {
    tools = toolFolderWithout(without);
    hub = await HubServer.start();
    hub.repositories[repo] = { revisions: { main: files } };
    hub.pieceBytes = 10_000;
    dataDir = await realpath(await mkdtemp(join(tmpdir(), "berth hub ")));
  });
  afterAll(async () => {
    await hub.close();
    await rm(dataDir, { recursive: true, force: true });
    await rm(tools, { recursive: true });
  });

  const cached = (path: string, name: string) => join(dataDir, "cache", "models", sha256(files[path] ?? ""), name);
  const sizeOf = (path: string) =>
    stat(path).then(
      ({ size }) => size,
      () => 0,
    );
  const sent = () => [...hub.sent.values()].reduce((sum, bytes) => sum + bytes, 0);
  const downloads = () => hub.requests.filter(({ server, range }) => server === "storage" && range !== "bytes=0-8");

  const bring = (model: object) =>
    execa(process.execPath, [script, JSON.stringify({ dataDir, model })], { env: { PATH: tools }, reject: false });

  /** What a process that was killed has started to fetch a file ends too. */
  const toolsEnd = (part: string) =>
    expect.poll(() => host.findProcesses([part]), { timeout: 10_000, interval: 10 }).toEqual([]);

  async function lock() {
    const access = { repo, endpoint: hub.endpoint, token: undefined, where: "deployment chat" };
    const model = modelSource.parse({ source: "huggingface", repo, endpoint: hub.endpoint });
    const edges = {
      findWheel: () => Promise.reject(new Error("no wheels here")),
      openRepository: () => openHubRepository(access, "main"),
    };
    return lockModel({ model, before: undefined, indexUrl: undefined, where: "chat" }, edges);
  }

  it("goes on where it was killed: nothing that is on the disk is asked for again", async () => {
    const model = await lock();
    hub.sent.clear();
    for (const killPoint of [...killPoints, Infinity]) {
      const held = new Map<string, number>();
      for (const path of Object.keys(files))
        held.set(path, (await sizeOf(cached(path, "model"))) > 0 ? Infinity : await sizeOf(cached(path, "model.part")));
      const before = downloads().length;
      const run = bring(model);
      while (run.exitCode === null && run.signalCode === null && sent() < killPoint) await delay(1);
      run.kill("SIGKILL");
      const { exitCode, stderr } = await run;
      for (const path of Object.keys(files)) await toolsEnd(cached(path, "model.part"));
      if (killPoint === Infinity) expect(exitCode, stderr).toBe(0);
      const asked = downloads().slice(before);
      for (const { path: address, range } of asked) {
        const [path = ""] = Object.entries(files).find(([, content]) => address.includes(sha256(content))) ?? [];
        const has = held.get(path) ?? 0;
        expect(range ?? "bytes=0-", `${path} after ${killPoint}`).toBe(`bytes=${has}-`);
        expect(has).toBeLessThanOrEqual(files[path]?.length ?? 0);
      }
    }
    for (const [path, content] of Object.entries(files))
      expect(await host.sha256(cached(path, "model")), path).toBe(sha256(content));
  });

  it("of one file, killed at 20 random points, fetches what is missing and no more than a kill can lose", async () => {
    await rm(dataDir, { recursive: true, force: true });
    hub.repositories[repo] = { revisions: { main: { "model.safetensors": big } } };
    hub.pieceBytes = 64_000;
    const model = await lock();
    const part = join(dataDir, "cache", "models", sha256(big), "model.part");
    const held = () =>
      stat(part).then(
        ({ size }) => size,
        () => 0,
      );
    hub.sent.clear();
    const [points = []] = fc.sample(fc.array(fc.integer({ min: 1, max: 99 }), { minLength: kills, maxLength: kills }), {
      numRuns: 1,
      seed: 20,
    });
    const wanted = points.map((percent) => (percent / 100) * big.length).sort((a, b) => a - b);
    const before = downloads().length;
    let killed = 0;
    for (const bytes of [...wanted, Infinity]) {
      const has = await held();
      const begun = downloads().length;
      const run = bring(model);
      while (run.exitCode === null && run.signalCode === null && (bytes === Infinity || (await held()) < bytes))
        await delay(1);
      if (bytes !== Infinity && run.kill("SIGKILL")) killed += 1;
      const { exitCode, stderr } = await run;
      await toolsEnd(part);
      if (bytes === Infinity) expect(exitCode, stderr).toBe(0);
      for (const { range } of downloads().slice(begun)) expect(range ?? "bytes=0-").toBe(`bytes=${has}-`);
    }
    expect(killed).toBe(kills);
    expect(downloads().length - before).toBeGreaterThan(1);
    expect(sent()).toBeLessThanOrEqual(big.length + kills * lostBytes);
    expect(await host.sha256(join(part, "..", "model"))).toBe(sha256(big));
  });

  it("fetches nothing when all is there", async () => {
    const model = await lock();
    const before = downloads().length;
    const { exitCode } = await bring(model);
    expect(exitCode).toBe(0);
    expect(downloads().slice(before)).toEqual([]);
  });
});
