import { describe, expect, it } from "vitest";

import { baseEnvironment } from "../../../src/host/environment.js";
import { LocalHost } from "../../../src/host/local.js";
import { findProcessMemory, parseRollup, readResident } from "../../../src/host/process-memory.js";
import { BerthError } from "../../../src/lib/errors.js";

const host = new LocalHost("local", baseEnvironment(process.env));

describe("the memory of processes", () => {
  it("of this one is what the system tells of it, and one that has ended is left out", async () => {
    const before = process.memoryUsage.rss();
    const found = await findProcessMemory(host, [process.pid, 2 ** 22 + 1]);
    const { residentBytes = 0, proportionalBytes = 0 } = found.get(process.pid) ?? {};
    const after = process.memoryUsage.rss();
    expect([...found.keys()]).toEqual([process.pid]);
    expect(residentBytes).toBeGreaterThan(Math.min(before, after) * 0.8);
    expect(residentBytes).toBeLessThan(Math.max(before, after) * 1.2);
    expect(proportionalBytes).toBeLessThanOrEqual(residentBytes);
  });

  it("is asked of ps where /proc does not tell, as of another user's, and its part of what is shared is not known", async () => {
    const rollup = "Rss:   2048 kB\nPss:   1024 kB\n";
    const found = await findProcessMemory(
      {
        readText: (path) =>
          path.startsWith("/proc/10/") ? Promise.resolve(rollup) : Promise.reject(new Error("EACCES")),
        run: (argv) => Promise.resolve({ exitCode: 0, stdout: `${argv.at(-1) ?? ""} 4096\n`, stderr: "" }),
      },
      [10, 11],
    );
    expect(found).toEqual(
      new Map([
        [10, { residentBytes: 2 ** 21, proportionalBytes: 2 ** 20 }],
        [11, { residentBytes: 2 ** 22 }],
      ]),
    );
  });

  it("is not asked of ps when the host cannot be reached", async () => {
    const lost = new BerthError("host-unreachable", { what: "the connection broke off" });
    const host = { readText: () => Promise.reject(lost), run: () => Promise.reject(new Error("asked")) };
    await expect(findProcessMemory(host, [10])).rejects.toBe(lost);
  });

  it.each(["", "Rss: kB", "x Rss: 5 kB", "Pss_Anon: 1 kB"])("is nothing in %j", (text) => {
    expect(parseRollup(text)).toBeUndefined();
    expect(readResident(text)).toEqual(new Map());
  });
});
