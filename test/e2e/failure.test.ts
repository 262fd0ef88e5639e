import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { fakeStack, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { freePort, Sandbox } from "../support/sandbox.js";

/** Otherwise those of each kind that differ most. */
const runAll = process.env.BERTH_TEST_ALL === "1";
const secret = "canary-5f1c8e";

describe("a failed create", () => {
  let server: FileServer;
  let sandbox: Sandbox;
  const cleanUps: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
    await sandbox.dispose();
    await server.close();
  });

  /** Nothing that looks finished is left, destroying works at once, and so does the next up with the cause mended. */
  async function expectCleanAndMendable(mend: () => Promise<void> | void): Promise<void> {
    expect(sandbox.runners()).toEqual([]);
    const startedFrom = (file: string) => /(exec\.json|\.conf)$/.test(file);
    for (const folder of ["instances", join("supervisor", "programs")]) {
      const path = join(sandbox.dataDir, folder);
      const files = existsSync(path) ? readdirSync(path, { recursive: true }).map(String) : [];
      expect(files.filter(startedFrom)).toEqual([]);
    }
    const destroyed = await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"]);
    expect(destroyed.exitCode, destroyed.output).toBe(0);
    expect(sandbox.hostFiles().filter((name) => name !== "cache")).toEqual([]);

    await mend();
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
    expect(sandbox.runners()).toHaveLength(1);
  }

  function want(fields: Parameters<typeof fakeStack>[2][string] = {}): void {
    sandbox.writeStack(fakeStack(server, sandbox.portRange, { chat: fields }));
  }

  it("for a model that cannot be loaded tells the last 50 lines of the runner, without secrets", async () => {
    want({ model: "broken", fields: ["secretEnv: { FAKE_SECRET: { secret: canary } }"] });
    await sandbox.pulumi(["config", "set", "--secret", "berth:canary", secret, "--stack", "test"]);
    const { exitCode, output } = await sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain("host local: chat-0: the runner ended before it was healthy");
    expect(output).toContain("fake: failed to load the model");
    expect(output).toContain("fake: tensor 79 is broken");
    expect(output).not.toContain("fake: tensor 20 is broken");
    expect(output).not.toContain(secret);
    const { output: state } = await sandbox.pulumi(["stack", "export", "--stack", "test"]);
    expect(state).not.toContain(secret);
    await expectCleanAndMendable(() => want());
  });

  it.runIf(runAll)("for a runner that never gets healthy tells the last thing seen", async () => {
    want({ model: "neverHealthy" });
    sandbox.writeStack(
      readFileSync(sandbox.path("stacks", "test.yaml"), "utf8").replace("healthyDeadline: 20s", "healthyDeadline: 3s"),
    );
    const { exitCode, output } = await sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain("the runner was not healthy within 3 s");
    expect(output).toContain('got: /health: HTTP 503 {"status": "fake"}');
    await expectCleanAndMendable(() => want());
  });

  it.runIf(runAll)("for a runner that lists its model and does not answer is a failure too", async () => {
    want({ model: "noAnswer" });
    sandbox.writeStack(
      readFileSync(sandbox.path("stacks", "test.yaml"), "utf8").replace("healthyDeadline: 20s", "healthyDeadline: 3s"),
    );
    const { exitCode, output } = await sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain('got: /v1/completions: HTTP 500 {"error": "out of order"}');
    await expectCleanAndMendable(() => want());
  });

  it("for a port that is taken names the port and starts nothing", async () => {
    const port = await freePort();
    const other = createServer().listen(port, "127.0.0.1");
    cleanUps.push(() => new Promise((resolve) => other.close(resolve)));
    want({ fields: [`port: ${port}`] });
    const { exitCode, output } = await sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain(`host local: chat-0: port ${port} is taken by another process`);
    await expectCleanAndMendable(() => new Promise((resolve) => other.close(() => resolve())));
  });

  it("for a wrong sha256 tells both and puts nothing in place", async () => {
    want();
    const text = readFileSync(sandbox.path("stacks", "test.yaml"), "utf8");
    sandbox.writeStack(text.replace(/sha256: [0-9a-f]{64}/, `sha256: ${"f".repeat(64)}`));
    const { exitCode, output } = await sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toMatch(/got: sha256 [0-9a-f]{64}\n\s+expected: sha256 f{64}/);
    expect(existsSync(join(sandbox.dataDir, "models"))).toBe(false);
    await expectCleanAndMendable(() => sandbox.writeStack(text));
  });

  it.runIf(runAll)("for a package that is not the pinned one installs nothing", async () => {
    want();
    const requirements = sandbox.path("backends", "fake", "requirements.txt");
    const text = readFileSync(requirements, "utf8");
    sandbox.write("backends/fake/requirements.txt", text.replace(/sha256:[0-9a-f]{8}/, "sha256:00000000"));
    const { exitCode, output } = await sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain("a package is not the one that is pinned");
    expect(output).toMatch(/Expected sha256 00000000[0-9a-f]{56}\s+.*Got +[0-9a-f]{64}/s);
    expect(existsSync(join(sandbox.dataDir, "bin"))).toBe(false);
    await expectCleanAndMendable(() => sandbox.write("backends/fake/requirements.txt", text));
  });

  it("for a package index that cannot be reached says so", async () => {
    want();
    const text = readFileSync(sandbox.path("stacks", "test.yaml"), "utf8");
    sandbox.writeStack(`${text}mirrors: { pip: "http://127.0.0.1:${await freePort()}/simple" }\n`);
    const { exitCode, output } = await sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain("the Python package index did not answer or does not have the package for this host");
    expect(output).toContain("mirrors: { pip: https://... }");
    await expectCleanAndMendable(() => sandbox.writeStack(text));
  });

  describe.each([
    { what: "an environment", sizeMb: 12, fields: {} },
    { what: "a model", sizeMb: 120, fields: { model: "huge" as const } },
  ])("for a disk that is full of $what", ({ sizeMb, fields }) => {
    // Only root can make a small disk.
    it.runIf(runAll)("says so and leaves no part of it", async () => {
      mkdirSync(sandbox.dataDir, { recursive: true });
      await execa("mount", ["-t", "tmpfs", "-o", `size=${sizeMb}m`, "tmpfs", sandbox.dataDir]);
      cleanUps.push(() => execa("umount", ["--lazy", sandbox.dataDir]));
      want(fields);
      const { exitCode, output } = await sandbox.up();
      expect(exitCode).not.toBe(0);
      expect(output).toContain("no space is left on the host's disk");
      await expectCleanAndMendable(async () => {
        await execa("mount", ["-o", "remount,size=1g", sandbox.dataDir]);
        want();
      });
    });
  });
});

