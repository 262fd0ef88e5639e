import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fakeStack, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { Sandbox } from "../support/sandbox.js";
import { repository } from "../support/toolchain.js";

const patience = { timeout: 30_000, interval: 200 };

describe("the berth command", () => {
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

  function want(...fields: string[]): void {
    sandbox.writeStack(fakeStack(server, sandbox.portRange, { chat: { fields } }));
  }

  const lockFile = () => sandbox.path("stacks", "test.lock.yaml");

  describe("lock", () => {
    it("--check misses a lock, and writes none", async () => {
      want();
      const { exitCode, output } = await sandbox.berth(["lock", "--check"]);
      expect(output).toContain("stacks/test.lock.yaml: the lock is missing");
      expect(exitCode).toBe(2);
      expect(existsSync(lockFile())).toBe(false);
    });

    it("--check ends with 2 for a lock alone: a stack that is not named is an error like others", async () => {
      sandbox.write(join("stacks", "other.yaml"), "schemaVersion: 1\n");
      const { exitCode, output } = await sandbox.berth(["lock", "--check"]);
      rmSync(sandbox.path("stacks", "other.yaml"));
      expect(output).toContain("the stack is not named");
      expect(exitCode).toBe(1);
    });

    it("solves; the same again gives the same bytes, and --check agrees", async () => {
      expect(await sandbox.berth(["lock"])).toMatchObject({ exitCode: 0 });
      const first = readFileSync(lockFile(), "utf8");
      expect((await sandbox.berth(["lock", "test"])).output).toMatch(
        /^stacks\/test\.lock\.yaml \w{7} \(unchanged\)(\n {3}[\w-]+: fake \d: as locked before; pipx for \w+\/\w+ and cpu)+$/,
      );
      expect(readFileSync(lockFile(), "utf8")).toBe(first);
      expect(await sandbox.berth(["lock", "--check"])).toMatchObject({ exitCode: 0 });
    });

    it("that is stale is told by --check, and refused by a frozen up, which touches nothing", async () => {
      const before = readFileSync(lockFile(), "utf8");
      want('extraParameters: ["--text", "six"]');
      const checked = await sandbox.berth(["lock", "--check"]);
      expect(checked.output).toContain("stacks/test.lock.yaml: the lock is stale: the stack file was changed");
      expect(checked.exitCode).toBe(2);
      // The stack's own configuration does not thaw it.
      expect(await sandbox.pulumi(["config", "set", "berth:frozen", "false", "--stack", "test"])).toMatchObject({
        exitCode: 0,
      });
      const { exitCode, output } = await sandbox.up([], { BERTH_FROZEN: "1" });
      expect((await sandbox.berth(["lock"], { BERTH_FROZEN: "1" })).output).toContain("the lock is stale");
      expect(output).toContain("the lock is stale: the stack file was changed");
      expect(exitCode).not.toBe(0);
      expect(readFileSync(lockFile(), "utf8")).toBe(before);
      expect(existsSync(sandbox.dataDir) && sandbox.hostFiles().includes("berth.json")).toBe(false);
    });
  });

  describe("once something runs", () => {
    beforeAll(async () => {
      want();
      const { exitCode, output } = await sandbox.up();
      expect(exitCode, output).toBe(0);
    });

    it("status shows what is wanted beside what is there", async () => {
      const { exitCode, output } = await sandbox.berth(["status"]);
      expect(exitCode).toBe(0);
      const endpoint = `http://127.0.0.1:${sandbox.portRange[0]}/v1`;
      expect(output).toMatch(new RegExp(`^ chat-0 +local +fake 1 +fake 1 +answered +${endpoint} +none *$`, "m"));
      const told = JSON.parse((await sandbox.berth(["status", "--json"])).output) as { rows: unknown[] };
      expect(told.rows).toMatchObject([{ instance: "chat-0", health: "answered", endpoint, drift: [] }]);
    });

    it("status names drift and a stale lock", async () => {
      const [killed = 0] = sandbox.runners();
      process.kill(killed, "SIGKILL");
      await expect.poll(() => sandbox.runners().filter((pid) => pid !== killed), patience).toHaveLength(1);
      want("port: 15000");
      const { output } = await sandbox.berth(["status"]);
      expect(output).toContain("its runner came back once since it was verified");
      expect(output).toContain("lock: stale, the stack file was changed");
      want();
      expect(await sandbox.up()).toMatchObject({ exitCode: 0 });
    });

    it("logs prints the last lines, and with -f goes on until it is interrupted", async () => {
      const { exitCode, output } = await sandbox.berth(["logs", "chat", "-n", "1"]);
      expect(exitCode).toBe(0);
      expect(output).toMatch(/^fake: loading .* as chat$/);

      const berth = join(repository, "dist", "cli", "main.js");
      const following = execa(process.execPath, [berth, "logs", "chat", "-f", "-n", "1"], {
        cwd: sandbox.root,
        all: true,
        reject: false,
      });
      let seen = "";
      following.all.on("data", (chunk: Buffer) => (seen += chunk.toString()));
      await expect.poll(() => seen, patience).not.toBe("");
      const instances = sandbox.path("host", "instances");
      const log = readdirSync(instances, { recursive: true })
        .map(String)
        .find((name) => name.endsWith("output.log"));
      appendFileSync(join(instances, log ?? ""), "one more line\n");
      await expect.poll(() => seen, patience).toContain("one more line");
      following.kill("SIGINT");
      expect((await following).all).not.toContain("error");
    });

    it("logs names the deployments there are", async () => {
      const { exitCode, output } = await sandbox.berth(["logs", "chart"]);
      expect(output).toMatch(/the lock has no such deployment\n {2}got: chart\n {2}expected: chat \(usage\)/);
      expect(exitCode).toBe(2);
    });
  });

  describe("doctor", () => {
    it("tells what there is for the stack, each in a line", async () => {
      const { exitCode, output } = await sandbox.berth(["doctor"]);
      expect(exitCode, output).toBe(0);
      expect(output).toMatch(/^ok {4}stack file +stacks\/test\.yaml$/m);
      expect(output).toMatch(new RegExp(`^note {2}data directory +${sandbox.dataDir}$`, "m"));
      expect(output).toMatch(/^ok {4}Node +\d+\.\d+\.\d+$/m);
      expect(output).toMatch(/^ok {4}Python +3\.\d+/m);
      expect(output).toMatch(/^ok {4}host lock +free$/m);
    });

    it("fails when something has to be mended, and tells the rest all the same", async () => {
      const { exitCode, output } = await sandbox.berth(["doctor", "nosuch", "--json"]);
      expect(exitCode).toBe(1);
      const findings = JSON.parse(output.slice(0, output.lastIndexOf("]") + 1)) as { state: string; subject: string }[];
      expect(findings).toContainEqual(expect.objectContaining({ state: "bad", subject: "stack file" }));
      expect(findings.map(({ subject }) => subject)).toContain("Python");
      expect(output).toContain("have to be mended");
    });
  });

  describe("recover", () => {
    const locks = () => sandbox.path(".berth", "state", ".pulumi", "locks", "organization", "sandbox", "test");
    const writeLock = (holder: object) => {
      mkdirSync(locks(), { recursive: true });
      const lock = { pid: process.pid, username: "test", hostname: hostname(), timestamp: new Date().toISOString() };
      writeFileSync(join(locks(), "0.json"), JSON.stringify({ ...lock, ...holder }));
    };

    it("leaves the state locked while its holder is alive", async () => {
      writeLock({});
      const { exitCode, output } = await sandbox.berth(["recover"]);
      expect(output).toContain("the state is locked by a process that is alive");
      expect(output).toContain(`process ${process.pid} of test on ${hostname()}`);
      expect(exitCode).toBe(1);
      expect(sandbox.stateLocks()).toHaveLength(1);
    });

    it("leaves the state locked when its holder is on another machine", async () => {
      writeLock({ hostname: "elsewhere" });
      const { exitCode, output } = await sandbox.berth(["recover"]);
      expect(output).toContain("the state is locked by a process of another machine");
      expect(exitCode).toBe(1);
      expect(sandbox.stateLocks()).toHaveLength(1);
    });

    it("takes the lock of a dead process away, also when another process has its number now", async () => {
      writeLock({ timestamp: "2020-01-01T00:00:00Z" });
      const { exitCode, output } = await sandbox.berth(["recover"]);
      expect(exitCode, output).toBe(0);
      expect(output).toContain("stack test: the lock of a dead process was taken off the state");
      expect(sandbox.stateLocks()).toEqual([]);
      const next = await sandbox.up(["--expect-no-changes"]);
      expect(next.exitCode, next.output).toBe(0);
    });
  });

  it("tells its version, and refuses a number of lines that is none", async () => {
    const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as { version: string };
    expect(await sandbox.berth(["--version"])).toEqual({ exitCode: 0, output: version });
    const { exitCode, output } = await sandbox.berth(["logs", "chat", "-n", "x"]);
    expect(output).toContain("expected a whole number");
    expect(exitCode).not.toBe(0);
  });

  it("schema prints what the reference has", async () => {
    const { output } = await sandbox.berth(["schema"]);
    expect(JSON.parse(output)).toEqual(
      JSON.parse(readFileSync(join(repository, "docs", "reference", "stack.schema.json"), "utf8")),
    );
    expect(await sandbox.berth(["schema", "nosuch"])).toMatchObject({ exitCode: 2 });
  });

  it("backend and import work on the project's files, and show has a --version of its own", async () => {
    const fixture = (...path: string[]) => join(repository, "test", "fixtures", ...path);
    const imported = await sandbox.berth(["backend", "import", fixture("reference-format", "sglang-custom.yaml")]);
    expect(imported).toEqual({
      exitCode: 0,
      output: "backends/sglang-custom.yaml: sglang-custom, version 0.5.10",
    });
    const shownBackend = await sandbox.berth(["backend", "show", "sglang-custom", "--version", "v0.5.10", "--json"]);
    expect(JSON.parse(shownBackend.output)).toMatchObject({ source: "project", versions: [{ version: "0.5.10" }] });
    const models = fixture("reference-export", "synthetic-v2-models.json");
    const exported = await sandbox.berth(["import", "gpustack", models, "--out", "stacks/from-gpustack.yaml"]);
    expect(exported).toMatchObject({ exitCode: 0 });
    expect(exported.output).toContain("stacks/from-gpustack.yaml: 5 deployments");
    sandbox.write("backends/bad.yaml", "name: bad\n");
    const { exitCode, output } = await sandbox.berth(["backend", "lint"]);
    expect(output).toContain("backends/bad.yaml:1:1: ");
    expect(exitCode).toBe(1);
    for (const file of ["backends/bad.yaml", "backends/sglang-custom.yaml", "stacks/from-gpustack.yaml"]) {
      rmSync(sandbox.path(...file.split("/")));
    }
  });

  it("asks for the stack when there are several", async () => {
    sandbox.write("stacks/other.yaml", "");
    const { exitCode, output } = await sandbox.berth(["lock"]);
    expect(output).toContain("the stack is not named");
    expect(output).toContain("expected: other or test");
    expect(exitCode).toBe(1);
  });
});
