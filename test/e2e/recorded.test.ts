import { cpSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import {
  readRecorded,
  readRecordedPromotions,
  recordedBackends,
  recordedFolder,
  recordedPorts,
  recordedSecret,
  translate,
} from "../support/recorded.js";
import { Sandbox } from "../support/sandbox.js";

describe.each(readRecorded())("a state and a lock that version $version wrote", ({ version, stack, lock, state }) => {
  let server: FileServer;
  let sandbox: Sandbox;
  const own = (text: string) => translate(text, sandbox, true);

  beforeAll(async () => {
    server = await serveModels(recordedPorts.models);
    sandbox = await Sandbox.create();
    cpSync(join(recordedFolder(version), recordedBackends), sandbox.path("backends"), { recursive: true });
    await sandbox.pulumi(["config", "set", "--secret", "berth:key", recordedSecret, "--stack", "test"]);
    sandbox.writeStack(own(stack));
    sandbox.write("stacks/test.lock.yaml", own(lock));
    sandbox.write("state.json", own(state));
    const { exitCode, output } = await sandbox.pulumi(["stack", "import", "--file", "state.json", "--stack", "test"]);
    expect(exitCode, output).toBe(0);
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  it("are opened with no change of what is wanted: only what the host has lost is a difference", async () => {
    const unread = await sandbox.pulumi(["preview", "--refresh=false", "--expect-no-changes", "--stack", "test"]);
    expect(unread.exitCode, unread.output).toBe(0);
    const { exitCode, output } = await sandbox.pulumi(["preview", "--diff", "--stack", "test"]);
    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/^ +~ 7 to update$/m);
    expect(output).not.toMatch(/to (create|delete|replace)/);
  });

  it("lead to the same hosts again, with the lock untouched", async () => {
    const { exitCode, output } = await sandbox.up([], { BERTH_FROZEN: "1" });
    expect(exitCode, output).toBe(0);
    expect(output).not.toMatch(/\d (created|deleted|replaced)/);
    expect(sandbox.runners()).toHaveLength(2);
    expect(readFileSync(sandbox.path("stacks", "test.lock.yaml"), "utf8")).toBe(own(lock));
    const again = await sandbox.up(["--expect-no-changes"]);
    expect(again.exitCode, again.output).toBe(0);
  });
});

describe.each(readRecordedPromotions())("an environment that version $version promoted to", ({ files, state }) => {
  let server: FileServer;
  let sandbox: Sandbox;
  const own = (text: string) => translate(text, sandbox, true);
  const lock = () => readFileSync(sandbox.path("stacks", "test.lock.yaml"), "utf8");

  beforeAll(async () => {
    server = await serveModels(recordedPorts.models);
    sandbox = await Sandbox.create();
    await sandbox.pulumi(["config", "set", "--secret", "berth:key", recordedSecret, "--stack", "test"]);
    for (const [file, text] of Object.entries(files)) {
      sandbox.makeFolder(dirname(file));
      sandbox.write(file, own(text));
    }
    sandbox.write("state.json", own(state));
    const { exitCode, output } = await sandbox.pulumi(["stack", "import", "--file", "state.json", "--stack", "test"]);
    expect(exitCode, output).toBe(0);
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  it("has a lock that holds, and a state that is as it says", async () => {
    const check = await sandbox.berth(["lock", "--check", "test"]);
    expect([check.exitCode, check.output]).toEqual([0, expect.not.stringContaining("warning")]);
    const unread = await sandbox.pulumi(["preview", "--refresh=false", "--expect-no-changes", "--stack", "test"]);
    expect(unread.exitCode, unread.output).toBe(0);
  });

  it("has a history of two promotions, with their evidence", async () => {
    const { exitCode, output } = await sandbox.berth(["history", "test", "--json"]);
    expect(exitCode, output).toBe(0);
    const promotion = { kind: "promotion", from: "staging", tookEffect: true, evidence: { state: "kept" } };
    expect(JSON.parse(output)).toMatchObject([promotion, promotion]);
  });

  it("comes up on a host that has lost all of it, by the lock as it was", async () => {
    const { exitCode, output } = await sandbox.up([], { BERTH_FROZEN: "1" });
    expect(exitCode, output).toBe(0);
    expect(output).not.toMatch(/\d (created|deleted|replaced)/);
    const again = await sandbox.up(["--expect-no-changes"], { BERTH_FROZEN: "1" });
    expect(again.exitCode, again.output).toBe(0);
    expect(lock()).toBe(own(files["stacks/test.lock.yaml"] ?? ""));
  });

  it("can go back to its first release", async () => {
    const before = lock();
    const dry = await sandbox.berth(["rollback", "test", "--dry-run"]);
    expect([dry.exitCode, dry.output]).toEqual([0, expect.stringMatching(/chat .*fake 1/)]);
    expect(dry.output).not.toContain("warning");
    expect(lock()).toBe(before);
    const done = await sandbox.berth(["rollback", "test"]);
    expect(done.exitCode, done.output).toBe(0);
    const { exitCode, output } = await sandbox.up([], { BERTH_FROZEN: "1" });
    expect(exitCode, output).toBe(0);
    expect(sandbox.runners()).toHaveLength(2);
  });
});
