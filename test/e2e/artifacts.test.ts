import { appendFileSync, existsSync, readdirSync, readFileSync, symlinkSync, truncateSync, unlinkSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { fakeStack, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { Sandbox } from "../support/sandbox.js";

describe("an installed backend", () => {
  let server: FileServer;
  let sandbox: Sandbox;

  beforeEach(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    sandbox.writeStack(fakeStack(server, sandbox.portRange, { chat: {} }));
    await expectUp();
  });
  afterEach(async () => {
    await sandbox.dispose();
    await server.close();
  });

  async function expectUp(): Promise<void> {
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
    expect(sandbox.runners()).toHaveLength(1);
  }

  function environment(): string {
    const record = join(sandbox.dataDir, "backends", "fake_1", "installation.json");
    return (JSON.parse(readFileSync(record, "utf8")) as { environment: string }).environment;
  }

  it("serves on when the next launcher does not work, and until a better one has taken its place", async () => {
    const launcher = sandbox.path("backends", "fake", "launcher.py");
    const text = readFileSync(launcher, "utf8");
    const [runners, before] = [sandbox.runners(), environment()];
    sandbox.write("backends/fake/launcher.py", `raise SystemExit("a bug")\n${text}`);
    const { exitCode, output } = await sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain("the installed engine does not tell the version that is pinned");
    expect(sandbox.runners()).toEqual(runners);
    expect(environment()).toBe(before);
    expect(existsSync(before)).toBe(true);

    sandbox.write("backends/fake/launcher.py", `${text}\n# better\n`);
    await expectUp();
    expect(existsSync(before)).toBe(false);
    expect(readdirSync(join(sandbox.dataDir, "backends", "fake_1"))).toHaveLength(2);
  });

  it("is installed anew from wheels that are downloaded anew, when those in the cache are damaged", async () => {
    const wheels = join(sandbox.dataDir, "cache", "wheels");
    const [folder = ""] = readdirSync(wheels);
    const wheel = readdirSync(join(wheels, folder)).find((name) => name.startsWith("six-")) ?? "";
    truncateSync(join(wheels, folder, wheel), 1000);
    const [python = ""] = readdirSync(join(environment(), "lib"));
    appendFileSync(join(environment(), "lib", python, "site-packages", "six.py"), "\n# changed\n");
    await expectUp();
    expect(await sandbox.refreshDrift()).toBe("");
  });

  it("is drift when its Python is gone, and is installed anew", async () => {
    const link = join(environment(), "bin", "python");
    unlinkSync(link);
    symlinkSync("/no/such/python", link);
    expect(await sandbox.refreshDrift()).toMatch(/fake_1\] drift: its Python is gone/);
    await expectUp();
    expect(await sandbox.refreshDrift()).toBe("");
  });
});
