import { mkdirSync, readFileSync, rmSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { parseEvidence, type Evidence } from "../../src/schema/evidence.js";
import { fakeStack, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { Sandbox } from "../support/sandbox.js";

const key = "canary-key-77d1c0";
const patience = { timeout: 30_000, interval: 200 };

describe("berth verify", () => {
  let server: FileServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    await sandbox.pulumi(["config", "set", "berth:team-key", key, "--secret", "--stack", "test"]);
    want();
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  /** @param minHealthy how long an update waits for its runners, once they are healthy */
  function want(said = "the answer is five", minHealthy = "0s"): void {
    const fields = ["apiKey: { secret: team-key }", `extraParameters: ["--text", ${JSON.stringify(said)}]`];
    const text = fakeStack(server, sandbox.portRange, { chat: { fields }, code: {} });
    sandbox.writeStack(text.replaceAll("minHealthyTime: 0s", `minHealthyTime: ${minHealthy}`));
  }

  function gates(...lines: string[]): void {
    const entries = lines.map((line) => `      ${line}`);
    const written = [
      "schemaVersion: 1",
      "order: [test]",
      "environments:",
      "  test:",
      "    gates:",
      ...entries,
      "",
    ].join("\n");
    sandbox.write("stacks/environments.yaml", written);
  }

  const evidence = (): Evidence => {
    const file = sandbox.path(".berth", "evidence", "test.json");
    return parseEvidence(readFileSync(file, "utf8"), file);
  };

  it("passes what is applied, healthy and as its gates ask, and writes evidence without secrets", async () => {
    gates(
      "soak: 500ms",
      "verify: true",
      'smoke: { chat: [{ prompt: "2 + 3 =", expect: { contains: five } }, { messages: [{ role: user, content: Hello }] }] }',
      'performance: { "*": { requests: 4, parallel: 2, maxTokens: 8, firstTokenSeconds: 20, tokensPerSecond: 0.1 } }',
    );
    const { exitCode, output } = await sandbox.berth(["verify"]);
    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/^ chat +[0-9a-f]{12} +yes +yes +\d+\.\d s +- +2 of 2 +4 of 4 answered, .* +passed *$/m);
    const { deployments, environment } = evidence();
    expect(environment).toBe("test");
    expect(deployments.chat).toMatchObject({
      applied: true,
      healthy: true,
      accelerators: ["cpu"],
      smoke: [{ instance: "chat-0", what: '"2 + 3 =", contains "five"', passed: true, got: "the answer is five" }, {}],
      performance: [{ instance: "chat-0", requests: 4, failures: 0, tokens: 16, passed: true }],
      failed: [],
    });
    const written = readFileSync(sandbox.path(".berth", "evidence", "test.json"), "utf8");
    expect([output, written].filter((text) => text.includes(key))).toEqual([]);
  });

  it("exits 3 for an answer that is another than expected, and says what it got", async () => {
    gates('smoke: { chat: [{ prompt: "2 + 3 =", expect: { contains: six } }] }');
    const { exitCode, output } = await sandbox.berth(["verify", "test"]);
    expect(output).toContain('chat: smoke: chat-0: "2 + 3 =", contains "six": got the answer is five');
    expect(exitCode).toBe(3);
    expect(evidence().deployments.code?.failed).toEqual([]);
  });

  it("says how long is missing when runners have not been running long enough; writes where it is told to", async () => {
    gates("soak: 24h");
    mkdirSync(sandbox.path("reports"));
    const { exitCode, output } = await sandbox.berth(["verify", "--only", "code", "--output", "reports/code.json"]);
    expect(output).toMatch(/^code: soak: running for .+ of 1440 min 0 s, 14\d\d min \d+ s are missing$/m);
    expect(exitCode).toBe(3);
    const written = parseEvidence(readFileSync(sandbox.path("reports", "code.json"), "utf8"), "code.json");
    expect(Object.keys(written.deployments)).toEqual(["code"]);
  });

  it("refuses gates for deployments that there are not", async () => {
    gates("smoke: { chart: [{ prompt: Hello }] }");
    const { exitCode, output } = await sandbox.berth(["verify"]);
    expect(output).toContain("they are for a deployment that the lock does not have\n  got: chart");
    expect(exitCode).toBe(1);
  });

  it("is not healthy when a runner was killed, and asks it nothing", async () => {
    gates('smoke: { "*": [{ prompt: Hello }] }');
    const [killed = 0] = sandbox.runners();
    process.kill(killed, "SIGKILL");
    await expect.poll(() => sandbox.runners().filter((pid) => pid !== killed), patience).toHaveLength(2);
    const { exitCode, output } = await sandbox.berth(["verify", "--json"]);
    const { deployments } = JSON.parse(output.slice(output.indexOf("{"), output.lastIndexOf("}") + 1)) as Evidence;
    const found = Object.entries(deployments).filter(([, { healthy }]) => !healthy);
    expect(found).toHaveLength(1);
    for (const [name, { failed, smoke }] of found) {
      expect(failed).toEqual([`not healthy: ${name}-0: its runner came back once since it was verified`]);
      expect(smoke).toEqual([]);
    }
    expect(exitCode).toBe(3);
  });

  it("does not take a bundle for applied that is locked and was not brought up", async () => {
    gates("soak: 0s");
    want("six");
    expect(await sandbox.berth(["lock"])).toMatchObject({ exitCode: 0 });
    const { exitCode, output } = await sandbox.berth(["verify", "--only", "chat"]);
    expect(output).toContain("chat: not applied: chat-0 has another argv than the lock asks for");
    expect(exitCode).toBe(3);
    want("six", "8s");
    const running = sandbox.up();
    await expect.poll(() => sandbox.stateLocks(), patience).toHaveLength(1);
    const meanwhile = await sandbox.berth(["verify", "--only", "chat"]);
    expect(meanwhile.output).toMatch(
      /^chat: not applied: an update runs now \(process \d+ of .*\): wait until it is done/m,
    );
    expect(meanwhile.exitCode).toBe(3);
    expect(await running).toMatchObject({ exitCode: 0 });
    const after = await sandbox.berth(["verify"]);
    expect(after.exitCode, after.output).toBe(0);
  });
});

const isLeftOut = (process.env.BERTH_TOOLCHAIN ?? "") === "" && process.env.BERTH_TEST_ALL !== "1";
const why = isLeftOut ? " (left out: BERTH_TOOLCHAIN names no folder with Pulumi's plugins)" : "";

describe.skipIf(isLeftOut)(`berth verify, of what a stack's own commands check${why}`, () => {
  let server: FileServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    sandbox.write(
      "stacks/environments.yaml",
      "schemaVersion: 1\norder: [test]\nenvironments: { test: { gates: { verify: true } } }\n",
    );
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  function want(text: string): void {
    const fields = ['verify: { smoke: "test -e well" }', `extraParameters: ["--text", ${text}]`];
    sandbox.writeStack(fakeStack(server, sandbox.portRange, { chat: { fields } }));
  }

  it("passes once they have passed for what runs, and not while they failed for it", async () => {
    sandbox.write("well", "");
    want("five");
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
    const first = await sandbox.berth(["verify"]);
    expect(first.output).toMatch(/^ chat .* 1 of 1 .* passed *$/m);
    expect(first.exitCode).toBe(0);

    rmSync(sandbox.path("well"));
    want("six");
    expect((await sandbox.up()).exitCode).not.toBe(0);
    const second = await sandbox.berth(["verify"]);
    expect(second.output).toMatch(/^ chat +\w+ +yes +yes .* 0 of 1 .* failed *$/m);
    expect(second.output).toContain("chat: verify: chat-0.verify.smoke has not passed for what runs");
    expect(second.exitCode).toBe(3);

    sandbox.write("well", "");
    expect(await sandbox.up()).toMatchObject({ exitCode: 0 });
    expect(await sandbox.berth(["verify"])).toMatchObject({ exitCode: 0 });
  });
});
