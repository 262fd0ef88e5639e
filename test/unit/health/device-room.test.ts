import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { judgeRoom, type RoomQuestion } from "../../../src/health/device-room.js";
import { readProcessTable } from "../../../src/host/process-table.js";

const gib = 2 ** 30;

/** The instance's own runner is 100, with the child 101; another instance's is 200; 300 is a stranger. */
const processes = readProcessTable(" 1 0 1\n 100 1 100\n 101 100 101\n 200 1 200\n 300 1 300\n");

function judge(used: number | undefined, held: Record<number, number>, changes: Partial<RoomQuestion> = {}) {
  const holders = Object.entries(held).map(([pid, bytes]) => ({
    ...{ pid: Number(pid), name: "engine", memoryBytes: bytes * gib },
  }));
  const memoryUsedBytes = used === undefined ? {} : { memoryUsedBytes: used * gib };
  const usage = [{ uuid: "GPU-0", ...memoryUsedBytes, processes: holders }];
  return judgeRoom({
    ...{ device: "GPU-0", needBytes: 20 * gib, totalBytes: 80 * gib, use: { usage, processes } },
    ...{ leaving: [], staying: [], tenants: [] },
    ...changes,
  });
}

const tenant = (gibibytes: number, pids: number[] = [200]) => ({
  tenants: [{ name: "shop/b, talk-0", bytes: gibibytes * gib, pids }],
});

describe("a device has the memory that a runner is to take", () => {
  it.each<[string, ReturnType<typeof judge>]>([
    ["when nobody uses it", judge(0, {})],
    ["when so much is left of what others use", judge(60, { 300: 60 })],
    ["when the runner before it, which ends first, gives so much back", judge(70, { 101: 40 }, { leaving: [100] })],
    ["when another instance has only what it claims", judge(60, { 200: 60 }, tenant(60))],
  ])("%s", (_, verdict) => {
    expect(verdict).toEqual({ kind: "enough" });
  });
});

describe("a device has too little memory, and it is told who has the rest", () => {
  it.each<[string, ReturnType<typeof judge>, free: number, users: string[]]>([
    ["by what a stranger uses", judge(61, { 300: 61 }), 19, ["61.0 GiB engine (pid 300)"]],
    [
      "by what another instance claims and has not loaded yet",
      judge(5, { 200: 5 }, tenant(61)),
      19,
      ["61.0 GiB shop/b, talk-0"],
    ],
    [
      "by what another instance uses beyond its claim",
      judge(65, { 200: 65 }, tenant(30)),
      15,
      ["65.0 GiB shop/b, talk-0"],
    ],
    [
      "by claims and strangers together",
      judge(30, { 300: 30 }, tenant(40, [])),
      10,
      ["40.0 GiB shop/b, talk-0", "30.0 GiB engine (pid 300)"],
    ],
    [
      "by the runner before it, which goes on beside it",
      judge(70, { 101: 70 }, { staying: [100] }),
      10,
      ["70.0 GiB the runner before it"],
    ],
    ["and nobody is told of", judge(70, {}), 10, []],
  ])("%s", (_, verdict, free, users) => {
    expect(verdict).toEqual({ kind: "short", freeBytes: free * gib, totalBytes: 80 * gib, users });
  });
});

describe("whether a device has the memory is unknown", () => {
  it.each<[string, ReturnType<typeof judge>, reason: string]>([
    ["when its size is", judge(0, {}, { totalBytes: undefined }), "how much memory it has is not known"],
    ["when its tool does not tell its use", judge(undefined, {}), "its tool does not tell how much of its memory"],
    [
      "when its tool does not show the runner that ends before",
      judge(70, {}, { leaving: [100] }),
      "its tool does not tell what the runner before it holds",
    ],
  ])("%s", (_, verdict, reason) => {
    expect(verdict).toEqual({ kind: "unknown", reason: expect.stringContaining(reason) as string });
  });

  it("and not when the claims of others alone are too much", () => {
    expect(judge(70, {}, { leaving: [100], ...tenant(70) }).kind).toBe("short");
  });
});

describe("more memory in use, or claimed", () => {
  it("never makes room where there was none", () => {
    const amount = fc.integer({ min: 0, max: 80 });
    fc.assert(
      fc.property(amount, amount, amount, amount, (own, stranger, claimed, more) => {
        const at = (extra: number) =>
          judge(
            own + stranger + extra,
            { 101: own, 300: stranger + extra },
            { leaving: [100], ...tenant(claimed, []) },
          );
        if (at(0).kind === "short") expect(at(more).kind).toBe("short");
      }),
    );
  });
});
