import { describe, expect, it } from "vitest";

import { parseAvailable, parseList, parseProcesses, parseStatus, parseWalk } from "../../../src/host/ssh-files.js";

describe("parseStatus", () => {
  it.each([
    ["81a4 6 1700000000.123456789", { kind: "file", size: 6, mode: 0o644, changedAt: "1700000000123456789" }],
    [
      "41ed 4096 1700000000.000000001",
      { kind: "directory", size: 4096, mode: 0o755, changedAt: "1700000000000000001" },
    ],
    ["a1ff 11 1700000000.5", { kind: "link", size: 11, mode: 0o777, changedAt: "1700000000500000000" }],
    ["8fff 0 1700000000", { kind: "file", size: 0, mode: 0o7777, changedAt: "1700000000000000000" }],
    ["c1ed 0 1.000000000", { kind: "other", size: 0, mode: 0o755, changedAt: "1000000000" }],
  ])("reads %j, which GNU's stat and BSD's both print", (line, status) => {
    expect(parseStatus(`${line}\n`)).toEqual(status);
  });

  it.each(["", "stat: no", "81a4 6", "81a4 6 yesterday"])("takes %j for nothing", (line) => {
    expect(parseStatus(line)).toBeUndefined();
  });
});

describe("parseWalk", () => {
  it("reads names that hold anything, line feeds too", () => {
    const names = ["a", "deep er/b", "two\nlines", "81a4 6 1700000000.123456789 .", "-n", ".hidden", "end\n"];
    const text = names.map((name) => `81a4 6 1700000000.123456789 ./${name}//\n`).join("");
    expect([...parseWalk(text).keys()]).toEqual(names);
    expect(parseWalk("")).toEqual(new Map());
  });
});

describe("parseList", () => {
  it("sorts names, and needs no line feeds", () => {
    expect(parseList("./b\0./a\nb\0./.hidden\0")).toEqual([".hidden", "a\nb", "b"]);
    expect(parseList("")).toEqual([]);
  });
});

describe("parseAvailable", () => {
  it.each([
    ["GNU", "/dev/vda1       41152736 20576368 18450000      53% /", 18_450_000],
    ["macOS", "/dev/disk3s1s1   482797652 21907604 100    19%    /System/Volumes/My Data", 100],
    ["a name with blanks", "//server/my share 1000 600 400 60% /mnt/my share", 400],
  ])("finds what is free: %s", (_what, line, kibibytes) => {
    expect(parseAvailable(`Filesystem 1024-blocks Used Available Capacity Mounted on\n${line}\n`)).toBe(
      kibibytes * 1024,
    );
  });
});

describe("parseProcesses", () => {
  const proc = "proc\n12/cmdline:python\x0012/cmdline:-c\x0012/cmdline:a b\x0013/cmdline:sh\x0013/cmdline:two\nlines\0";
  const ps = "ps\n   12 python -c a b\n 1234 sh two\n";

  it.each([
    [["python", "-c"], [12]],
    [["a b"], [12]],
    [["a"], [12]],
    [["-c", "python"], []],
    [["pyth"], []],
    [["12"], []],
  ])("finds processes by %j, in the form of Linux and of BSD", (args, pids) => {
    expect(parseProcesses(proc, args)).toEqual(pids);
    expect(parseProcesses(ps, args)).toEqual(pids);
  });

  it("finds an argument of two lines where the system tells of it", () => {
    expect(parseProcesses(proc, ["two\nlines"])).toEqual([13]);
  });
});
