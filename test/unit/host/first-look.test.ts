import { execFileSync } from "node:child_process";
import { cpus, homedir, platform, totalmem, userInfo } from "node:os";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { firstLookScript, parseFirstLook } from "../../../src/host/first-look.js";

describe("parseFirstLook", () => {
  it.each([
    ['distribution "Debian GNU/Linux 12 (bookworm)"', "Debian GNU/Linux 12 (bookworm)"],
    ["distribution 'Alpine Linux v3.20'", "Alpine Linux v3.20"],
    ["distribution Fedora", "Fedora"],
    ["distribution macOS 15.1", "macOS 15.1"],
    ["user ada", "unknown"],
  ])("of %j takes the distribution for %s", (text, distribution) => {
    expect(parseFirstLook(text).distribution).toBe(distribution);
  });

  it.each([
    ["ramKib 16316412", 16_316_412 * 1024],
    ["ram 17179869184", 17_179_869_184],
    ["", 0],
  ])("of %j takes %d bytes of memory", (text, bytes) => {
    expect(parseFirstLook(text).ramBytes).toBe(bytes);
  });

  it.each([
    ["df /dev/vda1        103081248  11803956  91260908      12% /", 103_081_248 * 1024],
    ["df overlay 1000 1 999 1% /a folder with blanks", 1_024_000],
    ["df //server/my share 2000 1 1999 -  /mnt", 2_048_000],
    ["df", 0],
  ])("of %j takes %d bytes of disk", (text, bytes) => {
    expect(parseFirstLook(text).diskBytes).toBe(bytes);
  });

  it.each([
    ["uname Linux 6.1.0 x86_64", "linux", "x64"],
    ["uname Linux 6.8.0-1015-nvidia aarch64", "linux", "arm64"],
    ["uname Darwin 24.1.0 arm64", "darwin", "arm64"],
    ["uname Linux 6.6.0 riscv64", "linux", undefined],
    ["uname SunOS 5.11 i86pc", undefined, undefined],
    ["uname constructor 1 toString", undefined, undefined],
    ["", undefined, undefined],
  ])("of %j takes the system for %s on %s", (text, os, arch) => {
    expect(parseFirstLook(text)).toMatchObject({ os, arch });
  });

  it.each([
    [
      "haproxy /usr/sbin/haproxy HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/",
      { path: "/usr/sbin/haproxy", version: "2.6.12-1+deb12u4" },
    ],
    ["haproxy /opt/haproxy HA-Proxy version 2.2.9-2 2021/01/01", { path: "/opt/haproxy", version: "2.2.9-2" }],
    ["haproxy /usr/sbin/haproxy ", undefined],
    ["haproxy alias haproxy=x", undefined],
    ["", undefined],
  ])("of %j takes HAProxy for %j", (text, haproxy) => {
    expect(parseFirstLook(text).haproxy).toEqual(haproxy);
  });

  it("never throws, whatever a host prints", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void parseFirstLook(text)));
  });
});

describe.runIf(platform() === "linux")("the first look at this machine", () => {
  it("tells the same as the system does, also of a folder that is not there, and the commands that are", () => {
    const words = ["sh", "/nowhere/at all", "sh", "no-such-command", "/bin/ls"];
    const text = execFileSync("/bin/sh", ["-c", firstLookScript, ...words], { encoding: "utf8" });
    const look = parseFirstLook(text);
    expect(look).toMatchObject({ os: "linux", cpus: cpus().length, user: userInfo().username, home: homedir() });
    expect(look.ramBytes).toBe(totalmem());
    expect(look.diskBytes).toBeGreaterThan(0);
    expect(look.distribution).not.toBe("");
    expect([...look.commands]).toEqual(["sh", "/bin/ls"]);
  });
});
