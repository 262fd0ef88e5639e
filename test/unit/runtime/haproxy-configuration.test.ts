import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execaSync } from "execa";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  gatewayPaths,
  haproxyArguments,
  haproxyConfiguration,
  parseHaproxyConfiguration,
  type Listener,
} from "../../../src/runtime/haproxy-configuration.js";

const chat: Listener = {
  instance: "chat-0",
  address: "127.0.0.1",
  port: 14_000,
  slots: [14_001, 14_002],
  active: 14_001,
};
const embed: Listener = { instance: "embed-0", address: "::", port: 14_003, slots: [14_004, 14_005], active: 14_009 };
const haproxy = "/usr/sbin/haproxy";
const runAll = process.env.BERTH_TEST_ALL === "1";

describe("haproxyConfiguration", () => {
  const text = haproxyConfiguration([embed, chat]);

  it("listens where clients ask, and sends them to the active runner alone", () => {
    expect(text.slice(text.indexOf("# listener"))).toBe(`\
# listener {"instance":"chat-0","address":"127.0.0.1","port":14000,"slots":[14001,14002],"active":14001}
listen chat-0:127.0.0.1:14000
  bind 127.0.0.1:14000
  server port-14001 127.0.0.1:14001
  server port-14002 127.0.0.1:14002 disabled

# listener {"instance":"embed-0","address":"::","port":14003,"slots":[14004,14005],"active":14009}
listen embed-0::::14003
  bind [::]:14003
  server port-14004 127.0.0.1:14004 disabled
  server port-14005 127.0.0.1:14005 disabled
  server port-14009 127.0.0.1:14009
`);
  });

  it("differs between two choices of the runner in nothing but these", () => {
    const other = haproxyConfiguration([embed, { ...chat, active: 14_002 }]);
    const changed = other.split("\n").filter((line, index) => line !== text.split("\n")[index]);
    expect(changed.map((line) => line.trim())).toEqual([
      expect.stringContaining('"active":14002'),
      "server port-14001 127.0.0.1:14001 disabled",
      "server port-14002 127.0.0.1:14002",
    ]);
  });

  it.runIf(runAll || existsSync(haproxy))("is what HAProxy takes without a warning", () => {
    const folder = mkdtempSync(join(tmpdir(), "berth haproxy "));
    const file = join(folder, "haproxy.cfg");
    writeFileSync(file, text);
    const { exitCode, all } = execaSync(haproxy, ["-c", "-f", file], { all: true, reject: false });
    rmSync(folder, { recursive: true });
    expect(all).not.toContain("WARNING");
    expect(exitCode, all).toBe(0);
  });
});

describe("parseHaproxyConfiguration", () => {
  const port = fc.integer({ min: 1, max: 65_535 });
  const listener = fc.record({
    instance: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,20}$/),
    address: fc.oneof(fc.ipV4(), fc.ipV6()),
    port,
    slots: fc.tuple(port, port),
    active: port,
  });

  it("reads what was written, in whatever order it was told", () => {
    fc.assert(
      fc.property(fc.uniqueArray(listener, { selector: ({ instance }) => instance, maxLength: 5 }), (listeners) => {
        const text = haproxyConfiguration(listeners);
        expect(haproxyConfiguration(parseHaproxyConfiguration(text) ?? [])).toBe(text);
        expect(parseHaproxyConfiguration(text)).toHaveLength(listeners.length);
      }),
    );
  });

  const written = haproxyConfiguration([chat]);
  it.each([
    ["a comment", `# mine\n${written}`],
    ["a server", `${written}  server mine 127.0.0.1:1\n`],
    ["a setting of all", written.replace("maxconn 4000", "maxconn 5000")],
  ])("still tells what serves when somebody adds %s", (_, text) => {
    expect(parseHaproxyConfiguration(text)).toEqual([chat]);
  });

  it.each([
    ["nothing", ""],
    ["another file", "global\n"],
    ["a choice that only the comment has", written.replace('"active":14001', '"active":14002')],
    ["a comment that is cut off", written.replace('"active":14001}', "")],
    ["a port that is none", written.replaceAll("14000", "0")],
    ["a server that is another", written.replace("127.0.0.1:14001", "127.0.0.1:1")],
  ])("does not take %s for its own", (_, text) => {
    expect(parseHaproxyConfiguration(text)).toBeUndefined();
  });
});

describe("gatewayPaths", () => {
  it("puts the socket beside the file, or where its path is short enough and without a comma", () => {
    expect(gatewayPaths("/data", "shop/dev").socket).toBe("/data/gateways/shop+dev/master.sock");
    for (const dataDir of [`/${"long".repeat(30)}`, "/a,b"])
      expect(gatewayPaths(dataDir, "shop/dev").socket).toMatch(/^\/tmp\/berth-[0-9a-f]{16}\/master\.sock$/);
  });

  it("is what HAProxy is started with: in the foreground, with a master that outlives reloads", () => {
    expect(haproxyArguments(haproxy, gatewayPaths("/data", "shop/dev"))).toEqual([
      ...[haproxy, "-W", "-db", "-S", "/data/gateways/shop+dev/master.sock,mode,600"],
      ...["-f", "/data/gateways/shop+dev/haproxy.cfg"],
    ]);
  });
});
