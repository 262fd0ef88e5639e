/** The gateway's module with a real HAProxy, which a supervisor would keep alive. */
import { existsSync } from "node:fs";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { Agent, createServer, get, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";

import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { baseEnvironment } from "../../src/host/environment.js";
import { LocalHost } from "../../src/host/local.js";
import { createContent } from "../../src/install/content.js";
import { systemClock } from "../../src/lib/clock.js";
import { Serial } from "../../src/lib/serial.js";
import { Gateway } from "../../src/runtime/gateway.js";
import { haproxyArguments, type Listener } from "../../src/runtime/haproxy-configuration.js";
import { endProcess, execPath, findRunner, writeRunnerFiles } from "../../src/runtime/runner-files.js";
import { freePort } from "../support/sandbox.js";
import { sendSignal } from "../support/signals.js";
import { repository } from "../support/toolchain.js";

const haproxy = "/usr/sbin/haproxy";
const runAll = process.env.BERTH_TEST_ALL === "1";
const host = new LocalHost("local", baseEnvironment(process.env));
const content = createContent(repository, repository);

describe.runIf(runAll || existsSync(haproxy))("a gateway", () => {
  let dataDir: string;
  let gateway: Gateway;
  let runners: Runner[];
  let listener: Listener;

  beforeAll(async () => {
    runners = await Promise.all([serve("one"), serve("two"), serve("three")]);
  });
  afterAll(() => runners.forEach(({ server }) => server.close()));

  beforeEach(async () => {
    dataDir = await realpath(await mkdtemp(join(tmpdir(), "berth gateway ")));
    gateway = new Gateway({
      host,
      dataDir,
      owner: "shop/dev",
      clock: systemClock,
      serial: new Serial(),
      findPython: () => Promise.resolve("python3"),
      script: () => content.pythonTool("unix_socket.py"),
    });
    const [one = 0, two = 0] = runners.map(({ port }) => port);
    listener = { instance: "chat-0", address: "127.0.0.1", port: await freePort(), slots: [one, two], active: one };
    await gateway.prepare();
    await start();
  });
  afterEach(async () => {
    await stop();
    await rm(dataDir, { recursive: true, force: true });
    await rm(gateway.paths.socketFolder, { recursive: true, force: true });
  });

  async function start(): Promise<void> {
    const { folder } = gateway.paths;
    const argv = haproxyArguments(haproxy, gateway.paths);
    await writeRunnerFiles(host, { id: "gateway", folder, startSeconds: 5, stopSeconds: 5, argv, environment: {} });
    const launcher = ["-I", join(repository, "tools", "python", "exec.py"), execPath(folder)];
    execa("python3", launcher, { stdio: "ignore", detached: true, reject: false }).unref();
    expect(await gateway.awaitAnswer()).toBe(true);
  }

  const stop = () => endProcess(host, () => findRunner(host, gateway.paths.folder), 5, systemClock);
  const active = (index: number): Listener => ({ ...listener, active: runners[index]?.port ?? 0 });
  const ask = async ({ port } = listener) => (await fetch(`http://127.0.0.1:${port}/`)).text();
  /** On a new connection: one that was idle is answered once more. */
  const askAnew = async ({ port } = listener) => (await askWith(new Agent(), port)).answer;
  const workers = async () => (await host.findProcesses(["-f", gateway.paths.configuration])).length;

  it("listens for an instance when it is first switched to a runner, and no more when it is closed", async () => {
    await expect(ask()).rejects.toThrow();
    await gateway.switchTo(active(0));
    expect(await ask()).toBe("one");
    expect(await gateway.activePort(listener)).toBe(active(0).active);
    await gateway.close("chat-0");
    await expect(askAnew()).rejects.toThrow();
    expect(await gateway.activePort(listener)).toBeUndefined();
    await gateway.close("chat-0");
  });

  it("is switched without a reload, and serves the new runner after a reload, a restart and a kill too", async () => {
    await gateway.switchTo(active(0));
    const before = await host.findProcesses(["-f", gateway.paths.configuration]);
    await gateway.switchTo(active(1));
    expect(await host.findProcesses(["-f", gateway.paths.configuration])).toEqual(before);
    expect(await ask()).toBe("two");

    process.kill((await findRunner(host, gateway.paths.folder)) ?? 0, "SIGUSR2");
    await expect
      .poll(async () => (await host.findProcesses(["-f", gateway.paths.configuration])).toSorted())
      .not.toEqual(before.toSorted());
    expect(await ask()).toBe("two");

    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      for (const pid of await host.findProcesses(["-f", gateway.paths.configuration])) sendSignal(pid, signal);
      await expect.poll(workers).toBe(0);
      await start();
      expect(await ask()).toBe("two");
      expect(await gateway.isInStep()).toBe(true);
    }
  });

  it("loses no request and breaks no stream while it is switched, reloaded and given other listeners", async () => {
    await gateway.switchTo(active(0));
    const stream = await fetch(`http://127.0.0.1:${listener.port}/stream`);
    const results: Promise<string>[] = [];
    const load = new AbortController();
    const loading = (async () => {
      while (!load.signal.aborted) {
        results.push(ask().catch((error: unknown) => inspect(error)));
        await delay(10);
      }
    })();
    const other = { ...listener, instance: "embed-0", port: await freePort() };
    for (let round = 0; round < 2; round += 1) {
      await gateway.switchTo(active(1));
      await gateway.switchTo(other);
      await gateway.switchTo(active(0));
      await gateway.close("embed-0");
    }
    await gateway.switchTo(active(1));
    runners[0]?.release();
    load.abort();
    await loading;
    const answers = await Promise.all(results);
    expect(answers.length).toBeGreaterThan(20);
    expect([...new Set(answers)].sort()).toEqual(["one", "two"]);
    expect(await stream.text()).toBe("begun and ended");
  });

  it("answers on a connection that was idle while it was reloaded, and waits for that before its runner may end", async () => {
    await gateway.switchTo(active(0));
    const kept = new Agent({ keepAlive: true, maxSockets: 1 });
    const askKept = () => askWith(kept, listener.port);
    expect(await askKept()).toEqual({ answer: "one", reused: false });
    await gateway.switchTo({ ...listener, instance: "embed-0", port: await freePort() });
    await gateway.switchTo(active(1));
    expect(await gateway.drain("chat-0", active(0).active, 0.1)).toBe(1);
    expect(await askKept()).toEqual({ answer: "one", reused: true });
    expect(await gateway.drain("chat-0", active(0).active, 10)).toBe(0);
    expect(await askKept()).toEqual({ answer: "two", reused: false });
    kept.destroy();
  });

  it("waits for the streams of a runner that is switched away from, also of a worker that was replaced", async () => {
    await gateway.switchTo(active(0));
    const stream = await fetch(`http://127.0.0.1:${listener.port}/stream`);
    await gateway.switchTo({ ...listener, instance: "embed-0", port: await freePort() });
    await gateway.switchTo(active(1));
    expect(await gateway.drain("chat-0", active(0).active, 0.1)).toBe(1);
    setTimeout(() => {
      runners[0]?.release();
    }, 500);
    expect(await gateway.drain("chat-0", active(0).active, 60)).toBe(0);
    expect(await stream.text()).toBe("begun and ended");
  });

  it("serves a runner on a port that is no slot any more, and listens elsewhere when it is told to", async () => {
    await gateway.switchTo(active(2));
    expect(await ask()).toBe("three");
    const elsewhere = { ...active(2), port: await freePort() };
    await gateway.switchTo(elsewhere);
    expect(await ask(elsewhere)).toBe("three");
    await expect(askAnew()).rejects.toThrow();
  });

  it("refuses a port that somebody has, and goes on as before", async () => {
    await gateway.switchTo(active(0));
    const taken = createServer().listen(0, "127.0.0.1");
    await expect.poll(() => taken.listening).toBe(true);
    const { port } = taken.address() as AddressInfo;
    await expect(gateway.switchTo({ ...active(1), instance: "embed-0", port })).rejects.toMatchObject({
      code: "port-in-use",
    });
    taken.close();
    expect(await ask()).toBe("one");
    expect(await gateway.isInStep()).toBe(true);
  });

  it("puts its file back when no new worker starts from it", async () => {
    await gateway.switchTo(active(0));
    // No such address is here, so HAProxy cannot listen there.
    const nowhere = { ...active(1), instance: "embed-0", address: "192.0.2.1", port: await freePort() };
    await expect(gateway.switchTo(nowhere)).rejects.toThrow("cannot serve as it was told");
    expect(await gateway.listeners()).toEqual([active(0)]);
    expect(await ask()).toBe("one");
  });

  it("puts nothing in place that HAProxy refuses", async () => {
    await expect(gateway.switchTo({ ...active(0), address: "not an address" })).rejects.toThrow("HAProxy refuses");
    expect(await gateway.listeners()).toEqual([]);
    expect(await host.list(gateway.paths.folder)).not.toContain("haproxy.cfg.new");
  });

  it("tells when what runs is not what is written, and is brought back to it", async () => {
    await gateway.switchTo(active(0));
    const text = (await host.readText(gateway.paths.configuration)) ?? "";
    await gateway.switchTo(active(1));
    await host.writeFile(gateway.paths.configuration, text);
    expect(await gateway.isInStep()).toBe(false);
    expect(await gateway.activePort(listener)).toBeUndefined();
    await gateway.settle();
    expect(await gateway.isInStep()).toBe(true);
    expect(await ask()).toBe("one");
  });

  it("does not switch what does not run", async () => {
    await stop();
    await expect(gateway.switchTo(active(0))).rejects.toThrow("the gateway does not answer");
    expect(await gateway.listeners()).toEqual([]);
  });
});

interface Runner {
  server: Server;
  port: number;
  /** Ends the streams in progress. */
  release: () => void;
}

/** Answers with its name, and at `/stream` with a text that ends when it is released. */
async function serve(name: string): Promise<Runner> {
  const streams: ServerResponse[] = [];
  const server = createServer((request, response) => {
    if (request.url === "/stream") {
      response.write("begun");
      streams.push(response);
    } else response.end(name);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const release = () => {
    for (const stream of streams.splice(0)) stream.end(" and ended");
  };
  return { server, port: (server.address() as AddressInfo).port, release };
}

/** Asks over the connections of an agent; tells whether it was one that was there before. */
function askWith(agent: Agent, port: number): Promise<{ answer: string; reused: boolean }> {
  return new Promise((resolve, reject) => {
    const request = get({ agent, host: "127.0.0.1", port }, (response) => {
      let answer = "";
      response.on("data", (bytes: Buffer) => (answer += bytes.toString()));
      response.on("end", () => {
        // The connection is given back to the agent after this.
        setImmediate(() => resolve({ answer, reused: request.reusedSocket }));
      });
    });
    request.on("error", reject);
  });
}
