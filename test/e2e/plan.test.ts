import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { sha256 } from "../../src/lib/canonical.js";
import { planReport, type PlanReport } from "../../src/schema/plan.js";
import { fakeStack, serveModels, type FakeDeployment } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { Sandbox } from "../support/sandbox.js";

/** What a plan may not touch: the host, the stack's files, and Pulumi's state of it. By path, what each file holds. */
function everything(sandbox: Sandbox): Record<string, string> {
  const folders = [
    sandbox.dataDir,
    sandbox.path("stacks"),
    sandbox.path("backends"),
    sandbox.path(".berth", "state", ".pulumi", "stacks"),
  ];
  const files = folders.filter((folder) => existsSync(folder)).flatMap((folder) => walk(folder));
  return Object.fromEntries([...files, ...readdirSync(sandbox.root).map((name) => [name, "there"] as const)]);
}

/** Logs grow while runners are asked; each look at the host's processes is in none of them. */
function walk(folder: string): (readonly [string, string])[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return walk(path);
    if (entry.isSymbolicLink()) return [[path, readlinkSync(path)] as const];
    if (!entry.isFile() || path.endsWith(".log")) return [];
    return [[path, `${lstatSync(path).mtimeMs} ${sha256(readFileSync(path))}`] as const];
  });
}

