import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { placeGateway, type GatewayProblem } from "../../../src/planner/gateway-placement.js";
import { gatewayEntry } from "../../../src/schema/gateway.js";
import { facts, knownHost } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

const haproxy = { path: "/usr/sbin/haproxy", version: "2.6.12-1+deb12u4" };
const ssh = (address: string) => ({
  connection: "ssh" as const,
  ssh: { address },
  labels: {},
  portRange: [14_000, 14_999],
});
const hosts = { gw: ssh("gw.example.net"), gpu: ssh("gpu.example.net") };
const instance = { host: "gpu", bindAddress: "0.0.0.0", port: 14_000, slots: undefined };

const grouped = { ...instance, host: "gw", subordinates: [{ host: "gpu", port: 14_002, serverPort: 14_003 }] };

interface Changes {
  readonly gateway?: object;
  readonly instances?: GatewayProblem["instances"];
  readonly release?: GatewayProblem["release"];
  readonly entries?: object;
  readonly version?: string | undefined;
}

function problem({ gateway = {}, entries = {}, version = haproxy.version, ...changes }: Changes = {}): GatewayProblem {
  const known = { facts: { ...facts, haproxy: { ...haproxy, version } } };
  return {
    stack: { hosts: { ...hosts, ...entries }, gateway: gatewayEntry.parse({ hosts: ["gw"], ...gateway }) } as never,
    hosts: { gw: knownHost("/d", known), gpu: knownHost("/d", known) },
    release: { chat: {}, code: {} },
    instances: { "chat-0": instance, "code-0": { ...instance, port: 14_001 } },
    chooseRuntime: () => "systemd",
    ...changes,
  };
}

describe("placeGateway", () => {
  it("leads each deployment's name to it, and each alias where it says", () => {
    const aliases = { "gpt-4o": "chat", "org/mixed": { chat: 90, code: 10 } };
    expect(placeGateway(problem({ gateway: { aliases } }))).toMatchObject({
      hosts: { gw: { haproxy: haproxy.path, runtime: "systemd" } },
      listen: { address: "127.0.0.1", port: 8080 },
      routes: {
        chat: { chat: 100 },
        code: { code: 100 },
        "gpt-4o": { chat: 100 },
        "org/mixed": { chat: 90, code: 10 },
      },
    });
  });

  it("knows a deployment by the name under which its engine serves it", () => {
    const release = { chat: { servedModel: "Qwen/Qwen3-8B" }, code: {} };
    expect(placeGateway(problem({ release }))?.routes).toEqual({ "Qwen/Qwen3-8B": { chat: 100 }, code: { code: 100 } });
  });

  it("is the same whatever the order of aliases, keys and hosts", () => {
    const aliases = { a: "chat", b: "code", c: { chat: 1, code: 2 } };
    const keys = { one: { secret: "one", models: ["chat", "a"] }, two: { secret: "two" } };
    const placed = JSON.stringify(placeGateway(problem({ gateway: { aliases, keys } }))?.routes);
    fc.assert(
      fc.property(fc.shuffledSubarray(Object.entries(aliases), { minLength: 3 }), (order) => {
        const shuffled = placeGateway(problem({ gateway: { aliases: Object.fromEntries(order), keys } }));
        expect(JSON.stringify(shuffled?.routes)).toBe(placed);
      }),
    );
  });

  it("holds names of secrets, and no secret", () => {
    const keys = { ci: { secret: "gatewayKeyCi", models: ["chat"], requestsPerMinute: 60 } };
    expect(placeGateway(problem({ gateway: { keys } }))?.keys).toEqual(keys);
  });

  it("is not there without the stack's word", () => {
    expect(placeGateway({ ...problem(), stack: { hosts } as never })).toBeUndefined();
  });

  const loopback = { "chat-0": { ...instance, bindAddress: "127.0.0.1" } };
  const local = { gw: { connection: "local", labels: {} }, gpu: { connection: "local", labels: {} } };

  it.each<[string, Changes, RegExp]>([
    ["an alias of nothing", { gateway: { aliases: { x: "chatt" } } }, /gateway\.aliases\.x: the stack has no such/],
    ["an alias that is a deployment's name", { gateway: { aliases: { chat: "code" } } }, /a deployment has this name/],
    [
      "limits of nothing",
      { gateway: { limits: { chatt: { concurrency: 1 } } } },
      /gateway\.limits: the stack has no such/,
    ],
    [
      "a key for a model that is not there",
      { gateway: { keys: { a: { secret: "a", models: ["x"] } } } },
      /no such model/,
    ],
    ["two keys of one secret", { gateway: { keys: { a: { secret: "a" }, b: { secret: "a" } } } }, /the same secret/],
    [
      "an open address without keys",
      { gateway: { listen: "0.0.0.0:8080" } },
      /an address that others can reach needs keys/,
    ],
    ["a host that is not there", { gateway: { hosts: ["gww"] } }, /gateway\.hosts: the stack has no such host/],
    ["a host without HAProxy for it", { version: "2.4.24" }, /no HAProxy that can route by model/],
    ["a host that is to have none", { entries: { gw: { ...hosts.gw, gateway: "none" } } }, /is to have no HAProxy/],
    ["a replica on another host's loopback", { instances: loopback }, /bindAddress: 0\.0\.0\.0` and an `apiKey`/],
    [
      "a replica's port",
      { entries: local, gateway: { listen: "127.0.0.1:14001" } },
      /the instance code-0 has the port/,
    ],
    [
      "the port of what an instance has on another host",
      { instances: { "chat-0": grouped }, gateway: { hosts: ["gpu"], listen: "127.0.0.1:14002" } },
      /chat-0 has the port on host gpu/,
    ],
    [
      "the port of a server behind that",
      { instances: { "chat-0": grouped }, gateway: { hosts: ["gpu"], metrics: "127.0.0.1:14003" } },
      /chat-0 has the port on host gpu/,
    ],
    [
      "one port for requests and metrics",
      { gateway: { listen: "0.0.0.0:8405", insecure: true } },
      /requests and metrics have one port/,
    ],
    ["two hosts that are one machine", { entries: local, gateway: { hosts: ["gw", "gpu"] } }, /are one machine/],
    [
      "two deployments of one name",
      { release: { chat: { servedModel: "x" }, code: { servedModel: "x" } } },
      /same name/,
    ],
    ["a name that is none", { release: { chat: { servedModel: 'a"b' } } }, /cannot lead to the name/],
  ])("refuses %s, and says what to do", (_, changes, message) => {
    const error = thrownBy(() => placeGateway(problem(changes)));
    expect(error.message).toMatch(message);
    expect(error.message).toContain("to do: ");
  });
});
