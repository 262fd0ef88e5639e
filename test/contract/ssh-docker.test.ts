import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { sudoersLine } from "../../src/host/ssh-failure.js";
import { SshHost } from "../../src/host/ssh.js";
import { createContainerEngine } from "../../src/runtime/docker-engine.js";
import { SshAccount, whyNoAccount, whyNoSudo } from "../support/ssh-account.js";
import { SshServer, whyNoSshd } from "../support/ssh-server.js";
import { whyNoDocker } from "../support/shell-image.js";
import { TcpProxy } from "../support/tcp-proxy.js";
import { describeEngine } from "./container-engine.js";
import { dockerSetting, quickDockerPace } from "./docker-setting.js";

const reason = whyNoSshd ?? (await whyNoDocker());
const all = process.env.BERTH_TEST_ALL === "1";
const isLeftOut = reason !== undefined && !all;

describe.skipIf(isLeftOut)(`a Docker Engine over ssh${isLeftOut ? ` (left out: ${reason})` : ""}`, () => {
  describeEngine("of another machine", async () => {
    const server = await SshServer.start();
    const host = new SshHost(server.target(), server.settings());
    const setting = await dockerSetting(host);
    return {
      ...setting,
      async dispose() {
        await setting.dispose();
        await host.close();
        await server.dispose();
      },
    };
  });

  it("that the host's sshd does not lead to is told with the setting that forbids it", async () => {
    const server = await SshServer.start(["AllowStreamLocalForwarding no"]);
    const host = new SshHost(server.target(), server.settings());
    const error: unknown = await createContainerEngine(host, quickDockerPace)
      .version()
      .catch((caught: unknown) => caught);
    await host.close();
    await server.dispose();
    expect(error).toMatchObject({ code: "docker-unreachable" });
    expect(String(error)).toContain("AllowStreamLocalForwarding");
  });

  it("is reached again, in the midst of its work, when the connection was lost", async () => {
    const server = await SshServer.start();
    const proxy = await TcpProxy.start(server.port);
    const host = new SshHost(server.target(proxy.port), server.settings());
    const engine = createContainerEngine(host, quickDockerPace);
    const before = await engine.version();
    proxy.cut();
    expect(await engine.version()).toEqual(before);
    proxy.hang();
    expect(await engine.version()).toEqual(before);
    await host.close();
    proxy.close();
    await server.dispose();
  });
});

const isHostLeftOut = whyNoSshd !== undefined && !all;

describe.skipIf(isHostLeftOut)(`sockets over ssh${isHostLeftOut ? ` (left out: ${whyNoSshd})` : ""}`, () => {
  let folder: string;
  let path: string;
  let server: SshServer;
  let proxy: TcpProxy;
  let host: SshHost;
  let echo: Server;

  beforeAll(async () => {
    folder = mkdtempSync("/tmp/bd-");
    path = join(folder, "it's 100%n: \\of [sockets].sock");
    server = await SshServer.start();
    proxy = await TcpProxy.start(server.port);
    host = new SshHost(server.target(proxy.port), server.settings());
    echo = createServer((socket) => socket.pipe(socket));
    echo.listen(path);
    await once(echo, "listening");
  });
  afterAll(async () => {
    await host.close();
    echo.close();
    proxy.close();
    await server.dispose();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(() => host.close());

  async function say(word: string, over: SshHost = host): Promise<string> {
    const socket: Socket = await over.openSocket(path);
    socket.end(word);
    return text(socket);
  }

  it("carry what is sent, each on its own", async () => {
    const words = Array.from({ length: 20 }, (_, index) => `word ${index}`);
    expect(await Promise.all(words.map((word) => say(word)))).toEqual(words);
  });

  it("are private on this machine, and gone when the host is closed", async () => {
    await say("word");
    const { folder: sockets } = server.settings();
    expect(statSync(sockets).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(sockets)) expect(statSync(join(sockets, name)).mode & 0o077).toBe(0);
    expect(readdirSync(sockets)).toHaveLength(2);
    await host.close();
    expect(readdirSync(sockets)).toEqual([]);
  });

  it("are made anew when the connection was lost, or their file was deleted", async () => {
    await say("before");
    proxy.cut();
    expect(await say("after")).toBe("after");
    const { folder: sockets } = server.settings();
    for (const name of readdirSync(sockets)) if (name.includes(".")) rmSync(join(sockets, name));
    expect(await say("again")).toBe("again");
  });

  it("are shared by processes, and stay when another process closes its own", async () => {
    const other = new SshHost(server.target(proxy.port), server.settings());
    const before = proxy.connections;
    await say("one");
    expect(await say("two", other)).toBe("two");
    expect(proxy.connections).toBe(before + 1);
    await other.close();
    expect(await say("three")).toBe("three");
  });

  it("say so when there is none", async () => {
    await expect(host.openSocket(join(folder, "none"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});

const whyNoLogin = whyNoSshd ?? whyNoAccount ?? whyNoSudo ?? (await whyNoDocker());
const isLoginLeftOut = whyNoLogin !== undefined && !all;

describe.skipIf(isLoginLeftOut)(`a login over ssh${isLoginLeftOut ? ` (left out: ${whyNoLogin})` : ""}`, () => {
  let account: SshAccount;
  beforeAll(async () => {
    account = await SshAccount.create();
    account.writeSudoers(sudoersLine("{{user}}"));
  });
  afterAll(() => account.dispose());

  it.each(["none", "nonInteractive"] as const)(
    "that is not in the group docker is told so, and can use Docker when it is (sudo: %s)",
    async (sudo) => {
      const host = new SshHost({ ...account.target(), sudo }, account.settings());
      const engine = createContainerEngine(host, quickDockerPace);
      const error: unknown = await engine.version().catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: "docker-unreachable" });
      expect(String(error)).toContain("group docker");
      expect(String(error)).toContain("by sudo");
      await host.close();
      await execa("usermod", ["--append", "--groups", "docker", account.name]);
      expect((await engine.version()).apiVersion).toMatch(/^1\./);
      await execa("gpasswd", ["--delete", account.name, "docker"]);
      await host.close();
    },
  );
});
