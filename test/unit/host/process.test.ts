import { spawn } from "node:child_process";
import { once } from "node:events";
import { readlink } from "node:fs/promises";

import { describe, expect, it } from "vitest";

import { machineIdentity, parseStat, processIdentity, processStart } from "../../../src/host/process.js";

/** A line of /proc/<pid>/stat: id, name, state, then 18 fields, then the start. */
const stat = (name: string, state: string, started = "8765432") =>
  `4242 (${name}) ${state} 1 4242 4242 0 -1 4194560 1000 0 0 0 10 5 0 0 20 0 12 0 ${started} 123456 789 18446744073709551615\n`;

describe("parseStat", () => {
  it.each(["node", "my runner", "a (b) c", ") R 1 2 3", "x\ny", ""])(
    "finds the start of a process called %j",
    (name) => {
      expect(parseStat(stat(name, "S"))).toBe("8765432");
    },
  );

  it.each(["R", "S", "D", "T", "t", "I"])("counts a process in state %s as one", (state) => {
    expect(parseStat(stat("node", state))).toBe("8765432");
  });

  it.each(["Z", "X"])("counts one in state %s, which has ended, as none", (state) => {
    expect(parseStat(stat("node", state))).toBeUndefined();
  });

  it("finds none in an empty text", () => {
    expect(parseStat("")).toBeUndefined();
  });
});

describe("processIdentity", () => {
  it("names a process that runs, always the same, and none that has ended", async () => {
    const child = spawn(process.execPath, ["-e", "process.stdin.resume()"], { stdio: ["pipe", "ignore", "ignore"] });
    const pid = child.pid ?? 0;
    const identity = await processIdentity(pid);
    expect(identity).toMatch(new RegExp(`^${pid}:\\S`));
    expect(await processIdentity(pid)).toBe(identity);
    expect(identity).not.toBe(await processIdentity(process.pid));
    const started = (await processStart(pid))?.getTime() ?? 0;
    expect(Math.abs(Date.now() - started)).toBeLessThan(60_000);
    child.stdin.end();
    await once(child, "close");
    expect(await processIdentity(pid)).toBeUndefined();
    expect(await processStart(pid)).toBeUndefined();
  });

  it("names none for an id that no process has", async () => {
    expect(await processIdentity(2 ** 30)).toBeUndefined();
  });
});

describe.runIf(process.platform === "linux")("machineIdentity on Linux", () => {
  it("tells containers apart, which have process ids of their own and may have the host's name", async () => {
    expect(await machineIdentity()).toContain(` ${await readlink("/proc/self/ns/pid")})`);
  });
});

describe("machineIdentity", () => {
  it("is the same as long as the machine is up", async () => {
    expect(await machineIdentity()).toBe(await machineIdentity());
    expect(await machineIdentity()).toMatch(/^\S+ \(.+\)$/);
  });
});
