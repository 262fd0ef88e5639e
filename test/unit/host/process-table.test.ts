import { describe, expect, it } from "vitest";

import { familyOf, findProcessTable, readProcessTable } from "../../../src/host/process-table.js";
import { LocalHost } from "../../../src/host/local.js";

describe("the family of a process", () => {
  const table = readProcessTable(
    "    1     0     1\n   10     1    10\n   11    10    11\n   12     1    11\n   20     1    20\n",
  );

  it("is itself, its descendants, and who is of their groups without their parents", () => {
    expect(familyOf(10, table)).toEqual(new Set([10, 11, 12]));
    expect(familyOf(20, table)).toEqual(new Set([20]));
  });

  it("is nobody where the table does not have it, and ends where the table goes in circles", () => {
    expect(familyOf(99, table)).toEqual(new Set());
    expect(familyOf(1, readProcessTable("1 2 1\n2 1 2"))).toEqual(new Set([1, 2]));
  });

  it("is read from what `ps` writes here", async () => {
    const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });
    const here = await findProcessTable(host);
    expect(familyOf(process.ppid, here).has(process.pid)).toBe(true);
  });

  it.each(["", "PID PPID PGID", "a b c\n-1 2 3", "1 2"])("is nobody in %j", (text) => {
    expect(readProcessTable(text)).toEqual(new Map());
  });
});
