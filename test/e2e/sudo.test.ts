import { spawn, type ChildProcess } from "node:child_process";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { sudoersLine } from "../../src/host/ssh-failure.js";
import { supervisordPaths } from "../../src/runtime/supervisord-configuration.js";
import { fakeStack, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { Sandbox } from "../support/sandbox.js";
import { SshAccount, whyNoSudo } from "../support/ssh-account.js";
import { whyNoSshd } from "../support/ssh-server.js";

const missing = whyNoSshd ?? whyNoSudo;
const isLeftOut = missing !== undefined && process.env.BERTH_TEST_ALL !== "1";
const local = "local: { connection: local, dataDir: host";

describe.skipIf(isLeftOut)(`a deployment by ssh and sudo${isLeftOut ? ` (left out: ${missing})` : ""}`, () => {
  let account: SshAccount;
  let server: FileServer;
  let sandbox: Sandbox;
  const strangers: ChildProcess[] = [];

  beforeAll(async () => {
    account = await SshAccount.create();
    // The runner's Python is on the PATH of the tests.
    account.writeSudoers(sudoersLine("{{user}}"), `Defaults:{{user}} secure_path="${process.env.PATH ?? ""}"`);
    server = await serveModels();
    sandbox = await Sandbox.create();
    sandbox.write("ssh-config", account.configuration());
    const ssh = "ssh: { address: box, configFile: ssh-config, sudo: nonInteractive }";
    const stack = fakeStack(server, sandbox.portRange, { chat: {} });
    expect(stack).toContain(local);
    sandbox.writeStack(stack.replace(local, `box: { connection: ssh, ${ssh}, dataDir: "${sandbox.dataDir}"`));
  });
  afterAll(async () => {
    for (const stranger of strangers) stranger.kill("SIGKILL");
    rmSync(supervisordPaths(sandbox.dataDir).socketFolder, { recursive: true, force: true });
    await sandbox.dispose();
    await server.close();
    await account.dispose();
  });

  const environment = () => ({ XDG_RUNTIME_DIR: account.folder });
  const up = (...args: string[]) => sandbox.up(args, environment());

  it("runs as root, and nothing of it is the login's", async () => {
    const { exitCode, output } = await up();
    expect(exitCode, output).toBe(0);
    const [runner = 0, ...others] = sandbox.runners();
    expect(others).toEqual([]);
    expect(statSync(`/proc/${runner}`).uid).toBe(0);
    expect(account.processes()).toEqual([]);
    expect(account.files()).toEqual([]);
  });

  it("is restored by the next up after a reboot that left its files and used its process ids again", async () => {
    await rebootMachine();
    const { exitCode, output } = await up();
    expect(exitCode, output).toBe(0);
    expect(output).toContain("chat-0] drift: its supervisor does not run");
    expect(sandbox.runners()).toHaveLength(1);
    expect(strangers.map(({ exitCode: ended, signalCode }) => [ended, signalCode])).toEqual([
      [null, null],
      [null, null],
    ]);
  });

  it("keeps all in the state when its host is dead and taken out of the stack, until the host is forgotten", async () => {
    const before = sandbox.resources().filter(({ type }) => type.includes("/berth:"));
    const runners = sandbox.runners();
    sandbox.write("ssh-config", await account.deadConfiguration());
    await account.endConnections();
    const portRange = sandbox.portRange.join(", ");
    const others = `hosts:\n  ${local}, runtime: supervisord, portRange: [${portRange}] }\n`;
    sandbox.writeStack(`schemaVersion: 1\n${others.replace("dataDir: host", "dataDir: other")}`);
    const { exitCode, output } = await up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain("host box (box): the host could not be reached");
    // The other host was made all the same, and nothing is told of as gone.
    expect(sandbox.resources().filter(({ type }) => type.includes("/berth:"))).toHaveLength(before.length + 1);

    expect(await sandbox.berth(["host", "forget", "box", "test"], environment())).toMatchObject({ exitCode: 0 });
    expect(sandbox.resources("Instance")).toEqual([]);
    expect(await up("--expect-no-changes")).toMatchObject({ exitCode: 0 });
    expect(sandbox.runners()).toEqual(runners);
  });

  /** What a reboot does to a host without an init system that Berth uses, at its worst. */
  async function rebootMachine(): Promise<void> {
    const { folder, socketFolder } = supervisordPaths(sandbox.dataDir);
    const pid = join(folder, "supervisord.pid");
    const kill = (file: string) => process.kill(Number(readFileSync(file, "utf8")), "SIGKILL");
    kill(pid);
    for (const runner of sandbox.runners()) process.kill(runner, "SIGKILL");
    await account.endConnections();
    // /tmp begins empty; other processes have the numbers that files tell of.
    if (!socketFolder.startsWith(sandbox.dataDir)) rmSync(socketFolder, { recursive: true });
    writeFileSync(pid, `${strangerPid()}\n`);
    const instance = join(sandbox.dataDir, "instances", "sandbox+test+chat-0");
    const [generation = ""] = readdirSync(instance).filter((name) => /^[0-9a-f]{12}/.test(name));
    writeFileSync(join(instance, generation, "pid"), String(strangerPid()));
    // A run that the power failure ended held the host's lock.
    const heartbeatAt = new Date(Date.now() - 60_000).toISOString();
    const holder = { id: "x", owner: "sandbox/test", machine: "box:an-earlier-boot", process: "1:1", heartbeatAt };
    writeFileSync(join(sandbox.dataDir, "lock.json"), JSON.stringify(holder));
  }

  function strangerPid(): number {
    const stranger = spawn("sleep", ["1000"]);
    strangers.push(stranger);
    return stranger.pid ?? 0;
  }
});
