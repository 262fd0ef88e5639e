import { spawn, type ChildProcess } from "node:child_process";
import { appendFileSync, copyFileSync, mkdtempSync, realpathSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Host } from "../../src/host/host.js";
import { LocalHost } from "../../src/host/local.js";
import { SshHost } from "../../src/host/ssh.js";
import { readLiveProcess } from "../../src/runtime/live-process.js";
import { SshServer, whyNoSshd } from "../support/ssh-server.js";

interface Way {
  host: Host;
  dispose: () => Promise<void>;
}

const isLinux = process.platform === "linux";
const isLeftOut = whyNoSshd !== undefined && process.env.BERTH_TEST_ALL !== "1";

describe.runIf(isLinux)("a live process of this machine", () => {
  const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/nowhere" });
  describeLiveProcess(() => Promise.resolve({ host, dispose: () => Promise.resolve() }));
});

const title = `a live process of another machine${isLeftOut ? ` (left out: ${whyNoSshd})` : ""}`;
describe.runIf(isLinux && !isLeftOut)(title, () => {
  describeLiveProcess(async () => {
    const server = await SshServer.start();
    const host = new SshHost(server.target(), server.settings());
    const dispose = async () => {
      await host.close();
      await server.dispose();
    };
    return { host, dispose };
  });
});

function describeLiveProcess(open: () => Promise<Way>): void {
  const args = ["600", "0.0"];
  let way: Way;
  let folder: string;
  let program: string;
  let child: ChildProcess;

  beforeAll(async () => {
    way = await open();
    folder = realpathSync(mkdtempSync(join(tmpdir(), "berth live ")));
    program = join(folder, "engine");
    copyFileSync("/bin/sleep", program);
    const env = { TOKEN: "two\nlines=é", EMPTY: "" };
    child = spawn(program, args, { env, stdio: "ignore" });
    await new Promise((resolve) => child.once("spawn", resolve));
  });
  afterAll(async () => {
    child.kill("SIGKILL");
    await way.dispose();
    rmSync(folder, { recursive: true });
  });

  it("is told with its program, its words and its environment", async () => {
    expect(await readLiveProcess(way.host, child.pid ?? 0)).toEqual({
      executable: { value: program },
      executableSha256: { value: await way.host.sha256(program) },
      argv: { value: [program, ...args] },
      environment: { value: { TOKEN: "two\nlines=é", EMPTY: "" } },
    });
  });

  it("is told with the bytes that it executes when another file has their place", async () => {
    const before = await way.host.sha256(program);
    copyFileSync(program, `${program}.new`);
    appendFileSync(`${program}.new`, "x");
    renameSync(`${program}.new`, program);
    expect(await way.host.sha256(program)).not.toBe(before);
    expect(await readLiveProcess(way.host, child.pid ?? 0)).toMatchObject({
      executable: { value: `${program} (deleted)` },
      executableSha256: { value: before },
    });
  });

  it("that has ended is told to be gone", async () => {
    const ended = spawn("/bin/true", [], { stdio: "ignore" });
    await new Promise((resolve) => ended.once("exit", resolve));
    const found = await readLiveProcess(way.host, ended.pid ?? 0);
    for (const part of Object.values(found))
      expect(part).toEqual({ unknown: expect.stringMatching(/is(?: not)? there/) as string });
  });
}
