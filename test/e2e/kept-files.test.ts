import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { sha256 } from "../../src/lib/canonical.js";
import { fakeStack, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { Sandbox, seedCache } from "../support/sandbox.js";

const minutes = 60_000;

/** Both releases are of one backend version: only the launcher beside its backend file differs. */
describe("a release with an older launcher", () => {
  let server: FileServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    sandbox.write(join("stacks", "environments.yaml"), "schemaVersion: 1\norder: [test, prod]\n");
    const [first, last] = sandbox.portRange;
    sandbox.writeStack(fakeStack(server, [first, first + 9], { chat: {} }));
    placeProd("host-prod", [first + 10, last]);
    const { exitCode, output } = await sandbox.pulumi(["stack", "init", "prod"]);
    expect(exitCode, output).toBe(0);
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  function placeProd(folder: string, [first, last]: readonly [number, number]): void {
    seedCache(sandbox.path(folder));
    const host = `{ connection: local, dataDir: ${folder}, portRange: [${first}, ${last}], runtime: supervisord }`;
    sandbox.write(
      join("stacks", "prod.yaml"),
      `schemaVersion: 1\nextends: test.yaml\nhosts: { local: ${host} }\ndeployments: { chat: {} }\n`,
    );
  }

  const launcher = () => readFileSync(sandbox.path("backends", "fake", "launcher.py"), "utf8");

  async function expectDone(running: Promise<{ exitCode: number; output: string }>): Promise<string> {
    const { exitCode, output } = await running;
    expect(exitCode, output).toBe(0);
    return output;
  }

  const up = (stack: string) => sandbox.pulumi(["up", "--yes", "--skip-preview", "--stack", stack]);

  async function release(): Promise<void> {
    await expectDone(up("test"));
    await expectDone(sandbox.berth(["promote", "test", "prod"]));
    await expectDone(up("prod"));
  }

  it(
    "comes back on a host that never had it, when the working tree has the later one alone",
    async () => {
      const old = launcher();
      await release();
      sandbox.write(join("backends", "fake", "launcher.py"), `${old}# later\n`);
      await release();
      const kept = readdirSync(sandbox.path("stacks", "files"));
      expect(kept).toEqual(expect.arrayContaining([old, `${old}# later\n`].map((text) => `sha256-${sha256(text)}`)));

      const [first, last] = sandbox.portRange;
      placeProd("host-new", [first + 15, last]);
      await expectDone(sandbox.berth(["rollback", "prod"]));
      await expectDone(up("prod"));
      expect(launcher()).toBe(`${old}# later\n`);
      const endpoints = sandbox.resources(undefined, "prod").find(({ type }) => type === "pulumi:pulumi:Stack");
      const { chat = "" } = endpoints?.outputs.endpoints as Record<string, string>;
      const answer = await fetch(`${chat}/completions`, { method: "POST", body: "{}" });
      expect(await answer.json()).toEqual({ choices: [{ text: "five" }] });
    },
    6 * minutes,
  );

  it("is told of, before it is missed, when neither the tree nor what is kept has its launcher", async () => {
    rmSync(sandbox.path("stacks", "files"), { recursive: true });
    const { exitCode, output } = await sandbox.berth(["lock", "--check", "prod"]);
    expect([exitCode, output]).toEqual([
      0,
      expect.stringMatching(/warning: fake 1: its fake\/launcher\.py .* is nowhere/),
    ]);
  });
});
