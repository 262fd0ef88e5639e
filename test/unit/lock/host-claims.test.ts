import { describe, expect, it } from "vitest";

import { claimsOn } from "../../../src/lock/host-claims.js";
import type { LockFile } from "../../../src/schema/lock.js";

const memory = {
  option: "hosts2",
  basis: "estimate" as const,
  devices: [{ device: "GPU-b", weightsBytes: 1, cacheBytes: 1, otherBytes: 1, takenBytes: 3 }],
  hostBytes: 10,
};
const instance: LockFile["placement"]["instances"][string] = {
  ...{ deployment: "chat", host: "a", devices: [], runtime: "supervisord", port: 14_000, bindAddress: "127.0.0.1" },
  ...{ secretEnv: {}, minHealthySeconds: 0, healthyDeadlineSeconds: 10, stopSeconds: 1 },
  subordinates: [{ host: "b", devices: ["GPU-b"], memory, runtime: "supervisord", port: 14_001, serverPort: 14_002 }],
};
const lock = { placement: { hosts: {}, instances: { "chat-0": instance } } };

describe("claimsOn", () => {
  it("has what an instance has of its own host under its name", () => {
    expect(claimsOn("a", lock, "shop/dev")).toEqual([{ port: 14_000, owner: "shop/dev", instance: "chat-0" }]);
  });

  it("has what it has of another host under its name and the host's", () => {
    const holder = { owner: "shop/dev", instance: "chat-0.b" };
    expect(claimsOn("b", lock, "shop/dev")).toEqual([
      { port: 14_001, ...holder },
      { port: 14_002, ...holder },
      { device: "GPU-b", bytes: 3, ...holder },
    ]);
  });

  it("has the port of a Ray cluster's head under the instance's name and its own host's, and no device twice", () => {
    const head = { host: "a", ray: "head" as const, devices: [], runtime: "supervisord" as const, port: 14_001 };
    const own = { ...instance, devices: ["GPU-a"], subordinates: [head] };
    const claims = claimsOn("a", { placement: { hosts: {}, instances: { "chat-0": own } } }, "shop/dev");
    expect(claims).toEqual([
      { port: 14_000, owner: "shop/dev", instance: "chat-0" },
      { device: "GPU-a", owner: "shop/dev", instance: "chat-0" },
      { port: 14_001, owner: "shop/dev", instance: "chat-0.a" },
    ]);
  });
});
