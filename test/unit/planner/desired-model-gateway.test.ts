import { describe, expect, it } from "vitest";

import { desiredModelGateways, type GatewayDecisions } from "../../../src/planner/desired-model-gateway.js";
import type { PlacedGateway } from "../../../src/schema/gateway.js";

const reference = (name: string) => ({ name, connection: "local" as const, dataDir: `/${name}` });
const on = { haproxy: "/usr/sbin/haproxy", runtime: "systemd" } as const;
const gateway: PlacedGateway = {
  hosts: { "gw-1": on, "gw-2": on },
  listen: { address: "0.0.0.0", port: 8443 },
  metrics: { address: "127.0.0.1", port: 8405 },
  routes: { chat: { chat: 100 } },
  keys: { ci: { secret: "gatewayKeyCi", requestsPerMinute: 60 } },
  limits: { chat: { concurrency: 8 } },
  ...{ queueSeconds: 30, maxBodyBytes: 33_554_432, accessLog: true },
};
const placed = { deployment: "chat", bindAddress: "0.0.0.0", minHealthySeconds: 10, drainSeconds: 90 };
const ssh = (address: string) => ({ connection: "ssh" as const, ssh: { address } });
const decisions: GatewayDecisions = {
  release: { chat: { healthPath: "/health", apiKeyVariable: "VLLM_API_KEY", servedModel: "Qwen/Qwen3-8B" } },
  placement: {
    gateway,
    hosts: {
      "gw-1": ssh("gw-1.example.net"),
      "gw-2": ssh("gw-2.example.net"),
      gpu: { ...ssh("gpu"), privateAddress: "10.0.0.7" },
    },
    instances: {
      "chat-0": { ...placed, host: "gpu", port: 14_000, secretEnv: { VLLM_API_KEY: "chatKey", OTHER: "x" } },
      "chat-1": { ...placed, host: "gw-2", port: 14_001, secretEnv: { VLLM_API_KEY: "chatKey" } },
    },
  },
};
const references = { "gw-1": reference("gw-1"), "gw-2": reference("gw-2"), gpu: reference("gpu") };

describe("desiredModelGateways", () => {
  it("is the same on each of its hosts, but for the addresses of replicas that are on the host itself", () => {
    const [one, two] = desiredModelGateways(decisions, references);
    expect([one?.name, one?.routesName, two?.name]).toEqual(["gw-1.models", "gw-1.routes", "gw-2.models"]);
    const servers = (address: string) => [
      { instance: "chat-0", address: "10.0.0.7", port: 14_000 },
      { instance: "chat-1", address, port: 14_001 },
    ];
    expect(one?.targets.chat?.servers).toEqual(servers("gw-2.example.net"));
    expect(two?.targets.chat?.servers).toEqual(servers("127.0.0.1"));
  });

  it("tells of a deployment what its engine wants, and names secrets alone", () => {
    const [one] = desiredModelGateways(decisions, references);
    expect(one?.targets.chat).toMatchObject({
      ...{ servedModel: "Qwen/Qwen3-8B", healthPath: "/health", concurrency: 8 },
      ...{ minHealthySeconds: 10, drainSeconds: 90 },
    });
    expect(one?.apiKeySecrets).toEqual({ chat: "chatKey" });
    expect(one?.keySecrets).toEqual({ ci: "gatewayKeyCi" });
    expect(one?.keys).toEqual({ ci: { requestsPerMinute: 60 } });
  });

  it("is none without a gateway", () => {
    const { gateway: _, ...placement } = decisions.placement;
    expect(desiredModelGateways({ ...decisions, placement }, references)).toEqual([]);
  });
});
