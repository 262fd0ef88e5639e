import { describe, expect, it } from "vitest";

import { planClient, type ClientChoice, type ClientDecisions } from "../../../src/planner/client-choice.js";

const instances = {
  "chat-1": { deployment: "chat" },
  "chat-0": { deployment: "chat" },
  "find-0": { deployment: "find" },
};
const release = { chat: {}, find: { category: "embedding", servedModel: "bge" } } as const;
const plain: ClientDecisions = { release, placement: { instances } };
const there = { haproxy: "/usr/sbin/haproxy", runtime: "systemd" } as const;
const routed: ClientDecisions = {
  release,
  placement: {
    instances,
    gateway: {
      hosts: { two: there, one: there },
      routes: { chat: { chat: 100 }, bge: { find: 100 }, "gpt-4o": { chat: 90, find: 10 } },
      keys: { ci: { secret: "ci-key", models: ["chat"] }, all: { secret: "all-key" } },
    },
  },
};

describe("what a client asks", () => {
  it("is the instances of a deployment where there is no gateway, in their order", () => {
    const asked = {
      by: "instances",
      deployment: "chat",
      model: "chat",
      category: "llm",
      instances: ["chat-0", "chat-1"],
    };
    expect(planClient(plain, { deployment: "chat" })).toEqual(asked);
    expect(planClient(routed, { deployment: "chat", direct: true })).toEqual(asked);
  });

  it("is the gateway, by the name under which the deployment is served, with the one key that may", () => {
    expect(planClient(routed, { deployment: "find" })).toMatchObject({
      ...{ by: "gateway", model: "bge", category: "embedding", hosts: ["one", "two"], tls: false },
      key: { name: "all", secret: "all-key" },
    });
  });

  it("is what another name leads to, with the key that is named", () => {
    expect(planClient(routed, { model: "gpt-4o", key: "all" })).toMatchObject({ deployment: "chat", model: "gpt-4o" });
  });

  it.each<[ClientDecisions, ClientChoice, string]>([
    [plain, {}, "expected: chat or find"],
    [plain, { deployment: "constructor" }, "the lock has no such deployment"],
    [plain, { deployment: "chat", model: "gpt-4o" }, "the stack has no gateway"],
    [routed, { deployment: "chat", direct: true, key: "all" }, "--direct asks no gateway"],
    [routed, { model: "gpt-5" }, "expected: bge, chat, gpt-4o"],
    [routed, { deployment: "find", model: "chat", key: "all" }, "the model chat does not lead to that deployment"],
    [routed, { deployment: "chat" }, "expected: --key all or --key ci"],
    [routed, { deployment: "chat", key: "none" }, "the gateway has no such key"],
    [{ release: {}, placement: { instances: {} } }, {}, "the lock has no deployment"],
  ])("has to be clear", (lock, choice, why) => {
    expect(() => planClient(lock, choice)).toThrow(why);
  });
});
