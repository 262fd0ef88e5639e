import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { desiredStack } from "../../../src/planner/desired.js";
import { place } from "../../../src/planner/placement.js";
import type { ReplicaPlace } from "../../../src/planner/replica-problem.js";
import type { LockedDeployment, Placement } from "../../../src/schema/lock.js";
import { gpu } from "../support/gpus.js";
import { chat, knownHost, problemOf, stackOf } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

const names = ["one", "two", "three"] as const;
const hosts = Object.fromEntries(
  names.map((name) => {
    const accelerators = [0, 1].map((index) => gpu(index, { uuid: `${name}-${index}` }));
    return [name, knownHost(`/${name}`, { facts: { accelerators } })] as const;
  }),
);
const memory = { option: "tp2pp2", basis: "stated", devices: [], hostBytes: 1000 } as const;
const part = (host: string, ...indices: number[]) => ({
  host,
  devices: indices.map((index) => `${host}-${index}`),
  memory: { ...memory, devices: [] },
});
type Part = ReturnType<typeof part>;

interface Changes {
  readonly parts?: readonly [Part, ...Part[]];
  readonly version?: string;
  readonly previous?: Placement;
  readonly secretEnv?: Readonly<Record<string, { readonly secret: string }>>;
}

/** A deployment whose only replica has two devices of each of two hosts; its release before was version 1. */
function problem({ parts, version = "1", previous, secretEnv = {} }: Changes = {}) {
  const [primary, ...subordinates] = parts ?? [part("one", 0, 1), part("two", 0, 1)];
  const chosen: ReplicaPlace = { deployment: "chat", ...primary, arguments: ["--stages", "2"], subordinates };
  const named = names.map((name, index) => {
    const privateAddress = `10.0.0.${index + 1}`;
    return [name, { connection: "ssh", ssh: { address: name }, dataDir: `/${name}`, privateAddress }] as const;
  });
  const stack = stackOf({ chat: chat({ host: "one", secretEnv }) }, { hosts: Object.fromEntries(named) });
  const whole = problemOf(stack, { hosts });
  const releaseOf = (backendVersion: string): Record<string, LockedDeployment> => {
    const { chat: release } = whole.release;
    if (release === undefined) throw new Error("no release");
    return { chat: { ...release, backendVersion, distributed: { method: "ray" } } };
  };
  const before = previous === undefined ? {} : { previous, releaseBefore: releaseOf("1") };
  return { ...whole, release: releaseOf(version), places: new Map([["chat-0", chosen]]), ...before };
}

const placed = (changes?: Changes) => place(problem(changes));
const nodesOf = ({ instances }: Placement) => instances["chat-0"]?.subordinates ?? [];
const portsOf = (placement: Placement) => nodesOf(placement).map(({ host, port }) => `${host} ${port}`);

describe("an instance that Ray holds together", () => {
  it("has a head beside its engine, and a member on each other host, without anything before them", () => {
    const placement = placed();
    expect(placement.instances["chat-0"]).toMatchObject({ host: "one", port: 14_000, arguments: ["--stages", "2"] });
    expect(nodesOf(placement)).toEqual([
      { host: "one", ray: "head", devices: [], runtime: "supervisord", port: 14_001 },
      { ...part("two", 0, 1), ray: "member", runtime: "supervisord", port: 14_000 },
    ]);
  });

  it("keeps its cluster while all of it is the same", () => {
    const before = placed();
    expect(placed({ previous: before }).instances).toEqual(before.instances);
  });

  it.each<[string, Changes]>([
    ["another version", { version: "2" }],
    ["another device of its own host", { parts: [part("one", 0), part("two", 0, 1)] }],
    ["another device of another host", { parts: [part("one", 0, 1), part("two", 1)] }],
    ["another host", { parts: [part("one", 0, 1), part("three", 0, 1)] }],
    ["one host more", { parts: [part("one", 0, 1), part("two", 0, 1), part("three", 0, 1)] }],
    ["its primary elsewhere", { parts: [part("two", 0, 1), part("one", 0, 1)] }],
  ])("has a whole new cluster beside the old one with %s", (_, changes) => {
    const before = placed();
    const after = placed({ ...changes, previous: before });
    expect(portsOf(after).filter((port) => portsOf(before).includes(port))).toEqual([]);
  });

  it("is found by its engine, whose host and devices the head has", () => {
    const asked = problem();
    const { instances, subordinates } = desiredStack({ release: asked.release, placement: place(asked) }, "/project");
    expect(instances[0]?.env).toEqual({
      CUDA_VISIBLE_DEVICES: "one-0,one-1",
      ...{ RAY_ADDRESS: "10.0.0.1:14001", RAY_AUTH_MODE: "token", VLLM_HOST_IP: "10.0.0.1" },
    });
    const common = { executable: "ray", admits: "10.0.0.1" };
    const cluster = { headAddress: "10.0.0.1:14001", devices: 2, nodes: 2 };
    expect(subordinates).toMatchObject([
      {
        ...{ ...common, name: "chat-0.one.14001", holder: "chat-0.one", address: "10.0.0.1" },
        ray: { role: "head", ...cluster },
        env: { CUDA_VISIBLE_DEVICES: "one-0,one-1", VLLM_HOST_IP: "10.0.0.1" },
      },
      {
        ...{ ...common, name: "chat-0.two.14000", holder: "chat-0.two", address: "10.0.0.2" },
        ray: { role: "member", ...cluster },
        env: { CUDA_VISIBLE_DEVICES: "two-0,two-1", VLLM_HOST_IP: "10.0.0.2" },
      },
    ]);
    expect(instances[0]?.subordinates).toEqual(["chat-0.one.14001", "chat-0.two.14000"]);
  });

  it("has no secret in its environment or lock: where the token lies is the host's to tell", () => {
    const asked = problem();
    const placement = place(asked);
    const text = JSON.stringify([placement, desiredStack({ release: asked.release, placement }, "/project")]);
    expect(text).not.toMatch(/TOKEN/);
  });

  it("is refused where the deployment gives a cluster's token itself", () => {
    const { parts } = thrownBy(() => placed({ secretEnv: { RAY_AUTH_TOKEN: { secret: "ray" } } }));
    expect(parts).toMatchObject({ where: "deployment chat", got: "RAY_AUTH_TOKEN" });
  });

  it("never has a port twice on a host, whatever was there before", () => {
    const group = fc
      .shuffledSubarray([...names], { minLength: 2 })
      .chain((chosen) => fc.tuple(...chosen.map((name) => fc.subarray([0, 1]).map((each) => part(name, ...each)))));
    const change = fc.record({ parts: group, version: fc.constantFrom("1", "2") });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        let previous: Placement | undefined;
        for (const { parts, version } of changes) {
          const [first, ...others] = parts;
          if (first === undefined) throw new Error("a group without hosts");
          const given = previous === undefined ? {} : { previous };
          previous = placed({ parts: [first, ...others], version, ...given });
          const instance = previous.instances["chat-0"];
          const held = [`${instance?.host} ${instance?.port}`, ...portsOf(previous)];
          expect(new Set(held).size).toBe(held.length);
          expect(nodesOf(previous).map(({ ray }) => ray)).toEqual(["head", ...others.map(() => "member")]);
        }
      }),
      { numRuns: 50 },
    );
  });
});
