import { readFileSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { HubServer } from "../support/hub-server.js";
import { Sandbox } from "../support/sandbox.js";
import { ggufFile } from "../support/weights.js";

const repo = "acme/tiny-GGUF";

describe("a model and a backend version that are preloaded from a mirror", () => {
  let hub: HubServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    hub = await HubServer.start();
    hub.repositories[repo] = {
      revisions: { main: { "tiny.gguf": ggufFile({ "general.architecture": "llama", "general.name": "tiny" }, 0) } },
    };
    sandbox = await Sandbox.create();
  });
  afterAll(async () => {
    await sandbox.dispose();
    await hub.close();
  });

  /** @param parts what the stack has beside its host and mirror */
  async function up(parts: string): Promise<Record<string, unknown>> {
    const range = sandbox.portRange.join(", ");
    sandbox.writeStack(`schemaVersion: 1
hosts:
  local: { connection: local, dataDir: host, portRange: [${range}], runtime: supervisord }
mirrors: { huggingface: "${hub.endpoint}" }
${parts}`);
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
    const found = ["BackendVersion", "ModelFiles", "Instance"].map((kind) => [
      kind,
      sandbox.resources(kind).map(({ outputs }) => String(outputs.identity)),
    ]);
    return Object.fromEntries(found) as Record<string, unknown>;
  }
  const engine = `backend: fake, backendVersion: "1", model: { source: huggingface, repo: ${repo} }`;
  const preload = `preload:\n  next: { ${engine} }\n`;
  const sentBytes = () => [...hub.sent.values()].reduce((sum, bytes) => sum + bytes, 0);
  let ready: Record<string, unknown>;

  it("lie on the host, and nothing runs; the lock's promotable part does not name the mirror", async () => {
    ready = await up(preload);
    expect(ready).toMatchObject({
      BackendVersion: [expect.any(String)],
      ModelFiles: [expect.any(String)],
      Instance: [],
    });
    expect(sandbox.runners()).toEqual([]);
    const lock = readFileSync(sandbox.path("stacks", "test.lock.yaml"), "utf8");
    expect(lock.split(hub.endpoint)).toHaveLength(2);
    expect(lock).toContain(`hubEndpoint: ${hub.endpoint}`);
  });

  it("stay the same resources when a deployment comes, which fetches nothing and runs", async () => {
    const before = sentBytes();
    const update = "update: { minHealthyTime: 0s, healthyDeadline: 20s, stopTimeout: 2s }";
    const { Instance: instances, ...rest } = await up(`${preload}deployments:\n  chat: { ${engine}, ${update} }\n`);
    expect(rest).toEqual({ BackendVersion: ready.BackendVersion, ModelFiles: ready.ModelFiles });
    expect(instances).toHaveLength(1);
    expect(sandbox.runners()).toHaveLength(1);
    expect(sentBytes()).toBe(before);
  });

  it("go to the cache with the last who wants them, and from there by command alone", async () => {
    expect(await up("")).toEqual({ BackendVersion: [], ModelFiles: [], Instance: [] });
    expect((await sandbox.berth(["models"])).output).toMatch(/tiny\.gguf.* cache +none /);
    const { exitCode, output } = await sandbox.berth(["models", "evict", "--yes"]);
    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/^local [0-9a-f]{12} .* removed$/m);
    expect((await sandbox.berth(["models"])).output).toContain("no models");
  });
});
