import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { Sandbox } from "../support/sandbox.js";
import { SshAccount, whyNoAccount } from "../support/ssh-account.js";
import { whyNoSshd } from "../support/ssh-server.js";
import { TcpProxy } from "../support/tcp-proxy.js";
import { repository } from "../support/toolchain.js";

const missing = whyNoSshd ?? whyNoAccount;
const isLeftOut = missing !== undefined && process.env.BERTH_TEST_ALL !== "1";
const local = "local: { connection: local, dataDir: .berth/host }";

/** The quickstart's own stack file on another user's account, with a real engine and a real model. */
describe.skipIf(isLeftOut)(`the quickstart's deployment over ssh${isLeftOut ? ` (left out: ${missing})` : ""}`, () => {
  let account: SshAccount;
  let sandbox: Sandbox;

  beforeAll(async () => {
    account = await SshAccount.create();
    sandbox = await Sandbox.create();
    sandbox.write("ssh-config", account.configuration());
    const ports = `runtime: supervisord, portRange: [${sandbox.portRange.join(", ")}]`;
    const remote = `local: { connection: ssh, ssh: { address: box, configFile: ssh-config }, ${ports} }`;
    const quickstart = readFileSync(join(repository, "stacks", "local.yaml"), "utf8");
    expect(quickstart).toContain(local);
    const index = process.env.PIP_INDEX_URL;
    const mirrors = index === undefined ? "" : `mirrors: { pip: "${index}" }\n`;
    sandbox.writeStack(quickstart.replace(local, remote) + mirrors);
  });
  afterAll(async () => {
    await sandbox.dispose();
    await account.dispose();
  });

  const environment = () => ({ XDG_RUNTIME_DIR: account.folder });
  const pulumi = (args: string[]) => sandbox.pulumi([...args, "--stack", "test"], environment());
  const up = () => pulumi(["up", "--yes", "--skip-preview"]);

  /** Kinds of the resources whose operation the host's journal has as begun. */
  function openOperations(): string[] {
    const folder = join(account.home, ".local", "share", "berth", "journal");
    const entries = readdirSync(folder).map((file) => readJournal(join(folder, file)));
    return entries.flatMap(({ kind, open }) => (kind === undefined || open === undefined ? [] : [kind]));
  }

  async function answer(): Promise<string> {
    const stack = sandbox.resources().find(({ type }) => type === "pulumi:pulumi:Stack");
    const { chat = "" } = stack?.outputs.endpoints as Record<string, string>;
    const body = JSON.stringify({ model: "chat", prompt: "The capital of France is", max_tokens: 8, temperature: 0 });
    const response = await fetch(`${chat}/completions`, { method: "POST", body });
    return ((await response.json()) as { choices: { text: string }[] }).choices[0]?.text ?? "";
  }

  it("serves the model as that user, with nothing outside of its data directory", async () => {
    const { exitCode, output } = await up();
    expect(exitCode, output).toBe(0);
    expect(await answer()).toMatch(/city|country|capital|Paris/);
    expect(account.processes().join("\n")).toContain("--alias chat");
    const dataDir = join(account.home, ".local", "share", "berth");
    expect(account.files().filter((file) => !file.startsWith(`${dataDir}/`))).toEqual([]);
  });

  it("changes nothing when nothing was changed", async () => {
    const { exitCode, output } = await pulumi(["up", "--yes", "--skip-preview", "--expect-no-changes"]);
    expect(exitCode, output).toBe(0);
  });

  it("tells what drifted and mends it", async () => {
    // All that runs there, connections too: as after a reboot.
    execFileSync("pkill", ["-KILL", "-u", account.name]);
    const { output: found } = await pulumi(["refresh", "--yes", "--skip-preview"]);
    expect(found).toContain("drift:");
    const { exitCode, output } = await up();
    expect(exitCode, output).toBe(0);
    expect(await answer()).toMatch(/city|country|capital|Paris/);
  });

  it("goes on with the next up when the connection was lost in the middle of a change", async () => {
    const proxy = await TcpProxy.start(account.port);
    onTestFinished(() => proxy.close());
    sandbox.write("ssh-config", account.configuration(proxy.port));
    await account.endConnections();
    const stack = readFileSync(sandbox.path("stacks", "test.yaml"), "utf8");
    sandbox.writeStack(stack.replace(/^( +)backend: .*$/m, '$&\n$1extraParameters: ["--threads", "1"]'));
    const running = up();
    await expect.poll(() => openOperations(), { timeout: 60_000, interval: 20 }).toContain("Instance");
    proxy.stayDown(true);
    proxy.cut();
    const { exitCode: failed, output: told } = await running;
    expect(failed, told).not.toBe(0);
    expect(told).toContain("host local");

    proxy.stayDown(false);
    const { exitCode, output } = await up();
    expect(exitCode, output).toBe(0);
    expect(openOperations()).toEqual([]);
    expect(await answer()).toMatch(/city|country|capital|Paris/);
    const runners = account.processes().filter((line) => line.includes("--alias chat"));
    expect(runners.map((line) => line.includes("--threads 1"))).toEqual([true]);
    sandbox.write("ssh-config", account.configuration());
    await account.endConnections();
  });

  it("keeps what was known last when the host does not answer", async () => {
    sandbox.write("ssh-config", await account.deadConfiguration());
    await account.endConnections();
    const { exitCode, output } = await pulumi(["up", "--yes", "--skip-preview", "--expect-no-changes"]);
    expect(output).toContain("host local does not answer");
    expect(exitCode, output).toBe(0);
    const { output: status } = await sandbox.berth(["status", "test"], environment());
    expect(status).toContain("host local does not answer");
    expect(sandbox.resources("Instance")[0]?.outputs).toMatchObject({ reachable: false, drift: [] });
    sandbox.write("ssh-config", account.configuration());
  });

  it("leaves the download cache and nothing else when it is destroyed", async () => {
    const { exitCode, output } = await pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(exitCode, output).toBe(0);
    expect(account.processes()).toEqual([]);
    const cache = join(account.home, ".local", "share", "berth", "cache");
    expect(account.files().filter((file) => !file.startsWith(`${cache}/`))).toEqual([]);
  });
});

/** Nothing for a file that is being replaced. */
function readJournal(file: string): { kind?: string; open?: unknown } {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as { kind: string; open?: unknown };
  } catch {
    return {};
  }
}
