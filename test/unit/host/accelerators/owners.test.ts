import { describe, expect, it } from "vitest";

import { nameOwners, readParents } from "../../../../src/host/accelerators/owners.js";

const usage = [
  {
    uuid: "GPU-0",
    memoryUsedBytes: 9,
    processes: [
      { pid: 40, name: "worker" },
      { pid: 50, name: "other" },
    ],
  },
  { uuid: "GPU-1", processes: [{ pid: 10, name: "engine", memoryBytes: 5 }] },
  { uuid: "GPU-2" },
];

describe("the users of an accelerator", () => {
  it("are the instance whose runner they are or descend from, and others are nobody's", () => {
    const parents = readParents("    1     0\n   10     1\n   20    10\n   40    20\n   50     1\n");
    const named = nameOwners(usage, new Map([[10, "chat-0"]]), parents);
    expect(named).toEqual([
      {
        uuid: "GPU-0",
        memoryUsedBytes: 9,
        processes: [
          { pid: 40, name: "worker", instance: "chat-0" },
          { pid: 50, name: "other" },
        ],
      },
      { uuid: "GPU-1", processes: [{ pid: 10, name: "engine", memoryBytes: 5, instance: "chat-0" }] },
      { uuid: "GPU-2" },
    ]);
  });

  it("are told in the end where the table of processes goes in circles", () => {
    const parents = new Map([
      [40, 50],
      [50, 40],
    ]);
    expect(nameOwners(usage, new Map([[10, "chat-0"]]), parents)[0]).toEqual(usage[0]);
  });
});

describe("readParents", () => {
  it.each(["", "PID PPID", "a b\n-1 2", "99999999999999999999 1"])("reads none from %j", (text) => {
    expect(readParents(text)).toEqual(new Map());
  });
});
