import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fakeStack, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { ProcessWatch } from "../support/process-watch.js";
import { Sandbox, type Outcome } from "../support/sandbox.js";

/** Put in by each of the three ways, and looked for everywhere. */
const canaries = {
  config: "canary-config-7c1f",
  environment: 'canary "environment" 93ab',
  file: "canary-file-51d0",
} as const;

/** Makes Pulumi know the flag. */
const withEventLog = { PULUMI_DEBUG_COMMANDS: "true" };

describe("a secret", () => {
  let server: FileServer;
  let sandbox: Sandbox;
  let watch: ProcessWatch;
  const outcomes: Outcome[] = [];
  const environment = { BERTH_SECRET_FROM_ENVIRONMENT: canaries.environment };

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    await sandbox.pulumi(["config", "set", "--secret", "berth:from-config", canaries.config, "--stack", "test"]);
    // What the test itself gives to `pulumi config set` does not count.
    watch = new ProcessWatch(Object.values(canaries));
    sandbox.makeFolder(".berth", "secrets");
    sandbox.write(join(".berth", "secrets", "from-file"), `${canaries.file}\n`);
  });
  afterAll(async () => {
    watch.stop();
    await sandbox.dispose();
    await server.close();
  });

  function want(model: "good" | "broken"): void {
    const fields = [
      "bindAddress: 0.0.0.0",
      "apiKey: { secret: from-config }",
      "secretEnv: { FAKE_SECRET: { secret: from-environment }, OTHER: { secret: from-file } }",
    ];
    sandbox.writeStack(fakeStack(server, sandbox.portRange, { chat: { model, fields } }));
  }

  /** Every file below a folder that others than its owner could read, or that tells what happened. */
  function files(folder: string): string[] {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  }

  it("reaches the runner by its environment: clients without the key are refused", async () => {
    want("good");
    outcomes.push(await sandbox.pulumi(["preview", "--diff", "--stack", "test"], environment));
    outcomes.push(await sandbox.up(["--event-log", sandbox.path("events.json")], { ...environment, ...withEventLog }));
    expect(outcomes.at(-1)?.exitCode, outcomes.at(-1)?.output).toBe(0);
    const url = `http://127.0.0.1:${sandbox.portRange[0]}/v1/completions`;
    expect((await fetch(url, { method: "POST", body: "{}" })).status).toBe(401);
    const headers = { authorization: `Bearer ${canaries.config}` };
    expect((await fetch(url, { method: "POST", body: "{}", headers })).status).toBe(200);
    const [runner] = sandbox.runners();
    expect(readFileSync(`/proc/${runner ?? 0}/environ`, "utf8")).toContain(canaries.file);
  });

  it("that changes alone is told of in a plan without its value, old or new", async () => {
    const changed = "canary-changed-88e2";
    const formats = ["text", "json", "html"];
    for (const format of formats)
      outcomes.push(
        await sandbox.berth(["plan", "test", "--format", format], { BERTH_SECRET_FROM_ENVIRONMENT: changed }),
      );
    for (const { exitCode, output } of outcomes.slice(-formats.length)) {
      expect(exitCode, output).toBe(2);
      expect(output).toContain("differs in what a preview does not show, such as a secret");
      expect(output).toContain("recreate");
      expect(output).not.toContain(changed);
    }
  });

  it("is found nowhere else: not in output, state, lock, logs, arguments, nor in a file that others can read", async () => {
    outcomes.push(await sandbox.berth(["status", "test"], environment));
    outcomes.push(await sandbox.berth(["logs", "chat", "--stack", "test"], environment));
    outcomes.push(await sandbox.pulumi(["refresh", "--yes", "--stack", "test", "--diff"], environment));
    want("broken");
    outcomes.push(await sandbox.up([], environment));
    expect(outcomes.at(-1)?.output).toContain("failed to load the model");
    outcomes.push(await sandbox.pulumi(["stack", "export", "--stack", "test"], environment));

    const told = outcomes.map(({ output }) => output).join("\n");
    expect([...watch.found]).toEqual([]);
    expect(watch.hasSeen(" --model "), "the runner").toBe(true);
    const events = readFileSync(sandbox.path("events.json"), "utf8").split("\n").filter(isBerths).join("\n");
    expect(events).toContain("resOutputsEvent");
    const lock = readFileSync(sandbox.path("stacks", "test.lock.yaml"), "utf8");
    const state = files(sandbox.path(".berth", "state"))
      .map((file) => readFileSync(file, "utf8"))
      .join("\n");
    const logs = files(sandbox.path(".berth", "logs"))
      .map((file) => readFileSync(file, "utf8"))
      .join("\n");
    for (const canary of Object.values(canaries)) {
      for (const form of [canary, JSON.stringify(canary).slice(1, -1), Buffer.from(canary).toString("base64")]) {
        for (const [where, text] of Object.entries({ told, events, lock, state, logs })) {
          expect(text.includes(form), `${form} in ${where}`).toBe(false);
        }
        for (const file of files(sandbox.dataDir)) {
          const isOpen = (statSync(file).mode & 0o077) !== 0 && !insideClosedFolder(file, sandbox.dataDir);
          if (isOpen) expect(readFileSync(file).includes(form), file).toBe(false);
        }
      }
    }
  });

  it("is missed with its name and the ways to give it", async () => {
    want("good");
    const { exitCode, output } = await sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain("secret from-environment: the stack names a secret that is found nowhere");
    expect(output).toContain("environment variable BERTH_SECRET_FROM_ENVIRONMENT");
  });
});

/** Pulumi's SDK tells each answer of its engine in a debug message, secrets too, whatever the provider (docs/operations.md). */
function isBerths(event: string): boolean {
  return !/^\{"sequence":\d+,"timestamp":\d+,"diagnosticEvent":\{"prefix":"debug: ","message":"RegisterResource RPC finished/.test(
    event,
  );
}

/** A folder that only its owner may enter keeps what is in it. */
function insideClosedFolder(file: string, root: string): boolean {
  for (let folder = join(file, ".."); folder.startsWith(root); folder = join(folder, "..")) {
    if ((statSync(folder).mode & 0o077) === 0) return true;
  }
  return false;
}
