import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { sha256 } from "../../src/lib/canonical.js";
import { recreateContainer } from "../support/docker-api.js";
import { BoxedSetting, whyNoBoxes } from "../support/container-stack.js";
import { fakeStack, models, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { Sandbox } from "../support/sandbox.js";
import { supervisorctl } from "../support/supervisorctl.js";

const canary = "canary-proof-77a0";

interface Row {
  what: string;
  found: string;
  verdict: string;
}

/** What `berth status --proof` says of the rows that are not proven, and its exit code. */
async function proof(sandbox: Sandbox): Promise<{ exitCode: number; rows: Row[]; failed: string[] }> {
  const { exitCode, output } = await sandbox.berth(["status", "test", "--proof", "--json"]);
  expect(output).not.toContain(canary);
  const { instances } = JSON.parse(output.slice(output.indexOf("{"))) as { instances: { rows: Row[] }[] };
  const rows = instances.flatMap((instance) => instance.rows);
  const failed = rows.filter(({ verdict }) => verdict !== "proven");
  return { exitCode, rows, failed: failed.map(({ what, found, verdict }) => `${what} ${verdict}: ${found}`) };
}

/** Puts other bytes of the same number in place, and takes them away after the test. */
function changeInPlace(file: string, from: string, to: string): void {
  const before = readFileSync(file, "utf8");
  writeFileSync(file, before.replace(from, to));
  onTestFinished(() => {
    writeFileSync(file, before);
  });
}

describe("the proof of a running process", () => {
  let server: FileServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    await sandbox.pulumi(["config", "set", "--secret", "berth:canary", canary, "--stack", "test"]);
    const fields = ["secretEnv: { FAKE_SECRET: { secret: canary } }"];
    sandbox.writeStack(fakeStack(server, sandbox.portRange, { chat: { fields } }));
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  it("is whole after an up", async () => {
    const { exitCode, rows, failed } = await proof(sandbox);
    expect(failed).toEqual([]);
    expect(exitCode).toBe(0);
    const whats = ["process", "running interpreter", "arguments", "model path", "environment"];
    expect(rows.map(({ what }) => what)).toEqual([
      ...whats,
      ...["installation", "installed files", "executable", "model model.txt"],
    ]);
  });

  it("tells people so in a table", async () => {
    const { output } = await sandbox.berth(["status", "test", "--proof"]);
    expect(output).toMatch(/chat-0 +local +arguments +9 words +the same words +ok/);
    expect(output).toContain("all that runs is as the lock says");
  });

  it("names a model file whose bytes were changed in place", async () => {
    changeInPlace(join(sandbox.dataDir, "models", sha256(models.good), "model.txt"), "good", "bad!");
    const { exitCode, failed } = await proof(sandbox);
    const found = sha256(models.good.replace("good", "bad!")).slice(0, 12);
    expect(failed).toEqual([`model model.txt differs: sha256 ${found}`]);
    expect(exitCode).toBe(1);
  });

  it("names an executable that was swapped", async () => {
    const { executable } = JSON.parse(
      readFileSync(join(sandbox.dataDir, "backends", "fake_1", "installation.json"), "utf8"),
    ) as { executable: string };
    changeInPlace(executable, "import", "import ");
    const { exitCode, failed } = await proof(sandbox);
    expect(failed).toEqual([
      expect.stringMatching(/^installed files differs: .* has \d+ bytes, expected \d+$/),
      expect.stringMatching(/^executable differs: sha256 [0-9a-f]{12}$/),
    ]);
    expect(exitCode).toBe(1);
  });

  it("names an environment that was given to the process by hand, without its values", async () => {
    const [pid = 0] = sandbox.runners();
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").replace(/\0$/, "").split("\0");
    await supervisorctl(sandbox, "stop", "all");
    const started = startByHand(words, { FAKE_SECRET: "another", EXTRA: "1" });
    onTestFinished(async () => {
      started.kill("SIGKILL");
      await started;
    });
    const { exitCode, failed } = await proof(sandbox);
    expect(failed).toEqual([
      expect.stringMatching(/^process differs: stopped: /),
      `other process differs: process ${started.pid ?? 0}, which no supervisor keeps; it is the one that is compared`,
      expect.stringMatching(
        /^environment differs: FAKE_SECRET has another value, HOME is missing, .*EXTRA is too many$/,
      ),
    ]);
    expect(failed.join()).not.toContain("another=");
    expect(exitCode).toBe(1);
  });

  it("names a process that was started by hand with another argument", async () => {
    const { exitCode: upped } = await sandbox.up();
    expect(upped).toBe(0);
    const [pid = 0] = sandbox.runners();
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").replace(/\0$/, "").split("\0");
    await supervisorctl(sandbox, "stop", "all");
    const started = startByHand([...words, "--text", "six"], {});
    onTestFinished(async () => {
      started.kill("SIGKILL");
      await started;
    });
    const { exitCode, failed } = await proof(sandbox);
    expect(failed).toContain("arguments differs: word 10 is too many: --text");
    expect(failed.join("\n")).toMatch(/other process differs: process \d+, which no supervisor keeps/);
    expect(exitCode).toBe(1);
  });
});

function startByHand([command = "", ...args]: readonly string[], env: Record<string, string>) {
  return execa(command, args, { env, extendEnv: false, stdio: "ignore", reject: false });
}

const reason = await whyNoBoxes();
const title = `the proof of a running container${reason === undefined ? "" : ` (${reason})`}`;

describe.skipIf(reason !== undefined)(title, () => {
  let setting: BoxedSetting;

  beforeAll(async () => {
    setting = await BoxedSetting.create();
    // The engine has the image of the second version by that.
    setting.want({ chat: {}, other: { version: "2" } });
    await setting.up();
  });
  afterAll(() => setting.dispose());

  it("is whole after an up, and names what somebody made another of", async () => {
    const { sandbox, versions } = setting;
    const whole = await proof(sandbox);
    expect(whole.failed).toEqual([]);
    expect(whole.exitCode).toBe(0);
    const containerRows = ["container", "image", "arguments", "container settings", "environment", "model model.txt"];
    expect(whole.rows.map(({ what }) => what)).toEqual([...containerRows, ...containerRows]);

    const containers = await setting.containers();
    const chat = containers.find(({ Labels }) => Labels["berth.deployment"] === "chat");
    await recreateContainer(chat?.Id ?? "", (body) => {
      body.Image = versions["2"].pinned;
      body.Cmd = [...body.Cmd, "--text", "six"];
      body.Env = [...body.Env, "EXTRA=1"];
    });
    const { exitCode, failed } = await proof(sandbox);
    expect(failed.join("\n")).toMatch(/^image differs: id sha256 [0-9a-f]{12}$/m);
    expect(failed.join("\n")).toMatch(/^arguments differs: word \d+ is too many: --text$/m);
    expect(failed.join("\n")).toMatch(/^environment differs: .*EXTRA is too many$/m);
    expect(exitCode).toBe(1);
  });
});
