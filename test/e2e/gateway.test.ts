import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fakeStack, serveModels, type FakeDeployment } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { complete, underLoad } from "../support/load.js";
import { Sandbox } from "../support/sandbox.js";
import { sendSignal } from "../support/signals.js";

const runAll = process.env.BERTH_TEST_ALL === "1";
const update = "strategy: blueGreen, drainTimeout: 60s";
const six = ['extraParameters: ["--text", "six"]'];

describe.runIf(runAll || existsSync("/usr/sbin/haproxy"))("a deployment behind a gateway", () => {
  let server: FileServer;
  let sandbox: Sandbox;
  let endpoint: string;

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    want({ update });
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  function want(chat: FakeDeployment): void {
    sandbox.writeStack(fakeStack(server, sandbox.portRange, { chat }));
  }

  /** The outputs of the instance, as the state has them. */
  function outputs(): Record<string, unknown> {
    return sandbox.resources("Instance")[0]?.outputs ?? {};
  }

  it("is created on its stable port, with a gateway before it, and then nothing changes", async () => {
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
    expect(output).toContain("7 created");
    endpoint = String(outputs().endpoint);
    expect(endpoint).toBe(`http://127.0.0.1:${sandbox.portRange[0]}/v1`);
    expect(await complete(endpoint)).toBe("five");
    expect(sandbox.runners()).toHaveLength(1);
    const again = await sandbox.up(["--expect-no-changes"]);
    expect(again.exitCode, again.output).toBe(0);
  });

  it("shows before an update that nothing will be without a runner", async () => {
    want({ update, fields: six });
    const { output } = await sandbox.pulumi(["preview", "--stack", "test", "--diff"]);
    expect(output).toMatch(/~ kind +: "create" => "blueGreen"/);
    expect(output).toContain("none: the old runner serves until the new one is verified");
  });

  it("is updated under load without a failed request, and a stream of 30 s that began before ends normally", async () => {
    const stream = await fetch(`${endpoint}/completions`, { method: "POST", body: '{"stream": 30}' });
    const { result, failed, answers } = await underLoad(endpoint, () => sandbox.up());
    expect(result.exitCode, result.output).toBe(0);
    expect(failed).toEqual([]);
    expect(answers).toEqual(["five", "six"]);
    expect(await stream.text()).toMatch(/data: 29\n\ndata: \[DONE\]\n\n$/);
    expect(outputs().endpoint).toBe(endpoint);
    expect(sandbox.runners()).toHaveLength(1);
    const again = await sandbox.up(["--expect-no-changes"]);
    expect(again.exitCode, again.output).toBe(0);
  });

  it.each([
    ["reloaded", "SIGUSR2"],
    ["killed and started again from its file", "SIGKILL"],
  ] as const)("goes on with the new runner when its gateway is %s", async (_, signal) => {
    const before = sandbox.gateways();
    const [master = 0] = before;
    for (const pid of signal === "SIGKILL" ? before : [master]) sendSignal(pid, signal);
    await expect.poll(() => sandbox.gateways(), { timeout: 20_000 }).not.toEqual(before);
    await expect.poll(() => complete(endpoint).catch(String), { timeout: 20_000 }).toBe("six");
    await delay(500);
    expect(await complete(endpoint)).toBe("six");
  });

  it.each([
    [
      "never gets healthy",
      { model: "neverHealthy" },
      "the runner was not healthy within 20 s; the runner before it goes on serving",
    ],
    [
      "crashes before minHealthyTime is over",
      { model: "crashing" },
      "the runner ended before it was healthy; the runner before it goes on serving",
    ],
  ] as const)("keeps the old runner, without a failed request, when the new one %s", async (_, changed, tells) => {
    const { generation } = outputs();
    const runners = sandbox.runners();
    sandbox.writeStack(
      fakeStack(server, sandbox.portRange, { chat: { ...changed, update } }).replace(
        "minHealthyTime: 0s",
        "minHealthyTime: 6s",
      ),
    );
    const { result, failed, answers } = await underLoad(endpoint, () => sandbox.up());
    expect(result.exitCode).not.toBe(0);
    expect(result.output).toContain(tells);
    expect(result.output).toContain("fake: loading");
    expect(failed).toEqual([]);
    expect(answers).toEqual(["six"]);
    expect(outputs()).toMatchObject({ generation, health: "answered", drift: [] });
    expect(sandbox.runners()).toEqual(runners);
    const programs = readdirSync(join(sandbox.dataDir, "supervisor", "programs"));
    expect(programs.filter((file) => file.startsWith("chat-0."))).toHaveLength(1);
  });

  it("moves to another port, and then serves by itself and behind the gateway again", async () => {
    const [, last] = sandbox.portRange;
    want({ update, fields: [...six, `port: ${last}`] });
    for (const fields of [[...six, `port: ${last}`], six]) {
      for (const strategy of [update, "strategy: recreate", update]) {
        want({ update: strategy, fields });
        const { exitCode, output } = await sandbox.up();
        expect(exitCode, output).toBe(0);
        endpoint = String(outputs().endpoint);
        expect(await complete(endpoint)).toBe("six");
        expect(sandbox.runners()).toHaveLength(1);
        const gateways = sandbox.resources("Gateway");
        expect(gateways).toHaveLength(strategy === update ? 1 : 0);
        if (gateways.length === 0) expect(sandbox.gateways()).toEqual([]);
      }
      if (!runAll) break;
    }
  });

  it("leaves nothing when it is destroyed", async () => {
    for (const file of ["haproxy.cfg", "exec.json"])
      expect(existsSync(join(sandbox.dataDir, "gateways", "sandbox+test", file))).toBe(true);
    const { exitCode } = await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"]);
    expect(exitCode).toBe(0);
    expect(sandbox.hostFiles()).toEqual(["cache"]);
    expect(sandbox.gateways()).toEqual([]);
    expect(sandbox.runners()).toEqual([]);
  });
});
