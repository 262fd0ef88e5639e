import { describe, expect, it } from "vitest";

import { defaultDataDir, parseDf, parseMemInfo, parseNvidia, parseOsRelease } from "../../../src/host/facts.js";

describe("parseNvidia", () => {
  it("reads each GPU that nvidia-smi tells of", () => {
    const csv = [
      "0, GPU-5f2b0e52-7d6c-9b1b-2a53-0f4f3a2f7c11, NVIDIA H100 80GB HBM3, 81559, 550.54.15",
      "1, GPU-a1b2c3d4-0000-1111-2222-333344445555, NVIDIA L4, 23034, 550.54.15",
      "",
    ].join("\n");
    expect(parseNvidia(csv)).toEqual([
      {
        type: "cuda",
        name: "NVIDIA H100 80GB HBM3",
        index: 0,
        uuid: "GPU-5f2b0e52-7d6c-9b1b-2a53-0f4f3a2f7c11",
        memoryBytes: 81_559 * 1024 * 1024,
        driverVersion: "550.54.15",
      },
      {
        type: "cuda",
        name: "NVIDIA L4",
        index: 1,
        uuid: "GPU-a1b2c3d4-0000-1111-2222-333344445555",
        memoryBytes: 23_034 * 1024 * 1024,
        driverVersion: "550.54.15",
      },
    ]);
  });

  it.each([
    "",
    "No devices were found",
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
    "x, GPU-1, NVIDIA L4, 23034, 550",
    "0, GPU-1, NVIDIA L4, [N/A], 550",
    "0, GPU-1, NVIDIA L4",
    "-1, GPU-1, NVIDIA L4, 23034, 550",
  ])("reads none from %j", (csv) => {
    expect(parseNvidia(csv)).toEqual([]);
  });
});

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
