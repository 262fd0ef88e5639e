import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { afterEach, describe, expect, it, onTestFinished } from "vitest";

import { SshHost } from "../../src/host/ssh.js";
import { HostileServer, stall } from "../support/hostile-server.js";
import { quickPace, SshServer, whyNoSshd } from "../support/ssh-server.js";
import { TcpProxy } from "../support/tcp-proxy.js";

const isLeftOut = whyNoSshd !== undefined && process.env.BERTH_TEST_ALL !== "1";

describe.skipIf(isLeftOut)(`connections over ssh${isLeftOut ? ` (left out: ${whyNoSshd})` : ""}`, () => {
  const hosts: SshHost[] = [];
  afterEach(async () => {
    for (const host of hosts.splice(0)) await host.close();
  });

  async function serve(more: readonly string[] = []): Promise<{ server: SshServer; proxy: TcpProxy }> {
    const server = await SshServer.start(more);
    const proxy = await TcpProxy.start(server.port);
    onTestFinished(async () => {
      for (const host of hosts.splice(0)) await host.close();
      proxy.close();
      await server.dispose();
    });
    return { server, proxy };
  }

  function reach(server: SshServer, proxy: TcpProxy, pace = quickPace): SshHost {
    const host = new SshHost(server.target(proxy.port), server.settings(pace));
    hosts.push(host);
    return host;
  }

  it("makes one connection for many operations at once, and processes share it", async () => {
    const { server, proxy } = await serve();
    const first = reach(server, proxy);
    await Promise.all(Array.from({ length: 8 }, () => first.status("/")));
    expect(proxy.connections).toBe(1);
    await reach(server, proxy).status("/");
    expect(proxy.connections).toBe(1);
  });

  it("does not mind others who connect at the same moment", async () => {
    const { server, proxy } = await serve();
    const others = Array.from({ length: 3 }, () => reach(server, proxy));
    const outputs = await Promise.all(others.map((host) => host.run(["echo", "here"])));
    expect(outputs.map(({ stdout }) => stdout)).toEqual(["here", "here", "here"]);
    const made = proxy.connections;
    await Promise.all(others.map((host) => host.status("/")));
    expect(proxy.connections).toBe(made);
  });

  it("leaves no connection and no file behind when it is closed", async () => {
    const { server, proxy } = await serve();
    const host = reach(server, proxy);
    await host.status("/");
    await host.request({ address: "127.0.0.1", port: 1, method: "GET", path: "/", timeoutSeconds: 5 });
    const { folder } = server.settings();
    expect(connectionsBelow(folder)).toBe(1);
    await host.close();
    await expect.poll(() => connectionsBelow(folder)).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
    await host.status("/");
    expect(proxy.connections).toBe(2);
  });

  it("closes a connection that nobody uses", async () => {
    const { server, proxy } = await serve();
    const host = reach(server, proxy, { ...quickPace, persistSeconds: 3 });
    await host.status("/");
    await expect.poll(() => connectionsBelow(server.settings().folder), { timeout: 10_000 }).toBe(0);
    await host.status("/");
    expect(proxy.connections).toBe(2);
  });

  it("makes further connections where sshd allows few sessions on one", async () => {
    const { server, proxy } = await serve(["MaxSessions 2"]);
    const host = reach(server, proxy);
    const controller = new AbortController();
    const lasting = Array.from({ length: 5 }, () => host.run(["sleep", "100"], { signal: controller.signal }));
    const ended = Promise.allSettled(lasting);
    expect((await host.run(["echo", "here"])).stdout).toBe("here");
    expect(await host.list("/")).toContain("tmp");
    controller.abort(new Error("enough"));
    await ended;
  });

  it("shows no argument, variable, input or address in a list of processes", async () => {
    const { server, proxy } = await serve();
    const host = reach(server, proxy);
    const secret = "sk-4f7d1c";
    const web = await HostileServer.start();
    const path = server.path("download");
    const seen: string[] = [];
    const look = () => seen.push(processes());
    const controller = new AbortController();
    await host.run(["sh", "-c", "echo; sleep 0.3"], { env: { TOKEN: secret }, input: secret, onLine: look });
    await host.writeFile(server.path("file"), secret);
    const url = `${web.answer(stall(Buffer.alloc(1000), 500))}#${secret}`;
    const download = host.download(url, path, {
      signal: controller.signal,
      onProgress: (bytes) => {
        if (bytes < 500) return;
        look();
        controller.abort(new Error("enough"));
      },
    });
    await expect(download).rejects.toThrow("enough");
    await web.close();
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.some((text) => text.includes(`--output ${path}`))).toBe(true);
    expect(seen.some((text) => text.includes(secret))).toBe(false);
  });

  it("does not mind a login that is talkative", async () => {
    const talk = 'echo Welcome; echo "It is late" >&2; eval "$SSH_ORIGINAL_COMMAND"';
    const { server, proxy } = await serve([`ForceCommand ${talk}`]);
    const host = reach(server, proxy);
    const result = await host.run(["sh", "-c", "echo out; echo err >&2; exit 255"]);
    expect(result).toEqual({ exitCode: 255, stdout: "out", stderr: "err" });
    expect(await host.list("/")).toContain("tmp");
  });

  it("says so when the login runs no commands", async () => {
    const { server, proxy } = await serve(["ForceCommand echo This account is closed; exit 1"]);
    const failure = expect(reach(server, proxy).run(["true"])).rejects;
    await failure.toMatchObject({ code: "host-unsuitable", parts: { detail: "This account is closed" } });
  });

  it("uses no folder for its sockets that others may write", async () => {
    const { server, proxy } = await serve();
    const { folder } = server.settings();
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    await expect(reach(server, proxy).status("/")).rejects.toMatchObject({ code: "host-foreign" });
    await rm(folder, { recursive: true });
    expect(await reach(server, proxy).status("/")).toMatchObject({ kind: "directory" });
  });

  it("says so when a socket's path is too long for the system", async () => {
    const { server, proxy } = await serve();
    const folder = join(server.folder, "x".repeat(80));
    const host = new SshHost(server.target(proxy.port), { ...server.settings(), folder });
    await expect(host.status("/")).rejects.toMatchObject({ code: "usage" });
  });
});

/** Processes of ssh that hold a connection. */
function connectionsBelow(folder: string): number {
  return processes()
    .split("\n")
    .filter((line) => line.startsWith("ssh") && line.includes(` ${folder}/`)).length;
}

function processes(): string {
  return execFileSync("ps", ["-axww", "-o", "command="], { encoding: "utf8" });
}
