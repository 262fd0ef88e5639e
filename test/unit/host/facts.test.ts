import { describe, expect, it } from "vitest";

import { defaultDataDir, parseDf, parseMemInfo, parseOsRelease } from "../../../src/host/facts.js";

describe("parseOsRelease", () => {
  it.each([
    [
      'NAME="Debian GNU/Linux"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
      "Debian GNU/Linux 12 (bookworm)",
    ],
    ["PRETTY_NAME='Alpine Linux v3.20'\n", "Alpine Linux v3.20"],
    ["PRETTY_NAME=Fedora\n", "Fedora"],
    ["ID=nothing\n", "unknown"],
    [undefined, "unknown"],
  ])("of %j is %s", (text, name) => {
    expect(parseOsRelease(text)).toBe(name);
  });
});

describe("parseMemInfo", () => {
  it.each([
    ["MemTotal:       16316412 kB\nMemFree:         1234 kB\n", 16_316_412 * 1024],
    ["MemFree: 5 kB\n", 0],
    [undefined, 0],
  ])("of %j is %d bytes", (text, bytes) => {
    expect(parseMemInfo(text)).toBe(bytes);
  });
});

describe("parseDf", () => {
  const header = "Filesystem     1024-blocks      Used Available Capacity Mounted on\n";
  it.each([
    [`${header}/dev/vda1        103081248  11803956  91260908      12% /\n`, 103_081_248 * 1024],
    [`${header}overlay 1000 1 999 1% /a folder with blanks\n`, 1_024_000],
    [`${header}//server/my share 2000 1 1999 -  /mnt\n`, 2_048_000],
    [header, 0],
    ["", 0],
  ])("of %j is %d bytes", (text, bytes) => {
    expect(parseDf(text)).toBe(bytes);
  });
});

describe("defaultDataDir", () => {
  it("is where the system keeps such things, for root and for others", () => {
    expect(defaultDataDir({ user: "root", home: "/root" })).toBe("/var/lib/berth");
    expect(defaultDataDir({ user: "ada", home: "/home/ada" })).toBe("/home/ada/.local/share/berth");
  });
});
