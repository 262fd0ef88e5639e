import { describe, expect, it } from "vitest";

import type { ModelGatewayInputs } from "../../../src/resources/model-gateway-inputs.js";
import { modelRoutesKind } from "../../../src/resources/model-routes.js";
import { sha256 } from "../../../src/lib/canonical.js";
import type { ModelGateway } from "../../../src/runtime/model-gateway.js";
import type { ModelGatewaySettings } from "../../../src/runtime/model-gateway-settings.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { FakeGateway } from "../support/fake-gateway.js";
import { FakeSupervisor } from "../support/fake-supervisor.js";
import { MemoryHost } from "../support/memory-host.js";
import { rejectionOf } from "../support/thrown.js";

const inputs: ModelGatewayInputs = {
  ...{ name: "local.routes", owner: "shop/dev", host: { name: "local", connection: "local", dataDir: "/data" } },
  ...{ haproxy: "/usr/sbin/haproxy", runtime: "systemd" },
  listen: { address: "127.0.0.1", port: 8080 },
  metrics: { address: "127.0.0.1", port: 8405 },
  routes: { chat: { chat: 100 } },
  targets: { chat: { servedModel: "chat", servers: [], healthPath: "/health", minHealthySeconds: 0, drainSeconds: 5 } },
  ...{ keys: { ci: {} }, clientKeys: { ci: "hunter2" }, apiKeys: { chat: "engine-key" } },
  ...{ queueSeconds: 30, maxBodyBytes: 1_000_000, accessLog: true },
};

/** Remembers what it was told, and does not find the given replicas healthy. */
class FakeModelGateway implements Pick<
  ModelGateway,
  "settings" | "apply" | "drain" | "awaitHealthy" | "findUnhealthy"
> {
  told: ModelGatewaySettings | undefined;
  constructor(readonly unhealthy: string[] = []) {}
  settings = () => Promise.resolve(this.told);
  apply(settings: ModelGatewaySettings): Promise<void> {
    this.told = settings;
    return Promise.resolve();
  }
  drain = () => Promise.resolve(0);
  awaitHealthy = () => Promise.resolve(this.unhealthy);
  findUnhealthy = () => Promise.resolve(this.unhealthy);
}

const worldWith = (gateway: FakeModelGateway) =>
  contextOf(new MemoryHost(), new FakeSupervisor(), new FakeGateway(), gateway);

describe("the routes of a gateway", () => {
  it("are told, those that go are waited for, and then every replica is reached", async () => {
    const gateway = new FakeModelGateway();
    const { operation, steps } = operationOf();
    await modelRoutesKind.converge(worldWith(gateway), operation, inputs);
    expect(steps).toEqual([
      "tell the gateway what it serves",
      "let requests to replicas that go end",
      "wait until it reaches all replicas",
    ]);
    expect((await modelRoutesKind.observe(worldWith(gateway), inputs, undefined)).drift).toEqual([]);
  });

  it("are told no key of a client, but what it is recognised by", async () => {
    const gateway = new FakeModelGateway();
    await modelRoutesKind.converge(worldWith(gateway), operationOf().operation, inputs);
    expect(JSON.stringify(gateway.told)).not.toContain("hunter2");
    expect(gateway.told?.keyDigests).toEqual({ ci: sha256("hunter2") });
    expect(modelRoutesKind.secrets(inputs)).toEqual(["hunter2", "engine-key"]);
  });

  it("fail, and say which replica is not reached", async () => {
    const gateway = new FakeModelGateway(["chat-0 of chat at 10.0.0.7:14000"]);
    const error = await rejectionOf(modelRoutesKind.converge(worldWith(gateway), operationOf().operation, inputs));
    expect(error.message).toContain("the gateway does not reach every replica");
    expect(error.message).toContain("chat-0 of chat at 10.0.0.7:14000");
    const { drift } = await modelRoutesKind.observe(worldWith(gateway), inputs, undefined);
    expect(drift).toEqual(["does not reach chat-0 of chat at 10.0.0.7:14000"]);
  });

  it("have drifted when the gateway was told something else, or nothing", async () => {
    const gateway = new FakeModelGateway();
    const drift = async () => (await modelRoutesKind.observe(worldWith(gateway), inputs, undefined)).drift;
    expect(await drift()).toEqual(["the gateway was told something else"]);
    await modelRoutesKind.converge(worldWith(gateway), operationOf().operation, { ...inputs, routes: {} });
    expect(await drift()).toEqual(["the gateway was told something else"]);
  });
});
