import { describe, expect, it } from "vitest";

import { hostState } from "../../../src/cli/host-state.js";
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