describe("a stack file that is wrong", () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await Sandbox.create();
  });
  afterAll(() => sandbox.dispose());

  const good = `schemaVersion: 1\nhosts:\n  local: { connection: local, dataDir: host }\n`;
  const deployment = `deployments:\n  chat:\n    backend: fake\n    model: { source: url, url: "http://127.0.0.1:1/x", sha256: ${"f".repeat(64)} }\n`;

  it.each([
    {
      what: "an unknown key",
      text: `${good}${deployment}    modle: x\n`,
      tells: 'stacks/test.yaml:8:5: unknown key "modle" in "deployments.chat"',
    },
    {
      what: "a wrong type",
      text: `${good}${deployment}    port: high\n`,
      tells: 'stacks/test.yaml:8:11: "deployments.chat.port": expected a number; got "high"',
    },
    {
      what: "a key given twice",
      text: `${good}${deployment}    backend: fake\n`,
      tells: 'stacks/test.yaml:8:5: "backend" was given on line 6 already',
    },
    {
      what: "a tab",
      text: "schemaVersion: 1\nhosts:\n\tlocal: { connection: local }\n",
      tells: "stacks/test.yaml:3:1: tabs are not allowed as indentation",
    },
    { what: "nothing in it", text: "", tells: "stacks/test.yaml:1:1: the file is empty" },
    {
      what: "10 MB",
      text: `${good}# ${"x".repeat(10_000_000)}\n`,
      tells: "stacks/test.yaml:1:1: the file is too large",
    },
    {
      what: "an alias bomb",
      text: `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`,
      tells: "stacks/test.yaml:2:8: the file's aliases grow too large",
    },
    {
      what: "a name with a slash",
      text: `${good}deployments:\n  a/b: {}\n`,
      tells: 'stacks/test.yaml:5:3: key "a/b" in "deployments": expected 1 to 63 characters of a-z, 0-9 and -',
    },
    {
      what: "a name with ..",
      text: `${good}deployments:\n  "..": {}\n`,
      tells: 'stacks/test.yaml:5:3: key ".." in "deployments": expected 1 to 63 characters of a-z, 0-9 and -',
    },
  ])("with $what is told with file, line and column, and nothing is touched", async ({ text, tells }) => {
    sandbox.writeStack(text);
    for (const { exitCode, output } of [await sandbox.up(), await sandbox.berth(["lock", "test"])]) {
      expect(output).toContain(tells);
      expect(output).not.toContain("    at ");
      expect(exitCode).not.toBe(0);
    }
    expect(existsSync(sandbox.path("stacks", "test.lock.yaml"))).toBe(false);
    expect(existsSync(join(sandbox.dataDir, "berth.json"))).toBe(false);
  });
});
