import { describe, expect, it } from "vitest";

import { desiredStack } from "../../../src/planner/desired.js";
import { place } from "../../../src/planner/placement.js";
import type { ReplicaPlace } from "../../../src/planner/replica-problem.js";
import type { LockedDeployment, Placement } from "../../../src/schema/lock.js";
import { chat, knownHost, problemOf, stackOf } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

const haproxy = { path: "/usr/sbin/haproxy", version: "2.6.12" };
const hosts = {
  one: knownHost("/one", { facts: { haproxy } }),
  two: knownHost("/two", { facts: { haproxy } }),
};
const memory = { option: "hosts2", basis: "estimate", devices: [], hostBytes: 1000 } as const;
const chosen: ReplicaPlace = {
  deployment: "chat",
  host: "one",
  devices: [],
  memory: { ...memory, devices: [] },
  arguments: ["--tensor-split", "3"],
  subordinates: [{ host: "two", devices: [], memory: { ...memory, devices: [] } }],
};

const distributed = { method: "rpc", executable: "ggml-rpc-server" } as const;

interface Changes {
  readonly version?: string;
  readonly previous?: Placement;
  readonly known?: typeof hosts;
  readonly update?: { readonly strategy: "blueGreen" };
}

/** A deployment whose only replica has the hosts `one` and `two`; its release before was version 1. */
function placed(changes: Changes = {}): Placement {
  return place(problem(changes));
}

function problem({ version = "1", previous, known = hosts, update }: Changes) {
  const named = Object.fromEntries(
    ["one", "two"].map((name, index) => [
      name,
      { connection: "local", dataDir: `/${name}`, privateAddress: `10.0.0.${index + 1}` } as const,
    ]),
  );
  const stack = stackOf({ chat: chat({ host: "one", ...(update && { update }) }) }, { hosts: named });
  const whole = problemOf(stack, { hosts: known });
  const releaseOf = (backendVersion: string): Record<string, LockedDeployment> => {
    const { chat: release } = whole.release;
    if (release === undefined) throw new Error("no release");
    return { chat: { ...release, backendVersion, distributed } };
  };
  const before = previous === undefined ? {} : { previous, releaseBefore: releaseOf("1") };
  return { ...whole, release: releaseOf(version), places: new Map([["chat-0", chosen]]), ...before };
}

describe("an instance that has two hosts", () => {
  it("names the address of the other among its arguments, where something stands before the server", () => {
    const { instances, hosts: there } = placed();
    expect(instances["chat-0"]).toMatchObject({
      host: "one",
      arguments: ["--rpc", "10.0.0.2:14001", "--tensor-split", "3"],
      subordinates: [{ host: "two", port: 14_001, serverPort: 14_002, haproxy: haproxy.path, runtime: "supervisord" }],
    });
    expect(there.two?.privateAddress).toBe("10.0.0.2");
  });

  it("has no port before the server on a host without HAProxy, which the stack has allowed", () => {
    const known = { ...hosts, two: knownHost("/two") };
    const [subordinate] = placed({ known }).instances["chat-0"]?.subordinates ?? [];
    expect(subordinate).toMatchObject({ port: 14_001 });
    expect(subordinate).not.toHaveProperty("serverPort");
  });

  it("keeps the ports while the engine is the same, and has others beside them for another version", () => {
    const before = placed();
    const claims = [14_001, 14_002].map((port) => ({ port, owner: "shop/dev", instance: "chat-0.two" }));
    const used = { ...hosts, two: knownHost("/two", { facts: { haproxy }, listeningPorts: [14_001, 14_002], claims }) };
    expect(placed({ previous: before, known: used }).instances).toEqual(before.instances);
    const [after] = placed({ previous: before, version: "2" }).instances["chat-0"]?.subordinates ?? [];
    expect([after?.port, after?.serverPort]).toEqual([14_003, 14_004]);
  });

  it("has no second runner beside it in an update", () => {
    const error = thrownBy(() => placed({ update: { strategy: "blueGreen" } }));
    expect(error.parts.what).toContain("several hosts");
    expect(placed().instances["chat-0"]).not.toHaveProperty("slots");
  });

  it("needs its backend version on both hosts, and its model on its own alone", () => {
    const asked = problem({});
    const desired = desiredStack({ release: asked.release, placement: place(asked) }, "/project");
    expect(desired.backendVersions.map(({ host }) => host.name)).toEqual(["one", "two"]);
    expect(desired.models.map(({ host }) => host.name)).toEqual(["one"]);
    expect(desired.subordinates).toMatchObject([
      {
        name: "chat-0.two.14001",
        holder: "chat-0.two",
        instance: "chat-0",
        address: "10.0.0.2",
        admits: "10.0.0.1",
        executable: "ggml-rpc-server",
      },
    ]);
    expect(desired.instances[0]?.subordinates).toEqual(["chat-0.two.14001"]);
    expect(desired.hosts.find(({ name }) => name === "two")?.inventory).toContain("Subordinate/chat-0.two.14001");
  });
});
