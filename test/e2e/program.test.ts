import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { sha256 } from "../../src/lib/canonical.js";
import { models, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { Sandbox } from "../support/sandbox.js";

describe("a Pulumi program of one's own", () => {
  let server: FileServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  interface Changes {
    dataDir?: string;
    sha256?: string;
  }

  function writeProgram(deployments: readonly string[], changes: Changes = {}): void {
    const [first] = sandbox.portRange;
    const lines = deployments.map(
      (name) => `
export const ${name} = new ModelDeployment("${name}", {
  host, model, backend: "fake", port: ${first + name.length}, minHealthySeconds: 0,
  apiKey: config.requireSecret("key"),
}).endpoint;`,
    );
    sandbox.write(
      "index.js",
      `import * as pulumi from "@pulumi/pulumi";
import { Host, ModelDeployment } from "pulumi-berth";

const config = new pulumi.Config("app");
const host = new Host("box", { host: { name: "box", connection: "local", dataDir: ${JSON.stringify(changes.dataDir ?? sandbox.dataDir)} } });
const model = {
  from: { source: "url", url: ${JSON.stringify(server.url("/good.txt"))} },
  file: "model.txt",
  sha256: "${changes.sha256 ?? sha256(models.good)}",
};
${lines.join("\n")}
`,
    );
  }

  async function output(name: string): Promise<string> {
    const { output: text } = await sandbox.pulumi(["stack", "output", name, "--stack", "test"]);
    return text.trim();
  }

  async function statusOf(endpoint: string, headers: Record<string, string> = {}): Promise<number> {
    return (await fetch(`${endpoint}/completions`, { method: "POST", body: "{}", headers })).status;
  }

  it("deploys with Host and ModelDeployment, host, port and key decided by the program", async () => {
    await sandbox.pulumi(["config", "set", "--secret", "app:key", "open-sesame", "--stack", "test"]);
    writeProgram(["chat", "other"]);
    const { exitCode, output: text } = await sandbox.up();
    expect(exitCode, text).toBe(0);
    const endpoint = await output("chat");
    expect(endpoint).toBe(`http://127.0.0.1:${sandbox.portRange[0] + 4}/v1`);
    expect(await statusOf(endpoint)).toBe(401);
    expect(await statusOf(endpoint, { authorization: "Bearer open-sesame" })).toBe(200);
    expect((await sandbox.up(["--expect-no-changes"])).exitCode).toBe(0);
  });

  it("shares a backend version and a model between deployments, and keeps them until the last is gone", async () => {
    expect(sandbox.resources("BackendVersion")).toHaveLength(2);
    expect(readdirSync(sandbox.path("host", "backends"))).toHaveLength(1);
    writeProgram(["other"]);
    expect((await sandbox.up()).exitCode).toBe(0);
    expect(await statusOf(await output("other"), { authorization: "Bearer open-sesame" })).toBe(200);
    expect(sandbox.runners()).toHaveLength(1);
    expect((await sandbox.up(["--expect-no-changes"])).exitCode).toBe(0);
  });

  it("loses nothing by a new data directory that fails and is taken back", async () => {
    const second = sandbox.path("second");
    writeProgram(["other"], { dataDir: second, sha256: "f".repeat(64) });
    const failed = await sandbox.up();
    expect(failed.output).toContain(`expected: sha256 ${"f".repeat(64)}`);
    expect(failed.exitCode).not.toBe(0);

    writeProgram(["other"]);
    const { exitCode, output: text } = await sandbox.up();
    expect(exitCode, text).toBe(0);
    expect(await statusOf(await output("other"), { authorization: "Bearer open-sesame" })).toBe(200);
    expect((await sandbox.up(["--expect-no-changes"])).exitCode).toBe(0);
    expect(sandbox.hostFiles()).toContain("berth.json");
    expect(existsSync(join(second, "berth.json"))).toBe(false);
  });

  it("changes a host without a refresh, and touches nothing on it", async () => {
    const [before] = sandbox.runners();
    sandbox.write(
      "index.js",
      readFileSync(sandbox.path("index.js"), "utf8").replace(
        'new Host("box", {',
        'new Host("box", { labels: { zone: "b" },',
      ),
    );
    const { exitCode, output: text } = await sandbox.up(["--refresh=false"]);
    expect(exitCode, text).toBe(0);
    expect(text).toContain("~ 1 updated");
    expect(sandbox.runners()).toEqual([before]);
  });

  it("is told of a mistake without a stack trace", async () => {
    sandbox.write(
      "index.js",
      `import { Host, ModelDeployment } from "pulumi-berth";
const host = new Host("box", { host: { name: "box", connection: "local", dataDir: ${JSON.stringify(sandbox.dataDir)} } });
new ModelDeployment("chat", { host, backend: "fkae", port: 1, model: { from: { source: "url", url: "http://127.0.0.1/" }, file: "x", sha256: "0" } });
`,
    );
    const { exitCode, output: text } = await sandbox.pulumi(["preview", "--stack", "test"]);
    expect(exitCode).not.toBe(0);
    expect(text).toContain("deployment chat: no backend has this name");
    expect(text).toContain("got: fkae");
    expect(text).not.toMatch(/^\s+at /m);
  });

  it("destroys what it made", async () => {
    const { exitCode, output: text } = await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"]);
    expect(exitCode, text).toBe(0);
    expect(sandbox.runners()).toEqual([]);
    expect(sandbox.hostFiles()).toEqual(["cache"]);
  });
});
