import { existsSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fakeStack, serveModels } from "../../support/fake-stack.js";
import type { FileServer } from "../../support/file-server.js";
import { points, upAndKill } from "../../support/kill.js";
import { underLoad } from "../../support/load.js";
import { freePort, Sandbox } from "../../support/sandbox.js";

/** Every step; otherwise one of each operation. */
const runAll = process.env.BERTH_TEST_ALL === "1";
const deployments = {
  one: { fields: ['extraParameters: ["--text", "one"]'] },
  two: { fields: ['extraParameters: ["--text", "two"]'] },
};
type Deployment = keyof typeof deployments;

const begin = points("ModelGateway", "create", "local", [
  "prepare the gateway's files",
  "start the gateway",
  "tell the gateway which replicas come",
]);
const change = points("ModelRoutes", "update", "local", [
  "tell the gateway what it serves",
  "let requests to replicas that go end",
  "wait until it reaches all replicas",
]);
const chosen = <T>(all: readonly T[]): readonly T[] => (runAll ? all : all.slice(1, 2));

describe.runIf(runAll || existsSync("/usr/sbin/haproxy"))("the provider is killed", () => {
  let server: FileServer;
  let sandbox: Sandbox;
  let port: number;
  let metrics: number;

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    [port, metrics] = [await freePort(), await freePort()];
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  /** @param alias where the name `best` leads; without it there is no gateway */
  function want(alias?: Deployment): void {
    const listen = `listen: 127.0.0.1:${port}, metrics: 127.0.0.1:${metrics}`;
    const gateway = alias === undefined ? "" : `gateway: { hosts: [local], ${listen}, aliases: { best: ${alias} } }\n`;
    sandbox.writeStack(`${fakeStack(server, sandbox.portRange, deployments)}${gateway}`);
  }

  async function bringTo(alias?: Deployment): Promise<void> {
    want(alias);
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
  }

  async function complete(): Promise<string> {
    const body = JSON.stringify({ prompt: "x", model: "best" });
    const response = await fetch(`http://127.0.0.1:${port}/v1/completions`, { method: "POST", body });
    const text = await response.text();
    if (!response.ok) throw new Error(`HTTP ${response.status} ${text}`);
    return (JSON.parse(text) as { choices: [{ text: string }] }).choices[0].text;
  }

  it.each(chosen(begin))('while a gateway is made, at "$step": the next up makes it', async (point) => {
    await bringTo();
    expect(sandbox.gateways()).toEqual([]);
    want("one");
    await upAndKill(sandbox, point, "provider");
    await bringTo("one");
    expect(await complete()).toBe("one");
    const { output } = await sandbox.up(["--expect-no-changes"]);
    expect(output).toContain("unchanged");
  });

  it.each(chosen(change))('while a name leads elsewhere, at "$step": no request fails', async (point) => {
    await bringTo("one");
    const { failed, answers } = await underLoad(
      "",
      async () => {
        want("two");
        await upAndKill(sandbox, point, "provider");
        await bringTo("two");
      },
      complete,
    );
    expect(failed).toEqual([]);
    expect(answers).toEqual(["one", "two"]);
  });

  it("leaves nothing when it is destroyed", async () => {
    const { exitCode, output } = await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"]);
    expect(exitCode, output).toBe(0);
    expect(sandbox.gateways()).toEqual([]);
    expect(existsSync(sandbox.path("host", "gateways"))).toBe(false);
  });
});
