import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { stockOf } from "../../../src/planner/fleet-hosts.js";
import type { KnownHost } from "../../../src/planner/host-choice.js";
import { placeReplicas } from "../../../src/planner/replica-placement.js";
import type { Candidate, ReplicaPlace } from "../../../src/planner/replica-problem.js";
import { listWays } from "../../../src/planner/ways.js";
import { gpuHost } from "../support/gpus.js";
import { hubModel } from "../support/memory-models.js";
import { chat, stackOf } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

const gib = 2 ** 30;
const local = { connection: "local" } as const;
type Fields = Parameters<typeof chat>[0] & { readonly model?: never; readonly size?: number };

/** Deployments of a model of 14 GiB for vLLM, or, with a size, of an engine that is stated to take so many GiB. */
function placed(
  hosts: Readonly<Record<string, KnownHost>>,
  deployments: Readonly<Record<string, Fields>>,
  previous?: ReturnType<typeof lockOf>,
): ReadonlyMap<string, ReplicaPlace> {
  const entries = Object.entries(deployments).map(([name, { size, ...fields }]) => {
    const resources = size === undefined ? {} : { resources: { vramBytes: size * gib } };
    return [name, chat({ ...fields, ...resources })] as const;
  });
  const named = Object.keys(hosts).map((name) => [name, { ...local, dataDir: `/${name}` }] as const);
  const stack = stackOf(Object.fromEntries(entries), { hosts: Object.fromEntries(named) });
  const candidates = Object.entries(stack.deployments).map(([name, deployment]): Candidate => {
    const ways = listWays({
      deployment,
      parameters: ["--max-model-len", "8192"],
      variables: [],
      engine: { kind: "known", model: hubModel("Qwen2.5-7B"), isExact: true },
      tensorParallelSize: undefined,
      tensorParallelFlag: undefined,
      devices: stockOf(
        "cuda",
        Object.values(hosts).map(({ facts }) => facts),
      ),
    });
    return { name, deployment, hosts: Object.keys(hosts), ways, modelSha256: "m" };
  });
  return placeReplicas({ owner: "shop/dev", stack, hosts, candidates, previous, modelsBefore: {} });
}

const whereOf = (places: ReadonlyMap<string, ReplicaPlace>) =>
  Object.fromEntries([...places].map(([name, { host, devices }]) => [name, `${host} ${devices.join("+")}`]));

const lockOf = (places: ReadonlyMap<string, ReplicaPlace>) => ({ instances: Object.fromEntries(places) });

describe("placeReplicas", () => {
  it("gives each replica devices with room, apart where it can, and tells what it takes of them", () => {
    const places = placed({ a: gpuHost(1), b: gpuHost(1) }, { chat: { replicas: 2 } });
    expect(whereOf(places)).toEqual({ "chat-0": "a GPU-0", "chat-1": "b GPU-0" });
    expect(places.get("chat-0")?.memory).toMatchObject({ option: "tp1", devices: [{ takenBytes: 72 * gib }] });
  });

  it("puts several on one device while they fit", () => {
    const places = placed({ a: gpuHost(2) }, { one: { size: 30 }, two: { size: 30 }, three: { size: 60 } });
    const where = whereOf(places);
    expect(where.one).toBe(where.two);
    expect(new Set(Object.values(where)).size).toBe(2);
  });

  it("keeps what was placed when a host and a deployment are added, whatever would be better now", () => {
    const before = placed({ b: gpuHost(1) }, { chat: { size: 30 } });
    const after = placed({ a: gpuHost(8), b: gpuHost(1) }, { chat: { size: 30 }, next: { size: 60 } }, lockOf(before));
    expect(whereOf(after)).toMatchObject({ "chat-0": "b GPU-0" });
    expect(after.get("next-0")?.host).toBe("a");
  });

  it("places those of a greater priority when not all fit, and tells what the others lack", () => {
    const deployments = { low: { size: 60 }, high: { size: 60, placement: { priority: 1 } } };
    const error = thrownBy(() => placed({ a: gpuHost(1) }, deployments));
    expect([error.code, error.parts.where]).toEqual(["does-not-fit", "deployment low"]);
    expect(error.message).toContain("got: host a has 1 × 20.0 GiB");
    expect(error.message).toContain("expected: 1 × 60.0 GiB (stated1)");
    expect(error.message).toContain("take another deployment off, or add a host with 1 × 60.0 GiB");
  });

  it("proposes a change with which it would fit", () => {
    const small = { a: gpuHost(1, {}, { memoryBytes: 17.7 * gib }) };
    const error = thrownBy(() => placed(small, { chat: {} }));
    expect(error.parts.hint).toContain("`contextLength: 4096`");
  });

  it("uses the devices that somebody names, and refuses those that are not there", () => {
    const devices = { a: ["GPU-3"] };
    expect(whereOf(placed({ a: gpuHost(4) }, { chat: { placement: { devices } } }))).toEqual({ "chat-0": "a GPU-3" });
    const none = thrownBy(() => placed({ a: gpuHost(0) }, { chat: { placement: { devices } } }));
    expect(none.parts.expected).toBe("no device: the host has none that is placed");
    const error = thrownBy(() => placed({ a: gpuHost(2) }, { chat: { placement: { devices } } }));
    expect([error.code, error.parts.got, error.parts.expected]).toEqual([
      "stack-inconsistent",
      "GPU-3",
      "GPU-0, GPU-1",
    ]);
  });

  it("keeps deployments apart that are to be, and replicas where each host has one port for them", () => {
    const hosts = { a: gpuHost(2), b: gpuHost(2) };
    const apart = whereOf(placed(hosts, { one: { size: 1 }, two: { size: 1, placement: { apartFrom: ["one"] } } }));
    expect(apart["one-0"]?.[0]).not.toBe(apart["two-0"]?.[0]);
    const error = thrownBy(() => placed(hosts, { chat: { size: 1, replicas: 3, port: 8080 } }));
    expect(error.code).toBe("does-not-fit");
  });

  it("gives the same places in whatever order hosts and deployments come, and moves nothing the second time", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(sizes, (all) => {
        const hosts = { a: gpuHost(2), b: gpuHost(4), c: gpuHost(1) };
        const deployments = Object.fromEntries(all.map((size, index) => [`d${index}`, { size }]));
        const places = placed(hosts, deployments);
        const turned = <T>(record: Record<string, T>) => Object.fromEntries(Object.entries(record).reverse());
        expect([...placed(turned(hosts), turned(deployments))]).toEqual([...places]);
        expect([...placed(hosts, deployments, lockOf(places))]).toEqual([...places]);
      }),
      { numRuns: 30 },
    );
  });
});
