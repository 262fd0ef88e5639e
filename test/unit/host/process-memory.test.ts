import { describe, expect, it } from "vitest";

import { baseEnvironment } from "../../../src/host/environment.js";
import { LocalHost } from "../../../src/host/local.js";
import { findProcessMemory, readResident, readRollups } from "../../../src/host/process-memory.js";

const host = new LocalHost("local", baseEnvironment(process.env));
const told = (stdout: string) => Promise.resolve({ exitCode: 0, stdout, stderr: "" });

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
    const rollup = "/proc/10/smaps_rollup:Rss:   2048 kB\n/proc/10/smaps_rollup:Pss:   1024 kB\n";
    const asked: string[] = [];
    const found = await findProcessMemory(
      {
        run: (argv) => {
          asked.push(argv[0]);
          return told(argv[0] === "grep" ? rollup : "   11   4096\n");
        },
      },
      [10, 11],
    );
    expect(asked).toEqual(["grep", "ps"]);
    expect(found).toEqual(
      new Map([
        [10, { residentBytes: 2 ** 21, proportionalBytes: 2 ** 20 }],
        [11, { residentBytes: 2 ** 22 }],
      ]),
    );
  });

  it.each(["", "Rss: 5 kB", "/proc/x/smaps_rollup:Pss: 1 kB", "/proc/1/smaps_rollup:Pss_Anon: 1 kB"])(
    "is nothing in %j",
    (text) => {
      expect(readRollups(text)).toEqual(new Map());
      expect(readResident(text)).toEqual(new Map());
    },
  );
});
