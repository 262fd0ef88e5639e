import { existsSync } from "node:fs";
import { join } from "node:path";

import { execa, type Options } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { benchReport } from "../../src/schema/bench.js";
import { fetchQuickstartModel } from "../support/quickstart-model.js";
import { freePort, Sandbox } from "../support/sandbox.js";
import { repository } from "../support/toolchain.js";

const isPossible = process.env.BERTH_TEST_ALL === "1" || existsSync("/usr/sbin/haproxy");
if (!isPossible) console.warn("skipped: there is no HAProxy");

const minutes = 60_000;
const key = "client-key-5a1e";
const sha256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818";

/** The quickstart's engine and model, behind a gateway with an alias and two keys. */
describe.runIf(isPossible)("what asks a deployment as its clients do", () => {
  let sandbox: Sandbox;
  let port: number;
  let metricsPort: number;

  beforeAll(async () => {
    sandbox = await Sandbox.create();
    port = await freePort();
    metricsPort = await freePort();
    const model = await fetchQuickstartModel();
    sandbox.writeStack(`schemaVersion: 1
hosts:
  local: { connection: local, dataDir: host, runtime: supervisord, portRange: [${sandbox.portRange.join(", ")}] }
deployments:
  chat:
    backend: llama-cpp
    backendVersion: "2026.10.11549"
    contextLength: 1024
    extraParameters: ["--metrics"]
    update: { minHealthyTime: 0s }
    model: { source: file, path: "${model}", sha256: ${sha256} }
gateway:
  hosts: [local]
  listen: 127.0.0.1:${port}
  metrics: 127.0.0.1:${metricsPort}
  aliases: { gpt-4o: chat }
  keys: { ci: { secret: ci-key }, other: { secret: other-key, models: [gpt-4o] } }
`);
    const { exitCode, output } = await sandbox.up([], secrets);
    expect(exitCode, output).toBe(0);
  }, 5 * minutes);
  afterAll(() => sandbox.dispose());

  const secrets = { BERTH_SECRET_CI_KEY: key, BERTH_SECRET_OTHER_KEY: "other-key-77" };

  /** `berth` as it is called by people, standard output apart from what is for them alone. */
  function berth(args: readonly string[], options: Options = {}) {
    const main = join(repository, "dist", "cli", "main.js");
    const env = { PATH: sandbox.searchPath };
    return execa(process.execPath, [main, ...args], { cwd: sandbox.root, env, input: "", reject: false, ...options });
  }

  it("has one question answered by the gateway, as the answer comes", async () => {
    const ask = async () => {
      const running = berth([
        "chat",
        "chat",
        "--key",
        "ci",
        "--message",
        "Count from one to ten.",
        "--max-tokens",
        "16",
      ]);
      let pieces = 0;
      running.stdout?.on("data", () => (pieces += 1));
      const { exitCode, stderr } = await running;
      expect(exitCode, String(stderr)).toBe(0);
      return pieces;
    };
    // The model is small, and ends some answers with its first word.
    await expect.poll(ask, { timeout: 60_000 }).toBeGreaterThan(1);
  });

  it("converses line by line, by an alias, and tells programs each answer as one line", async () => {
    const input = "My name is Ada.\n\nWhat is my name?\n/exit\nNobody hears this.\n";
    const args = ["chat", "--model", "gpt-4o", "--key", "other", "--max-tokens", "5", "--json"];
    const { exitCode, stdout, stderr } = await berth([...args, "--system", "Answer in few words."], { input });
    expect(exitCode, String(stderr)).toBe(0);
    const answers = String(stdout)
      .split("\n")
      .map((line) => JSON.parse(line) as { content: string; promptTokens: number });
    expect(answers).toHaveLength(2);
    expect(answers[0]).toMatchObject({ deployment: "chat", model: "gpt-4o", asked: "gateway" });
    expect(answers[0]?.content).not.toBe("");
    // What was said before is said again.
    expect(answers[1]?.promptTokens).toBeGreaterThan((answers[0]?.promptTokens ?? 0) + 10);
  });

  it("ends an answer at Ctrl-C, also at the engine", async () => {
    const running = berth(["chat", "chat", "--direct", "--message", "Tell a very long story of a ship."]);
    running.stdout?.once("data", () => running.kill("SIGINT"));
    const { exitCode, stdout, stderr } = await running;
    expect(exitCode, String(stderr)).toBe(130);
    expect(stdout).not.toBe("");
    expect(stderr).toBe("");
    const { port: engine } = sandbox.resources("Instance")[0]?.outputs as { port: number };
    const busy = async () => (await fetch(`http://127.0.0.1:${engine}/metrics`)).text();
    await expect.poll(busy, { timeout: 10_000 }).toMatch(/^llamacpp:requests_processing 0$/m);
  });

  it("tells in one line what the server says", async () => {
    const { exitCode, stderr } = await berth(["chat", "--key", "ci", "--message", "word ".repeat(2000)]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: chat: HTTP 400: .*context.* \(request-failed\)$/);
    const nobody = await berth(["chat", "--key", "ci", "--url", "http://127.0.0.1:9", "--message", "Hello"]);
    expect(nobody.stderr).toMatch(/^error: chat: .* \(request-failed\)$/);
  });

  it("measures under each concurrency, by the gateway and by the instances, and tells how tokens are counted", async () => {
    const load = ["--concurrency", "1,2", "--requests", "2", "--prompt-tokens", "8", "--output-tokens", "4"];
    const table = await berth(["bench", "chat", "--ignore-end", "--key", "ci", ...load]);
    expect(table.exitCode, String(table.stderr)).toBe(0);
    expect(table.stdout).toMatch(/^chat by the gateway on local, from this machine; prompts of about 8 tokens/);
    expect(table.stdout).toMatch(/^ +1 +2 +0( +\d+\.\d{3} s){6} +\d+\.\d +\d+\.\d *$/m);
    expect(table.stdout).toContain("tokens as the engine tells them (usage)");
    const json = await berth(["bench", "chat", "--direct", "--ignore-end", "--format", "json", ...load]);
    const report = benchReport.parse(JSON.parse(String(json.stdout)));
    expect(report).toMatchObject({
      stack: "test",
      asked: "instances",
      servers: ["chat-0 on local, from this machine"],
    });
    expect(report.levels.map(({ concurrency, tokens, errors }) => ({ concurrency, tokens, errors }))).toEqual([
      { concurrency: 1, tokens: 8, errors: 0 },
      { concurrency: 2, tokens: 8, errors: 0 },
    ]);
    for (const { firstTokenSeconds, latencySeconds, tokensPerSecond, promptTokens } of report.levels) {
      expect(firstTokenSeconds?.p50).toBeGreaterThan(0);
      expect(latencySeconds?.p99).toBeGreaterThanOrEqual(firstTokenSeconds?.p99 ?? Infinity);
      expect(tokensPerSecond).toBeGreaterThan(0);
      expect(promptTokens).toBeGreaterThan(2 * 8);
    }
  });

  it("tells Prometheus where metrics are, and each of them answers", async () => {
    const { stdout } = await berth(["metrics"]);
    const list = JSON.parse(String(stdout)) as { targets: [string]; labels: { part: string } }[];
    expect(list.map(({ labels }) => labels.part)).toEqual(["gateway", "engine"]);
    const texts = await Promise.all(
      list.map(async ({ targets: [at] }) => (await fetch(`http://${at}/metrics`)).text()),
    );
    expect(texts[0]).toContain('haproxy_backend_active_servers{proxy="deployment:chat"} 1');
    expect(texts[1]).toContain("llamacpp:requests_processing");
    const status = await berth(["status", "--format", "prometheus"]);
    const labels = '{stack="test",deployment="chat",instance="chat-0",host="local",model="chat"}';
    expect(status.stdout).toContain(`berth_instance_healthy${labels} 1\n`);
  });

  it.each([
    [["chat", "nobody", "--key", "ci"], /no such deployment[^]*got: nobody\n {2}expected: chat/],
    [["chat", "--model", "gpt-4o"], /the gateway has several keys[^]*expected: --key ci or --key other/],
    [["chat", "--model", "gpt-5"], /the gateway has no such model[^]*expected: chat, gpt-4o/],
    [["bench", "chat", "--direct", "--key", "ci"], /--direct asks no gateway/],
    [["bench", "chat", "--concurrency", "0"], /expected a whole number above 0/],
  ])("refuses %j and says why", async (args, why) => {
    const { exitCode, stderr } = await berth(args);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(why);
  });
});
