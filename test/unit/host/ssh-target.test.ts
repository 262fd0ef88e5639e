import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  controlPath,
  defaultSshPace,
  longestControlPath,
  masterArguments,
  sessionArguments,
} from "../../../src/host/ssh-target.js";

const target = { name: "gpu1", address: "-oProxyCommand=id", user: "berth", port: 2222, configFile: "/my config" };

describe("controlPath", () => {
  it("is the same for the same target, whatever the stack calls it, and another for any other", () => {
    const path = controlPath("/run/user/1000/berth", target, 0);
    expect(controlPath("/run/user/1000/berth", { ...target, name: "other" }, 0)).toBe(path);
    for (const other of [{ address: "b" }, { user: "b" }, { port: 1 }, { configFile: undefined }, { user: undefined }])
      expect(controlPath("/run/user/1000/berth", { ...target, ...other }, 0)).not.toBe(path);
    expect(controlPath("/run/user/1000/berth", target, 1)).not.toBe(path);
  });

  it("is short enough in the usual folders, whatever the target is", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (address, user) => {
        const path = controlPath("/run/user/4294967295/berth-ssh", { name: "x", address, user }, 3);
        expect(Buffer.byteLength(path)).toBeLessThanOrEqual(longestControlPath);
      }),
    );
  });
});

describe("masterArguments", () => {
  const args = masterArguments(target, "/s/100%", defaultSshPace);

  it("always verifies the host's key and never asks a question", () => {
    expect(args).toContain("StrictHostKeyChecking=yes");
    expect(args).toContain("BatchMode=yes");
  });

  it("takes an address for nothing else, and a path as it is", () => {
    expect(args.slice(-2)).toEqual(["--", "-oProxyCommand=id"]);
    expect(args).toContain("/s/100%%");
    expect(args.slice(0, 6)).toEqual(["-F", "/my config", "-l", "berth", "-p", "2222"]);
  });

  it("leaves to ssh's configuration what the target does not say", () => {
    const plain = masterArguments({ name: "gpu1", address: "gpu1" }, "/s/x", defaultSshPace);
    expect(plain.filter((word) => ["-F", "-l", "-p"].includes(word))).toEqual([]);
  });
});

describe("sessionArguments", () => {
  it("connects to nobody by itself", () => {
    const args = sessionArguments(target, "/s/x", "/s/it's 1%");
    expect(args).toContain("ControlMaster=no");
    expect(args).toContain(`ProxyCommand=touch '/s/it'\\''s 1%%'`);
    expect(args).not.toContain("-W");
    expect(sessionArguments(target, "/s/x", "/s/y", "[::1]:80")).toContain("[::1]:80");
  });
});
