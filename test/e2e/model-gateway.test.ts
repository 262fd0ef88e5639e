import { existsSync, readdirSync, readFileSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fakeStack, serveModels, type FakeDeployment } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { underLoad } from "../support/load.js";
import { freePort, Sandbox, type Outcome } from "../support/sandbox.js";

const runAll = process.env.BERTH_TEST_ALL === "1";
const says = (text: string) => `extraParameters: ["--text", "${text}"]`;
const twice = "replicas: 2";
const keyed = ["bindAddress: 0.0.0.0", "apiKey: { secret: engine-key }"];
const update = "strategy: blueGreen, drainTimeout: 30s";

describe.runIf(runAll || existsSync("/usr/sbin/haproxy"))("the gateway that routes by model", () => {
  let server: FileServer;
  let sandbox: Sandbox;
  let port: number;
  let metrics: number;
  let key = "client-key-1";

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    port = await freePort();
    metrics = await freePort();
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  function want(deployments: Record<string, FakeDeployment>, aliases: string): void {
    const hosts = { one: "host", two: "host2" };
    const gateway = [
      "gateway:",
      "  hosts: [one]",
      `  listen: 127.0.0.1:${port}`,
      `  metrics: 127.0.0.1:${metrics}`,
      `  aliases: ${aliases}`,
      "  keys: { ci: { secret: client-key } }",
      "",
    ];
    const stack = fakeStack(server, sandbox.portRange, deployments, "supervisord", hosts);
    sandbox.writeStack(`${stack}${gateway.join("\n")}`);
  }

  const secrets = () => ({ BERTH_SECRET_CLIENT_KEY: key, BERTH_SECRET_ENGINE_KEY: "engine-key-1" });
  const up = (args: readonly string[] = []): Promise<Outcome> => sandbox.up(args, secrets());
  const ask = (path: string, init: RequestInit = {}, withKey = key) =>
    fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers: { authorization: `Bearer ${withKey}` } });
  const askModel = (model: string, withKey = key) =>
    ask("/v1/completions", { method: "POST", body: JSON.stringify({ prompt: "x", model }) }, withKey);

  async function complete(model: string): Promise<string> {
    const response = await askModel(model);
    const text = await response.text();
    if (!response.ok) throw new Error(`HTTP ${response.status} ${text}`);
    return (JSON.parse(text) as { choices: [{ text: string }] }).choices[0].text;
  }

  const chat = (text = "chat says"): FakeDeployment => ({ update, fields: [twice, says(text), ...keyed] });
  const code: FakeDeployment = { fields: [twice, says("code says")] };
  const draft: FakeDeployment = { fields: [says("draft says")] };

  it("is created with what it leads to, in one up, and then nothing changes", async () => {
    want({ chat: chat(), code, draft }, '{ gpt-4o: chat, "org/old": code }');
    const { exitCode, output } = await up();
    expect(exitCode, output).toBe(0);
    const names = ["chat", "code", "draft", "gpt-4o", "org/old"];
    const answers = await Promise.all(names.map(complete));
    expect(answers).toEqual(["chat says", "code says", "draft says", "chat says", "code says"]);
    const list = (await (await ask("/v1/models")).json()) as { data: { id: string }[] };
    expect(list.data.map(({ id }) => id)).toEqual(names.toSorted());
    const again = await up(["--expect-no-changes"]);
    expect(again.exitCode, again.output).toBe(0);
  });

  it("tells where it is asked, and what it serves", async () => {
    const output = await sandbox.pulumi(["stack", "output", "gateways", "--json", "--stack", "test"]);
    expect(JSON.parse(output.output)).toEqual([`http://127.0.0.1:${port}/v1`]);
    const status = await sandbox.berth(["status", "test"]);
    expect(status.output).toContain(
      `gateway on one: http://127.0.0.1:${port}/v1 serves chat, code, draft, gpt-4o, org/old`,
    );
  });

  it("refuses who has no key, and names no model, or one that is not there, as OpenAI does", async () => {
    const refused = await askModel("chat", "wrong");
    expect([refused.status, await refused.json()]).toMatchObject([401, { error: { code: "invalid_api_key" } }]);
    const unknown = await askModel("nobody");
    expect([unknown.status, await unknown.json()]).toMatchObject([404, { error: { code: "model_not_found" } }]);
    expect((await ask("/v1/completions", { method: "POST", body: "{}" })).status).toBe(400);
    expect((await ask("/slots")).status).toBe(404);
  });

  it("leads an alias elsewhere under load: no request fails, and no new worker is needed", async () => {
    const before = sandbox.gateways();
    want({ chat: chat(), code, draft }, '{ gpt-4o: code, "org/old": { code: 90, chat: 10 } }');
    const { result, failed, answers } = await underLoad("", up, () => complete("gpt-4o"));
    expect(result.exitCode, result.output).toBe(0);
    expect(failed).toEqual([]);
    expect(answers).toEqual(["chat says", "code says"]);
    expect(sandbox.gateways()).toEqual(before);
    const shares = await Promise.all(Array.from({ length: 300 }, () => complete("org/old")));
    const ofChat = shares.filter((answer) => answer === "chat says").length;
    expect(ofChat).toBeGreaterThan(5);
    expect(ofChat).toBeLessThan(75);
  });

  it("serves on while a deployment is updated and another gets more replicas", async () => {
    want({ chat: chat("chat anew"), code, draft: { fields: [twice, says("draft says")] } }, "{ gpt-4o: chat }");
    const { result, failed, answers } = await underLoad("", up, () => complete("chat"));
    expect(result.exitCode, result.output).toBe(0);
    expect(failed).toEqual([]);
    expect([answers[0], answers.at(-1)]).toEqual(["chat says", "chat anew"]);
    expect((await askModel("org/old")).status).toBe(404);
  });

  it("takes another key at once", async () => {
    const [old, before] = [key, sandbox.gateways()];
    key = "client-key-2";
    const { exitCode, output } = await up();
    expect(exitCode, output).toBe(0);
    expect((await askModel("chat", old)).status).toBe(401);
    expect(await complete("chat")).toBe("chat anew");
    expect(sandbox.gateways()).toEqual(before);
  });

  it("is drift when somebody changes what it serves, and is brought back", async () => {
    const folder = sandbox.path("host", "gateways", "sandbox+test+models");
    sandbox.write("host/gateways/sandbox+test+models/routes.map", "chat deployment:code\n");
    expect(await sandbox.refreshDrift()).toContain("its files are gone or were changed");
    expect(existsSync(folder)).toBe(true);
    const { exitCode, output } = await up();
    expect(exitCode, output).toBe(0);
    expect(await complete("chat")).toBe("chat anew");
    const again = await up(["--expect-no-changes"]);
    expect(again.exitCode, again.output).toBe(0);
  });

  it("keeps no key of clients, nor writes down what they ask", async () => {
    const log = sandbox.path("host", "gateways", "sandbox+test+models", "output.log");
    const text = readFileSync(log, "utf8");
    expect(text).toContain('"model":"chat"');
    expect(text).not.toContain("prompt");
    const folder = sandbox.path("host", "gateways", "sandbox+test+models");
    for (const file of readdirSync(folder, { recursive: true, withFileTypes: true }))
      if (file.isFile()) expect(readFileSync(`${file.parentPath}/${file.name}`, "utf8")).not.toContain(key);
    const scraped = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
    expect(scraped).toContain('haproxy_backend_status{proxy="deployment:chat",state="UP"} 1');
  });

  it("leaves nothing when it is destroyed", async () => {
    const { exitCode, output } = await sandbox.pulumi(
      ["destroy", "--yes", "--skip-preview", "--stack", "test"],
      secrets(),
    );
    expect(exitCode, output).toBe(0);
    expect(sandbox.gateways()).toEqual([]);
    expect(sandbox.hostFiles()).toEqual(["cache"]);
  });
});
