import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fakeStack, serveModels, type FakeDeployment } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { Sandbox } from "../support/sandbox.js";

describe("a deployment's life", () => {
  let server: FileServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    want({ chat: {} });
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  function want(deployments: Record<string, FakeDeployment>): void {
    sandbox.writeStack(fakeStack(server, sandbox.portRange, deployments));
  }

  async function endpoint(deployment = "chat"): Promise<string> {
    const { output } = await sandbox.pulumi(["stack", "output", "--json", "--stack", "test"]);
    return (JSON.parse(output) as { endpoints: Record<string, string> }).endpoints[deployment] ?? "";
  }

  async function answer(deployment = "chat"): Promise<unknown> {
    const response = await fetch(`${await endpoint(deployment)}/completions`, { method: "POST", body: "{}" });
    return response.json();
  }

  it("is shown before it is made: a preview of a new stack writes no lock and touches no host", async () => {
    const { exitCode, output } = await sandbox.pulumi(["preview", "--stack", "test", "--diff"]);
    expect(output).toContain('kind    : "create"');
    expect(output).toContain("stacks/test.lock.yaml would be solved anew: there was none");
    expect(exitCode).toBe(0);
    const { output: found } = await sandbox.berth(["status", "--json", "test"]);
    expect(JSON.parse(found)).toMatchObject({ rows: [], stale: "there is no lock" });
    expect(server.requests).toEqual([]);
  });

  it("is created when it has answered", async () => {
    const { exitCode, output } = await sandbox.up();
    expect(output).toContain("6 created");
    expect(exitCode).toBe(0);
    expect(sandbox.runners()).toHaveLength(1);
    expect(await answer()).toEqual({ choices: [{ text: "five" }] });
  });

  it.each([
    ["up", ["up", "--skip-preview", "--yes"]],
    ["preview", ["preview"]],
    ["refresh", ["refresh", "--yes", "--skip-preview"]],
    ["preview after refresh", ["preview"]],
  ])("changes nothing when nothing was changed: %s", async (_title, command) => {
    const { exitCode, output } = await sandbox.pulumi([...command, "--stack", "test", "--expect-no-changes"]);
    expect(output).toContain("6 unchanged");
    expect(exitCode).toBe(0);
  });

  it("shows the strategy and the downtime of a change before it is made", async () => {
    want({ chat: { fields: ['extraParameters: ["--text", "six"]'] } });
    const { output } = await sandbox.pulumi(["preview", "--stack", "test", "--diff"]);
    expect(output).toMatch(/~ kind +: "create" => "recreate"/);
    expect(output).toContain("from the old runner's stop until the new one answers, at most 20 s");
    expect(await answer()).toEqual({ choices: [{ text: "five" }] });
  });

  it("is updated in place: the new runner answers on the same endpoint and the old one is gone", async () => {
    const before = await endpoint();
    const { exitCode } = await sandbox.up();
    expect(exitCode).toBe(0);
    expect(await endpoint()).toBe(before);
    expect(await answer()).toEqual({ choices: [{ text: "six" }] });
    expect(sandbox.runners()).toHaveLength(1);
    expect((await sandbox.up(["--expect-no-changes"])).exitCode).toBe(0);
  });

  it("does not touch the runner when only health settings change", async () => {
    const [before] = sandbox.runners();
    sandbox.writeStack(
      fakeStack(server, sandbox.portRange, { chat: { fields: ['extraParameters: ["--text", "six"]'] } }).replace(
        "healthyDeadline: 20s",
        "healthyDeadline: 25s",
      ),
    );
    const { exitCode } = await sandbox.up();
    expect(exitCode).toBe(0);
    expect(sandbox.runners()).toEqual([before]);
    expect((await sandbox.up(["--expect-no-changes"])).exitCode).toBe(0);
  });

  it("brings the old runner back when the new one does not answer, and says what truly runs", async () => {
    want({ chat: { model: "neverHealthy", fields: ["update: { healthyDeadline: 3s }"] } });
    sandbox.writeStack(
      fakeStack(server, sandbox.portRange, { chat: { model: "neverHealthy" } }).replace(
        "healthyDeadline: 20s",
        "healthyDeadline: 3s",
      ),
    );
    const { exitCode, output } = await sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain("the runner was not healthy within 3 s; the runner before it serves again");
    expect(output).toContain("/health: HTTP 503");
    expect(await answer()).toEqual({ choices: [{ text: "six" }] });
    expect(sandbox.runners()).toHaveLength(1);
    const [instance] = sandbox.resources("Instance");
    expect(instance?.outputs).toMatchObject({
      argv: expect.arrayContaining(["six"]) as unknown,
      health: "answered",
      drift: [],
    });
  });

  it("goes back to the old inputs without a change of what runs", async () => {
    const before = sandbox.runners();
    want({ chat: { fields: ['extraParameters: ["--text", "six"]'] } });
    expect((await sandbox.up()).exitCode).toBe(0);
    expect(sandbox.runners()).toEqual(before);
    expect((await sandbox.up(["--expect-no-changes"])).exitCode).toBe(0);
  });

  it("serves two versions of a backend side by side", async () => {
    want({ chat: { fields: ['extraParameters: ["--text", "six"]'] }, next: { version: "2", model: "other" } });
    expect((await sandbox.up()).exitCode).toBe(0);
    expect(sandbox.runners()).toHaveLength(2);
    expect(await answer("next")).toEqual({ choices: [{ text: "five" }] });
    expect(await answer("chat")).toEqual({ choices: [{ text: "six" }] });
  });

  it("goes on when its host is forgotten, and is taken over as it is when the host is wanted again", async () => {
    const runners = sandbox.runners();
    const { exitCode, output } = await sandbox.berth(["host", "forget", "local", "test"]);
    expect(output).toContain("stack test: the state has forgotten host local, nothing on it was touched");
    expect(exitCode).toBe(0);
    expect(sandbox.resources().filter(({ type }) => type.startsWith("pulumi-nodejs:dynamic/berth:"))).toEqual([]);
    expect(sandbox.runners()).toEqual(runners);
    expect((await sandbox.up()).exitCode).toBe(0);
    expect(sandbox.runners()).toEqual(runners);
    const again = await sandbox.berth(["host", "forget", "nowhere", "test"]);
    expect(again.output).toContain("the state has no such host\n  got: nowhere\n  expected: local");
  });

  it("leaves nothing on the host but the download cache when it is destroyed, twice", async () => {
    for (let time = 0; time < 2; time += 1) {
      const { exitCode } = await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"]);
      expect(exitCode).toBe(0);
    }
    expect(sandbox.runners()).toEqual([]);
    expect(sandbox.hostFiles()).toEqual(["cache"]);
  });
});
