/** What stands before an RPC server, with a real HAProxy. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { relayArguments, relayConfiguration, relayPath } from "../../src/runtime/relay-configuration.js";
import { freePort } from "../support/sandbox.js";

const haproxy = "/usr/sbin/haproxy";
const runAll = process.env.BERTH_TEST_ALL === "1";
const admitted = "127.0.0.2";

describe.runIf(runAll || existsSync(haproxy))("what stands before a server", () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "berth relay ")));
  let server: Server;
  let relay: ChildProcess;
  let port: number;
  /** Connections that the server got. */
  let reached = 0;

  beforeAll(async () => {
    server = createServer((socket) => {
      reached += 1;
      socket.on("error", () => undefined).pipe(socket);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    port = await freePort();
    const { port: serverPort } = server.address() as AddressInfo;
    writeFileSync(relayPath(folder), relayConfiguration({ address: "127.0.0.3", port, admits: admitted, serverPort }));
    const [command, ...args] = relayArguments(haproxy, folder);
    relay = spawn(command, args, { stdio: "ignore" });
    for (let tries = 0; tries < 100 && (await say(admitted, "up?")) === ""; tries += 1) await delay(50);
  });
  afterAll(async () => {
    const ended = once(relay, "close");
    relay.kill("SIGKILL");
    await ended;
    server.close();
    rmSync(folder, { recursive: true });
  });

  /** What comes back to somebody at an address. */
  function say(from: string, text: string, to = "127.0.0.3"): Promise<string> {
    return new Promise((resolve) => {
      let heard = "";
      const socket = connect({ host: to, port, localAddress: from });
      socket.on("connect", () => socket.write(text));
      socket.on("data", (bytes) => {
        heard += bytes.toString("utf8");
        socket.end();
      });
      socket.on("error", () => undefined);
      socket.on("close", () => resolve(heard));
    });
  }

  it("is well-formed to HAProxy", async () => {
    const { exitCode } = await execa(haproxy, ["-c", "-f", relayPath(folder)], { reject: false });
    expect(exitCode).toBe(0);
  });

  it("passes on what the primary's host says, and what it is answered", async () => {
    expect(await say(admitted, "hello")).toBe("hello");
  });

  it.each(["127.0.0.1", "127.0.0.4"])("ends a connection from %s, of which the server learns nothing", async (from) => {
    const before = reached;
    expect(await say(from, "hello")).toBe("");
    expect(reached).toBe(before);
  });

  it("listens at its address alone", async () => {
    expect(await say(admitted, "hello", "127.0.0.1")).toBe("");
  });
});