describe("berth plan", () => {
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

  function want(deployments: Record<string, FakeDeployment>): void {
    sandbox.writeStack(fakeStack(server, sandbox.portRange, deployments));
  }

  /** Runs a plan that must leave everything as it is. */
  async function plan(...args: string[]): Promise<{ exitCode: number; output: string }> {
    const before = everything(sandbox);
    const outcome = await sandbox.berth(["plan", "test", ...args]);
    expect(everything(sandbox)).toEqual(before);
    return outcome;
  }

  async function report(): Promise<PlanReport> {
    return planReport.parse(JSON.parse((await plan("--format", "json")).output));
  }

  it("of a stack that Pulumi does not know yet shows that all is new", async () => {
    sandbox.write(join("stacks", "other.yaml"), fakeStack(server, sandbox.portRange, { chat: {} }));
    const { exitCode, output } = await sandbox.berth(["plan", "other"]);
    expect(output).toMatch(/^ \+ +chat +fake 1 +0 -> 1 +create +- *$/m);
    expect(output).toContain("Pulumi has no such stack yet");
    expect(exitCode).toBe(2);
    expect(existsSync(sandbox.path("stacks", "other.lock.yaml"))).toBe(false);
  });

  it("before the first up shows what is made and what is fetched, and writes nothing", async () => {
    want({ chat: {} });
    const { exitCode, output } = await plan();
    expect(output).toMatch(/^ \+ +chat +fake 1 +0 -> 1 +create +- *$/m);
    expect(output).toMatch(/^ \+ +Host +local *$/m);
    expect(output).toMatch(/^ model\.txt \(sha256 \w{12}\): size unknown, for local$/m);
    expect(output).toMatch(/^ local: size unknown, time unknown \(.+ unknown\); .+ free in .+\/host$/m);
    expect(output).toContain("how long chat takes to load on local: no such start was measured there yet");
    expect(output).toContain("the preview and the lock place every replica alike");
    expect(output).toContain("Exit code 2: changes are pending.");
    expect(exitCode).toBe(2);
    expect(existsSync(sandbox.path("stacks", "test.lock.yaml"))).toBe(false);
    expect(sandbox.hostFiles()).not.toContain("berth.json");
  });

  it("of a stack that cannot be read ends with exit code 1, and so does a wrong argument", async () => {
    sandbox.writeStack("schemaVersion: 1\nhosts: { local: { connection: telnet } }\n");
    expect(await sandbox.berth(["plan", "test"])).toMatchObject({ exitCode: 1 });
    expect(await sandbox.berth(["plan", "--format", "pdf"])).toMatchObject({ exitCode: 1 });
    expect(await sandbox.berth(["plan"])).toMatchObject({ exitCode: 1 });
  });

  it("that Pulumi cannot make ends with exit code 1 and the reason, and writes nothing", async () => {
    want({ chat: { fields: ["secretEnv: { TOKEN: { secret: nowhere } }"] } });
    const { exitCode, output } = await plan();
    expect(output).toContain("error: the preview failed");
    expect(output).toContain("nowhere");
    expect(output).toContain("(pulumi-failed)");
    expect(exitCode).toBe(1);
  });

  it("after the up shows no changes", async () => {
    want({ chat: {} });
    const { exitCode: made, output: said } = await sandbox.up();
    expect(made, said).toBe(0);
    const { exitCode, output } = await plan();
    expect(output).toMatch(/^ = +chat +fake 1, unchanged +1 +- +- *$/m);
    expect(output).toContain("no changes: everything is as the stack wants it\nExit code 0: nothing is pending.");
    expect(exitCode).toBe(0);
  });

  it("of a stack that was changed shows the update, how it goes and why", async () => {
    want({ chat: { fields: ['extraParameters: ["--text", "six"]'] }, more: {} });
    const { exitCode, output } = await plan();
    expect(output).toMatch(/^ ~ +chat +the runner is started again: argv +1 +recreate +about \d+ s, at most 20 s *$/m);
    expect(output).toMatch(/^ chat: about [\d.]+ s on local, as at the one start that was measured$/m);
    expect(output).toMatch(/^ \+ +more +fake 1 +0 -> 1 +create +- *$/m);
    expect(output).toContain("ARGUMENTS\n chat-0\n   + --text six\n");
    expect(output).toMatch(
      /^stack test {3}stacks\/test\.lock\.yaml \w{7} \(was \w{7}: the stack file was changed\) {3}hosts: 1 of 1 answer$/m,
    );
    expect(output).toContain("recreate: the old runner is started again");
    expect(exitCode).toBe(2);
  });

  it("tells programs the same as people", async () => {
    const { isPending, counts, deployments, places, lock } = await report();
    expect({ isPending, counts }).toEqual({
      isPending: true,
      counts: { create: 1, update: 2, replace: 0, delete: 0, same: 2 },
    });
    expect(deployments.map(({ name, change }) => [name, change])).toEqual([
      ["chat", "update"],
      ["more", "create"],
    ]);
    expect(deployments[0]?.instances[0]?.strategy).toMatchObject({ kind: "recreate", downtimeSeconds: 20 });
    const { load, strategy } = deployments[0]?.instances[0] ?? {};
    expect(load?.starts).toBe(1);
    expect(strategy?.expectedSeconds).toBe(load?.seconds);
    expect(deployments[1]?.instances[0]?.load).toEqual(load);
    expect(places.flatMap(({ after }) => after.map(({ instance }) => instance))).toContain("more-0");
    expect(lock.reason).toBe("the stack file was changed");
  });

  it("of a deployment that is taken out shows that it is deleted", async () => {
    want({});
    const { deployments } = await report();
    expect(deployments).toMatchObject([{ name: "chat", change: "delete", replicas: { before: 1, after: 0 } }]);
  });

  it("after somebody has changed the host shows the drift", async () => {
    want({ chat: {} });
    const [killed = 0] = sandbox.runners();
    process.kill(killed, "SIGKILL");
    const patience = { timeout: 30_000, interval: 200 };
    await expect.poll(() => sandbox.runners().filter((pid) => pid !== killed), patience).toHaveLength(1);
    const { exitCode, output } = await sandbox.berth(["plan", "test"]);
    expect(output).toMatch(/^ ! +chat +drift is mended +1 +repair +about \d+ s, at most 20 s *$/m);
    expect(output).toContain("drift: chat-0 its runner came back once since it was verified");
    expect(exitCode).toBe(2);
  });
});
