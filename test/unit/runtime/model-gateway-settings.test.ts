import { describe, expect, it } from "vitest";

import {
  addressText,
  parseSettings,
  serversGone,
  withComingServers,
} from "../../../src/runtime/model-gateway-settings.js";
import { gatewaySettings, serverAt, targetOf } from "../../support/model-gateway-settings.js";

const chat = targetOf(serverAt("chat-0", 14_000));
const before = gatewaySettings({ targets: { chat }, apiKeys: { chat: "old" } });
const moved = gatewaySettings({
  routes: { chat: { chat: 100 }, code: { code: 100 } },
  targets: { chat: targetOf(serverAt("chat-0", 14_001)), code: targetOf(serverAt("code-0", 14_002)) },
  apiKeys: { chat: "new", code: "code-key" },
});

describe("withComingServers", () => {
  it("knows the replicas that come and those that go, and leads names where they led before", () => {
    const both = withComingServers(before, moved);
    expect(both.routes).toEqual(before.routes);
    expect(both.targets.chat?.servers).toEqual([serverAt("chat-0", 14_000), serverAt("chat-0", 14_001)]);
    expect(both.targets.code?.servers).toEqual([serverAt("code-0", 14_002)]);
    expect(both.apiKeys).toEqual({ chat: "old", code: "code-key" });
  });

  it("changes nothing when nothing comes", () => {
    expect(withComingServers(before, before)).toEqual(before);
  });

  it("leads no name anywhere when nothing serves yet", () => {
    expect(withComingServers(undefined, moved)).toEqual({ ...moved, routes: {} });
  });
});

describe("serversGone", () => {
  it("finds a replica that moved, and all of a deployment that is gone", () => {
    const drainSeconds = chat.drainSeconds;
    const gone = { proxy: "deployment:chat", server: "chat-0:127.0.0.1:14000", drainSeconds };
    expect(serversGone(before, moved)).toEqual([gone]);
    expect(serversGone(before, gatewaySettings({ targets: {} }))).toEqual([gone]);
  });

  it("finds none where nothing was, or all stays", () => {
    expect(serversGone(undefined, moved)).toEqual([]);
    expect(serversGone(before, withComingServers(before, moved))).toEqual([]);
  });
});

describe("parseSettings", () => {
  it("reads what was written, and nothing that is not as it has to be", () => {
    expect(parseSettings(JSON.stringify(moved))).toEqual(moved);
    expect(parseSettings(JSON.stringify({ ...moved, ofAnotherVersion: 1 }))).toEqual(moved);
    for (const text of [undefined, "", "{", "{}", JSON.stringify({ ...moved, listen: "evil" })])
      expect(parseSettings(text)).toBeUndefined();
  });
});

describe("addressText", () => {
  it("puts addresses of IPv6 in brackets", () => {
    expect(addressText({ address: "127.0.0.1", port: 80 })).toBe("127.0.0.1:80");
    expect(addressText({ address: "::1", port: 80 })).toBe("[::1]:80");
  });
});
