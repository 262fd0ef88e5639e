import { existsSync, readFileSync, rmSync, statSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { SshHost } from "../../src/host/ssh.js";
import { endless, HostileServer, ranges, redirect, stall, status, whole } from "../support/hostile-server.js";
import { SshServer, whyNoSshd } from "../support/ssh-server.js";
import { TcpProxy } from "../support/tcp-proxy.js";
import { toolFolderWithout } from "../support/tool-folder.js";

const isLeftOut = whyNoSshd !== undefined && process.env.BERTH_TEST_ALL !== "1";
const hasWget = existsSync("/usr/bin/wget");

describe.skipIf(isLeftOut)(`downloads by tools of the host${isLeftOut ? ` (left out: ${whyNoSshd})` : ""}`, () => {
  const content = Buffer.alloc(300_000, "0123456789");
  let web: HostileServer;
  beforeAll(async () => {
    web = await HostileServer.start();
  });
  afterAll(() => web.close());

  /** A host that lacks some tools. */
  async function reach(without: readonly string[]): Promise<{ host: SshHost; path: string }> {
    const tools = toolFolderWithout(without);
    const server = await SshServer.start([`SetEnv PATH=${tools}`]);
    const host = new SshHost(server.target(), server.settings());
    onTestFinished(async () => {
      await host.close();
      await server.dispose();
      rmSync(tools, { recursive: true });
    });
    return { host, path: server.path("file") };
  }

  it("says that there is no tool", async () => {
    const { host, path } = await reach(["curl", "wget"]);
    const failure = expect(host.download(web.answer(whole(content)), path)).rejects;
    await failure.toMatchObject({ code: "host-unsuitable", parts: { expected: "curl or GNU wget" } });
  });

  it.runIf(hasWget)("does it with wget as with curl", async () => {
    const { host, path } = await reach(["curl"]);
    const progress: unknown[] = [];
    await host.download(web.answer(whole(content)), path, { onProgress: (...now) => progress.push(now) });
    expect((await host.status(path))?.size).toBe(300_000);
    expect(progress.at(-1)).toEqual([300_000, 300_000]);
    await host.writeFile(path, content.subarray(0, 100_000));
    await host.download(web.answer(ranges(content)), path);
    expect(web.ranges).toEqual(["bytes=100000-"]);
    expect(await host.readText(path)).toBe(content.toString());
    await host.download(web.answer(ranges(content)), path);
    expect(await host.readText(path)).toBe(content.toString());
    await host.writeFile(path, "something else");
    await host.download(web.answer(whole(content)), path);
    expect(await host.readText(path)).toBe(content.toString());
    await host.remove(path);
    await expect(host.download(web.answer(status(404)), path)).rejects.toMatchObject({
      parts: { got: "HTTP status 404" },
    });
    await expect(host.download(web.answer(redirect(web.url)), path)).rejects.toMatchObject({
      parts: { what: "the server redirects without end" },
    });
    await expect(host.download(web.answer(endless()), path, { maxBytes: 300_000 })).rejects.toMatchObject({
      parts: { what: "the server sends more than the file can have" },
    });
    expect(await host.status(path)).toBeUndefined();
  });
});

describe.skipIf(isLeftOut)("downloads that this machine fetches and pushes", () => {
  const content = Buffer.alloc(3_000_000, "0123456789");

  it.each(["cut", "hang"] as const)(
    "go on from what the host has, after the connection to it was lost (%s)",
    async (fault) => {
      const server = await SshServer.start();
      const proxy = await TcpProxy.start(server.port);
      const web = await HostileServer.start();
      const host = new SshHost(server.target(proxy.port), server.settings(), { downloads: "push" });
      onTestFinished(async () => {
        await host.close();
        proxy.close();
        await web.close();
        await server.dispose();
      });
      const path = server.path("file");
      const half = content.byteLength / 2;
      const broken = host.download(web.answer(stall(content, half)), path, {
        onProgress: (current) => {
          if (current === half) setTimeout(() => proxy[fault](), 300);
        },
      });
      await expect(broken).rejects.toMatchObject({ code: "host-unreachable" });
      const begun = statSync(path).size;
      expect(begun).toBeGreaterThan(0);

      await host.download(web.answer(ranges(content)), path);
      expect(web.ranges).toEqual([`bytes=${begun}-`]);
      expect(readFileSync(path).equals(content)).toBe(true);
    },
  );
});
