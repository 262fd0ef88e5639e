import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { LocalHost } from "../../src/host/local.js";
import { SshHost } from "../../src/host/ssh.js";
import { HostileServer, ranges, stall } from "../support/hostile-server.js";
import { freePort } from "../support/sandbox.js";
import { quickPace, SshServer, whyNoSshd } from "../support/ssh-server.js";
import { TcpProxy } from "../support/tcp-proxy.js";

const isLeftOut = whyNoSshd !== undefined && process.env.BERTH_TEST_ALL !== "1";
const reason = isLeftOut ? ` (left out: ${whyNoSshd})` : "";
/** Longer than the pace's silence and than it takes to notice a dead peer. */
const noticed = { timeout: 20_000 };

describe.skipIf(isLeftOut)(`a host over ssh whose network fails${reason}`, () => {
  let server: SshServer;
  let proxy: TcpProxy;
  let host: SshHost;
  let folder: string;
  const here = new LocalHost("here", { PATH: process.env.PATH ?? "", HOME: "/" });
  const at = (name: string) => join(folder, name);
  const names = () => readdirSync(folder).sort();

  beforeAll(async () => {
    server = await SshServer.start();
  });
  afterAll(() => server.dispose());
  beforeEach(async () => {
    proxy = await TcpProxy.start(server.port);
    host = new SshHost(server.target(proxy.port), server.settings());
    folder = await realpath(await mkdtemp(join(tmpdir(), "berth faults ")));
  });
  afterEach(async () => {
    await host.close();
    proxy.close();
    await rm(folder, { recursive: true, force: true });
  });

  const faults = {
    "cuts the connection": () => proxy.cut(),
    "loses every byte": () => proxy.hang(),
  };

  describe.each(Object.entries(faults))("a network that %s", (_what, fault) => {
    it("in the middle of a command: it ran once, nothing of it is left, and the next one works", async () => {
      const script =
        'echo once >>"$0"; echo begun; sleep 1000 & trap "" TERM; python3 -c "import time; time.sleep(1000)" "$0"';
      const mark = at("ran");
      const run = host.run(["sh", "-c", script, mark], { onLine: () => fault() });
      await expect(run).rejects.toMatchObject({ code: "host-unreachable" });
      await expect.poll(() => here.findProcesses([mark]), noticed).toEqual([]);
      expect((await host.run(["cat", mark])).stdout).toBe("once");
      expect(proxy.connections).toBe(2);
    });

    it("while a file is written: it is as it was", async () => {
      await host.writeFile(at("file"), "old");
      const before = proxy.sent;
      const writing = host.writeFile(at("file"), Buffer.alloc(300_000_000, "new"));
      const failure = expect(writing).rejects.toMatchObject({ code: "host-unreachable" });
      await expect.poll(() => proxy.sent - before).toBeGreaterThan(1_000_000);
      fault();
      await failure;
      expect(readFileSync(at("file"), "utf8")).toBe("old");
      await host.writeFile(at("file"), "newer");
      expect(await host.readText(at("file"))).toBe("newer");
      // Of a silent connection sshd learns late.
      const left = fault === faults["cuts the connection"] ? 0 : 1;
      await expect.poll(() => names().filter((name) => /^file\.[0-9a-f]{12}\.tmp$/.test(name))).toHaveLength(left);
      expect(names()).toHaveLength(1 + left);
    });

    it("while a file is read: it is read again over a new connection", async () => {
      const content = "x".repeat(30_000_000);
      await writeFile(at("file"), content);
      await host.status(at("file"));
      proxy.delay(20);
      const reading = host.readText(at("file"));
      await delay(150);
      fault();
      proxy.delay(0);
      expect((await reading)?.length).toBe(content.length);
      expect(proxy.connections).toBe(2);
    });

    it("while the host downloads: the transfer ends, and the next download goes on from there", async () => {
      const content = Buffer.alloc(300_000, "y");
      const web = await HostileServer.start();
      try {
        const url = web.answer(stall(content, 100_000));
        const download = host.download(url, at("file"), {
          onProgress: (bytes) => {
            if (bytes === 100_000) fault();
          },
        });
        await expect(download).rejects.toMatchObject({ code: "host-unreachable" });
        await expect.poll(() => here.findProcesses(["--output", at("file")]), noticed).toEqual([]);
        expect(readFileSync(at("file")).length).toBe(100_000);
        expect(names()).toEqual(["file"]);
        await host.download(web.answer(ranges(content)), at("file"));
        expect(web.ranges).toEqual(["bytes=100000-"]);
        expect(readFileSync(at("file")).equals(content)).toBe(true);
      } finally {
        await web.close();
      }
    });

    it("during a request: it is not sent again, and the next one is answered", async () => {
      let asked = 0;
      const web = createHttpServer((_request, response) => {
        asked += 1;
        if (asked === 1) fault();
        else response.end("answer");
      });
      await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
      const { port } = web.address() as AddressInfo;
      const ask = () =>
        host.request({ address: "127.0.0.1", port, method: "POST", path: "/", body: "{}", timeoutSeconds: 20 });
      try {
        await expect(ask()).rejects.toMatchObject({ code: "host-unreachable" });
        expect(asked).toBe(1);
        expect(await ask()).toEqual({ kind: "answered", status: 200, body: "answer" });
      } finally {
        web.closeAllConnections();
        web.close();
      }
    });

    it("between two operations: the next makes a new connection by itself", async () => {
      await host.writeFile(at("file"), "text");
      fault();
      // What is silent has to be noticed first; what was cut is known at once.
      const text = await host.readText(at("file"));
      expect(text).toBe("text");
      expect(proxy.connections).toBe(2);
    });
  });

  it("creates a file once, or leaves nothing, when the connection is cut at any moment", async () => {
    await host.status(folder);
    for (const wait of [0, 10, 20, 30, 40, 60, 80]) {
      const path = at(`cut after ${wait}`);
      const creating = host.createFile(path, "content").then(
        () => "created",
        (error: unknown) => error,
      );
      await delay(wait);
      proxy.cut();
      const result = await creating;
      if (result === "created") expect(await host.readText(path)).toBe("content");
      else expect(result).toMatchObject({ code: "host-unreachable" });
      expect([undefined, "content"]).toContain(await host.readText(path));
    }
    await expect.poll(() => names().filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("is patient with a network that takes 300 ms each way", async () => {
    proxy.delay(300);
    await host.writeFile(at("file"), "text");
    expect(await host.readText(at("file"))).toBe("text");
    expect(await host.run(["sh", "-c", "cat; exit 7"], { input: "in" })).toMatchObject({ exitCode: 7, stdout: "in" });
    expect([...(await host.walk(folder)).keys()]).toEqual(["file"]);
    expect((await host.run(["sleep", "100"], { timeoutSeconds: 1 })).exitCode).toBe(124);
    expect(proxy.connections).toBe(1);
  });

  it("ends a command whose caller went away without a word", async () => {
    const mark = at("mark");
    let found: number[] = [];
    const run = host.run(["python3", "-uc", "import time; print(); time.sleep(1000)", mark], {
      onLine: () => {
        proxy.hang();
        void here.findProcesses([mark]).then((pids) => (found = pids));
      },
    });
    const failure = expect(run).rejects.toMatchObject({ code: "host-unreachable" });
    await expect.poll(() => found, noticed).toHaveLength(1);
    // Nobody tells the host: it hears nothing more, and that is enough.
    await expect.poll(() => here.findProcesses([mark]), noticed).toEqual([]);
    await failure;
  });
});

describe.skipIf(isLeftOut)(`a host over ssh that cannot be reached${reason}`, () => {
  let server: SshServer;
  beforeAll(async () => {
    server = await SshServer.start(["AllowTcpForwarding no"]);
  });
  afterAll(() => server.dispose());

  const reach = (changes: Partial<ReturnType<SshServer["target"]>>, pace = quickPace) =>
    new SshHost({ ...server.target(), ...changes }, server.settings(pace));

  it.each([
    { what: "another key than the known one", known: "stranger", code: "host-key-mismatch" },
    { what: "a key that nobody knows", known: undefined, code: "host-key-unknown" },
  ])("is refused with $what, whatever the configuration says, and not tried again", async ({ known, code }) => {
    const proxy = await TcpProxy.start(server.port);
    await writeFile(server.path("known-bad"), "");
    if (known !== undefined) server.writeKnownHosts("known-bad", known, proxy.port);
    const configFile = server.writeConfig("config-bad", { knownHosts: "known-bad" });
    const host = reach({ port: proxy.port, configFile });
    const failure = expect(host.run(["true"])).rejects;
    await failure.toMatchObject({ code, parts: { hint: expect.stringContaining("ssh") as string } });
    expect(proxy.connections).toBe(1);
    await host.close();
    proxy.close();
  });

  it("says that the login was refused", async () => {
    server.writeKnownHosts("known", "host");
    const host = reach({ configFile: server.writeConfig("config-stranger", { key: "stranger" }) });
    await expect(host.readText("/etc/hostname")).rejects.toMatchObject({ code: "host-login-refused" });
    await host.close();
  });

  it("says that nobody listens", async () => {
    const host = reach({ port: await freePort() });
    await expect(host.run(["true"])).rejects.toMatchObject({
      code: "host-unreachable",
      parts: { detail: expect.stringContaining("Connection refused") as string },
    });
    await host.close();
  });

  it("says that the name is not known", async () => {
    const host = reach({ address: "no-such-host.invalid" });
    await expect(host.run(["true"])).rejects.toMatchObject({ code: "host-unreachable" });
    await host.close();
  });

  it("does not wait for ever for a server that never speaks", async () => {
    const mute = createServer(() => undefined);
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    const host = reach(
      { port: (mute.address() as AddressInfo).port },
      { ...quickPace, connectSeconds: 1, loginSeconds: 3 },
    );
    await expect(host.run(["true"])).rejects.toMatchObject({ code: "host-unreachable" });
    await host.close();
    mute.close();
  });

  it("stops waiting for a connection when the signal aborts", async () => {
    const mute = createServer(() => undefined);
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    const host = reach(
      { port: (mute.address() as AddressInfo).port },
      { ...quickPace, connectSeconds: 2, loginSeconds: 3 },
    );
    const enough = new Error("enough");
    const controller = new AbortController();
    setTimeout(() => controller.abort(enough), 500);
    await expect(host.run(["true"], { signal: controller.signal })).rejects.toBe(enough);
    await host.close();
    mute.close();
  });

  it("tells of an sshd that passes no connection on", async () => {
    const web = createHttpServer((_request, response) => response.end());
    await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
    const { port } = web.address() as AddressInfo;
    const host = reach({});
    const answer = await host.request({ address: "127.0.0.1", port, method: "GET", path: "/", timeoutSeconds: 5 });
    expect(answer).toEqual({ kind: "refused", reason: expect.stringContaining("AllowTcpForwarding") as string });
    await host.close();
    web.close();
  });
});
