import { describe, expect, it } from "vitest";

import { findLeftHosts, hostState } from "../../../src/cli/host-state.js";
import { nameOf } from "../../../src/cli/state.js";

const urn = (name: string) => `urn:pulumi:dev::shop::some:type::${name}`;
const extra = (name: string, kind = "Command") => ({ urn: urn(name), kind });
const resource = (kind: string, name: string, host: string) => ({
  urn: urn(name),
  kind,
  outputs: kind === "Host" ? { name, host: { name: host } } : { name, host: { name: host, connection: "local" } },
});

const names = (found: readonly { urn: string }[]) => found.map((each) => nameOf(each.urn));

describe("what a state has of a host", () => {
  it("is the host first, what is on it, and what plugins made for it and its instances", () => {
    const { resources, extras } = hostState("gpu", {
      resources: [resource("Instance", "chat-0", "gpu"), resource("Host", "gpu", "gpu"), resource("Host", "b", "b")],
      extras: ["gpu.setup.a", "gpu.docker", "gpu.network.n", "gpu.volume.v", "chat-0.verify.smoke", "b.setup.a"].map(
        (name) => extra(name),
      ),
    });
    expect(names(resources)).toEqual(["gpu", "chat-0"]);
    expect(names(extras)).toEqual([
      "gpu.setup.a",
      "gpu.docker",
      "gpu.network.n",
      "gpu.volume.v",
      "chat-0.verify.smoke",
    ]);
  });

  it("is nothing of an instance with the host's name on another host", () => {
    const { extras } = hostState("chat-0", {
      resources: [resource("Instance", "chat-0", "gpu"), resource("Host", "chat-0", "chat-0")],
      extras: [extra("chat-0.verify.smoke"), extra("chat-0.setup.a")],
    });
    expect(names(extras)).toEqual(["chat-0.setup.a"]);
  });

  it("may be commands, networks and volumes alone", () => {
    const state = { resources: [], extras: [extra("gpu.setup.a"), extra("b.docker", "docker")] };
    const { resources, extras, known } = hostState("gpu", state);
    expect([resources, names(extras), known]).toEqual([[], ["gpu.setup.a"], ["b", "gpu"]]);
  });
});

describe("hosts that are left", () => {
  const resources = [
    resource("Host", "old", "old"),
    resource("Instance", "chat-10", "old"),
    resource("Instance", "chat-9", "old"),
    resource("Host", "gpu", "gpu"),
    resource("Instance", "chat-0", "gpu"),
  ];

  it("are those of the state that the lock has no more, with what is on them", () => {
    expect(findLeftHosts({ inStack: ["gpu"], inLock: ["gpu"] }, { resources })).toEqual([
      { name: "old", leftBy: "lock", instances: ["chat-9", "chat-10"] },
    ]);
  });

  it("are those of the lock that the stack file has no more, whether they were brought up or not", () => {
    expect(findLeftHosts({ inStack: [], inLock: ["gpu", "never", "old"] }, { resources })).toEqual([
      { name: "gpu", leftBy: "stack file", instances: ["chat-0"] },
      { name: "never", leftBy: "stack file", instances: [] },
      { name: "old", leftBy: "stack file", instances: ["chat-9", "chat-10"] },
    ]);
  });

  it("are none where the state has what the lock has, or less", () => {
    expect(findLeftHosts({ inStack: ["gpu", "new", "old"], inLock: ["gpu", "new", "old"] }, { resources })).toEqual([]);
  });
});
