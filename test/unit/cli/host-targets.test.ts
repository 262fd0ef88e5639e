import { describe, expect, it } from "vitest";

import { hostTargets, type TargetProblem } from "../../../src/cli/host-targets.js";
import { desiredExtras } from "../../../src/planner/desired-commands.js";
import { desiredStack } from "../../../src/planner/desired.js";
import { place } from "../../../src/planner/placement.js";
import { chat, problemOf, stackOf } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

const hosts = {
  a: { connection: "local", dataDir: "/a" },
  b: { connection: "local", dataDir: "/b", setup: { sysctl: "true" } },
} as const;

function targets(named: readonly string[], state: TargetProblem["state"] = { resources: [], extras: [] }): string[] {
  const stack = stackOf({ chat: chat({ replicas: 2, verify: { smoke: "true" } }) }, { hosts });
  const problem = problemOf(stack);
  const lock = { release: problem.release, placement: place(problem) };
  const desired = desiredStack(lock, "/");
  return hostTargets({ stack: "dev", project: "shop", hosts: named, desired, extras: desiredExtras(lock), state });
}

const instance = (name: string, host: string) => ({
  urn: `urn:pulumi:dev::shop::some:type::${name}`,
  kind: "Instance",
  outputs: { name, host: { name: host } },
});

describe("what an up of some hosts is about", () => {
  it("is all that the lock wants there, by type and name, and nothing of other hosts", () => {
    expect(targets(["b"]).map((target) => target.replace("urn:pulumi:dev::shop::**", ""))).toEqual([
      "::b.setup.sysctl",
      "::chat-1.verify.smoke",
      expect.stringMatching(/^berth:BackendVersion::b\.engine_2\.0$/),
      "berth:Host::b",
      "berth:Instance::chat-1",
      expect.stringMatching(/^berth:ModelFiles::b\.[0-9a-f]{12}$/),
      "berth:index:Stack::*",
    ]);
    expect(new Set([...targets(["a"]), ...targets(["b"])])).toEqual(new Set(targets(["a", "b"])));
  });

  it("is also what the state has there and nobody wants any more", () => {
    const old = instance("old-0", "b");
    expect(targets(["b"], { resources: [old], extras: [] })).toContain(old.urn);
    expect(targets(["a"], { resources: [old], extras: [] })).not.toContain(old.urn);
  });

  it("is an error for a host that neither lock nor state has, with those that there are", () => {
    const error = thrownBy(() => targets(["a", "c"], { resources: [instance("old-0", "z")], extras: [] }));
    expect([error.code, error.parts.got, error.parts.expected]).toEqual(["usage", "c", "a, b, z"]);
  });

  it("is an error for half a move of an instance", () => {
    const state = { resources: [instance("chat-1", "a")], extras: [] };
    expect(thrownBy(() => targets(["b"], state)).message).toContain(
      "instance chat-1: it moves from one host to another, and only one of them is named",
    );
    expect(() => targets(["a", "b"], state)).not.toThrow();
  });
});
