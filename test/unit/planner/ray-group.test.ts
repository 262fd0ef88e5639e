import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { stockOf } from "../../../src/planner/fleet-hosts.js";
import type { KnownHost } from "../../../src/planner/host-choice.js";
import { placeReplicas } from "../../../src/planner/replica-placement.js";
import type { Candidate, ReplicaPlace } from "../../../src/planner/replica-problem.js";
import type { EngineMemory, WayProblem } from "../../../src/planner/way.js";
import { listWays } from "../../../src/planner/ways.js";
import type { Distribution } from "../../../src/schema/backend.js";
import type { HostEntry } from "../../../src/schema/stack.js";
import { hubModel } from "../support/memory-models.js";
import { gpu } from "../support/gpus.js";
import { chat, knownHost, stackOf } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

const gib = 2 ** 30;
const ray: Distribution = { method: "ray", arguments: ["--distributed-executor-backend", "ray"] };
const known = (name: string): EngineMemory => ({ kind: "known", model: hubModel(name), isExact: true });
const unknown: EngineMemory = { kind: "unknown", reason: "nobody knows" };
/** 135 GiB of weights, eight heads of keys, 80 layers. */
const large = known("Qwen2.5-72B");

/** A host with cards of so many GiB each, or, without any, with so much memory. */
function host(cards: readonly number[], ramGib = 64, dataDir = "/srv/berth"): KnownHost {
  const accelerators = cards.map((size, index) => gpu(index, { memoryBytes: size * gib }));
  return knownHost(dataDir, { facts: { accelerators, ramBytes: ramGib * gib } });
}

const cards = (count: number, size = 24) => Array.from({ length: count }, () => size);

type Fields = Parameters<typeof chat>[0] & { readonly model?: never };

interface Asked {
  readonly hosts: Readonly<Record<string, KnownHost>>;
  readonly chat?: Fields;
  readonly engine?: EngineMemory;
  readonly sizes?: Pick<WayProblem, "tensorParallelSize" | "pipelineParallelSize">;
  readonly parameters?: readonly string[];
  readonly entries?: Readonly<Record<string, Partial<HostEntry>>>;
  readonly previous?: ReadonlyMap<string, ReplicaPlace>;
  readonly inHub?: boolean;
}

/** Where a deployment goes that may have several hosts. */
function placed({ hosts, chat: fields, engine = large, sizes, parameters = [], ...rest }: Asked) {
  const { entries = {}, previous, inHub = false } = rest;
  const named = Object.keys(hosts).map((name, index) => {
    const privateAddress = `10.0.0.${index + 1}`;
    return [name, { connection: "ssh", ssh: { address: name }, privateAddress, ...entries[name] }] as const;
  });
  const hub = { source: "huggingface", repo: "acme/large" } as const;
  const written = chat({ placement: { distributed: true }, ...fields, ...(inHub ? { model: hub } : {}) });
  const stack = stackOf({ chat: written }, { hosts: Object.fromEntries(named) });
  const all = Object.values(hosts).map(({ facts }) => facts);
  const type = all.some(({ accelerators }) => accelerators.length > 0) ? "cuda" : "cpu";
  const candidates = Object.entries(stack.deployments).map(([name, deployment]): Candidate => {
    const ways = listWays({
      ...{ deployment, parameters, variables: [], engine, devices: stockOf(type, all), distributed: ray },
      ...{ tensorParallelSize: undefined, tensorParallelFlag: "--tensor-parallel-size" },
      pipelineParallelFlag: "--pipeline-parallel-size",
      ...sizes,
    });
    return { name, deployment, hosts: Object.keys(hosts), ways, modelSha256: "m" };
  });
  const before = previous === undefined ? undefined : { instances: Object.fromEntries(previous) };
  const problem = { owner: "shop/dev", stack, hosts, candidates, previous: before, modelsBefore: {} };
  return placeReplicas(problem);
}

const partsOf = (place: ReplicaPlace | undefined) =>
  place === undefined ? [] : [place, ...(place.subordinates ?? [])];
const membersOf = (place: ReplicaPlace | undefined) => partsOf(place).map((part) => part.host);
const valueOf = (words: readonly string[] = [], flag: string) => words[words.indexOf(flag) + 1];

describe("a replica of vLLM that no host has room for", () => {
  it("has the fewest hosts, each as one stage with as many devices as the others", () => {
    const hosts = { a: host(cards(4)), b: host(cards(7)), c: host(cards(4)), d: host(cards(8, 4)) };
    const place = placed({ hosts }).get("chat-0");
    expect(membersOf(place)).toEqual(["b", "a"]);
    expect(partsOf(place).map(({ devices }) => devices.length)).toEqual([4, 4]);
    expect(place?.arguments.slice(0, 4)).toEqual([...["--tensor-parallel-size", "4", "--pipeline-parallel-size", "2"]]);
    expect(place?.arguments.slice(-2)).toEqual(["--distributed-executor-backend", "ray"]);
    expect(place?.memory).toMatchObject({ option: "tp4pp2", basis: "estimate" });
  });

  it("has on each device what the fullest stage takes, and no more of it than its part", () => {
    const place = placed({ hosts: { a: host(cards(4)), b: host(cards(4)) } }).get("chat-0");
    const devices = partsOf(place).flatMap(({ memory }) => memory?.devices ?? []);
    expect(devices).toHaveLength(8);
    for (const { weightsBytes, cacheBytes, otherBytes, takenBytes } of devices) {
      expect(takenBytes).toBe(Math.floor(24 * gib * 0.9));
      expect(weightsBytes + cacheBytes + otherBytes).toBeLessThanOrEqual(takenBytes);
      // A half of the layers on four devices, and an embedding.
      expect(weightsBytes / gib).toBeGreaterThan(135 / 8);
      expect(weightsBytes / gib).toBeLessThan(135 / 8 + 1);
    }
    expect(valueOf(place?.arguments, "--kv-cache-memory-bytes")).toBe(String(devices[0]?.cacheBytes));
  });

  it("takes of a host those devices that have room, and leaves out a host where others have it", () => {
    const hosts = { a: host([...cards(2, 4), ...cards(4)]), b: host(cards(4)), c: host([...cards(3), 4]) };
    const place = placed({ hosts }).get("chat-0");
    expect(membersOf(place)).toEqual(["a", "b"]);
    expect(place?.devices).toEqual(["GPU-2", "GPU-3", "GPU-4", "GPU-5"]);
  });

  it("has as many stages as its parameters say, on one host where that has the devices", () => {
    const sizes = { tensorParallelSize: undefined, pipelineParallelSize: 3 };
    const parameters = ["--pipeline-parallel-size", "3"];
    const three = placed({ hosts: { a: host(cards(4)), b: host(cards(4)), c: host(cards(4)) }, sizes, parameters });
    expect(membersOf(three.get("chat-0"))).toHaveLength(3);
    expect(three.get("chat-0")?.arguments).not.toContain("--pipeline-parallel-size");
    const two = { pipelineParallelSize: 2, tensorParallelSize: undefined };
    const one = placed({ hosts: { a: host(cards(8)), b: host(cards(8)) }, sizes: two, parameters: ["-pp", "2"] });
    expect(membersOf(one.get("chat-0"))).toHaveLength(1);
    expect(one.get("chat-0")?.devices).toHaveLength(8);
    expect(one.get("chat-0")?.arguments).not.toContain("--distributed-executor-backend");
  });

  it("stays on its hosts while they have room, and takes others when they have not", () => {
    const hosts = { a: host(cards(4)), b: host(cards(4)) };
    const before = placed({ hosts });
    const grown = { ...hosts, c: host(cards(4, 80)) };
    expect(placed({ hosts: { ...hosts, c: host(cards(7)) }, previous: before })).toEqual(before);
    expect(membersOf(placed({ hosts: { ...grown, b: host(cards(4, 8)) }, previous: before }).get("chat-0"))).toEqual([
      "c",
    ]);
  });

  it("has hosts with one data directory, unless its model is a file of theirs", () => {
    const hosts = { a: host(cards(4)), b: host(cards(4), 64, "/data") };
    expect(membersOf(placed({ hosts }).get("chat-0"))).toEqual(["a", "b"]);
    const error = thrownBy(() => placed({ hosts, inHub: true }));
    expect(error.message).toContain("would fit over 2 hosts, a, b, with the same `dataDir` on all of them");
    const alike = { ...hosts, c: host(cards(4)), d: host(cards(4), 64, "/data") };
    expect(membersOf(placed({ hosts: alike, inHub: true }).get("chat-0"))).toEqual(["b", "d"]);
  });

  it("needs no HAProxy, and is told what is missing", () => {
    const hosts = { a: host(cards(4)), b: host(cards(4)) };
    const refused = thrownBy(() => placed({ hosts, entries: { b: { privateAddress: undefined } } }));
    expect(refused.message).toContain("would fit over 2 hosts, a, b, with a `privateAddress` of host b");
    const alone = thrownBy(() => placed({ hosts, chat: { placement: {} } }));
    expect(alone.message).toContain("with `placement: { distributed: true }`");
  });
});

describe("a replica of an engine whose memory nobody knows", () => {
  const stages = { tensorParallelSize: undefined, pipelineParallelSize: 2 };
  const parameters = ["--pipeline-parallel-size", "2"];

  it("has a host for each stage where there are no accelerators, though one has the memory", () => {
    const hosts = { a: host([], 4), b: host([], 8), c: host([], 6) };
    const asked = { hosts, engine: unknown, sizes: stages, parameters, chat: { resources: { ramBytes: 2 * gib } } };
    const place = placed(asked).get("chat-0");
    expect(membersOf(place)).toEqual(["b", "c"]);
    expect(partsOf(place).map(({ memory }) => memory?.hostBytes)).toEqual([2 * gib, 2 * gib]);
    expect(place?.arguments).toEqual(["--tensor-parallel-size", "1", "--distributed-executor-backend", "ray"]);
    expect(placed({ ...asked, previous: placed(asked) })).toEqual(placed(asked));
    const alone = placed({ ...asked, chat: { ...asked.chat, placement: {} } }).get("chat-0");
    expect(membersOf(alone)).toHaveLength(1);
  });

  it("is refused where too few hosts have room, with how many it needs", () => {
    const hosts = { a: host([], 1), b: host([], 8) };
    const chat = { resources: { ramBytes: 2 * gib } };
    const { parts } = thrownBy(() => placed({ hosts, engine: unknown, sizes: stages, parameters, chat }));
    expect(parts).toMatchObject({
      what: "replica 0 has no place: too few hosts have room at once",
      expected: "2 hosts with 2.0 GiB of RAM (hosts2)",
      hint: "add 2 hosts with 2.0 GiB of RAM",
    });
  });

  it("has on each host as many devices as its parameters say, with what is stated of each", () => {
    const chat = { resources: { vramBytes: 20 * gib } };
    const sizes = { tensorParallelSize: 2, pipelineParallelSize: 2 };
    const place = placed({ hosts: { a: host(cards(2)), b: host(cards(3)) }, engine: unknown, sizes, parameters, chat });
    expect(partsOf(place.get("chat-0")).map(({ devices }) => devices.length)).toEqual([2, 2]);
    expect(partsOf(place.get("chat-0")).flatMap(({ memory }) => memory?.devices ?? [])).toMatchObject(
      Array.from({ length: 4 }, () => ({ takenBytes: 20 * gib })),
    );
  });

  it("has its devices alone on each host where nothing is stated", () => {
    const hosts = { a: host(cards(1)), b: host(cards(1)) };
    const place = placed({ hosts, engine: unknown, sizes: stages, parameters }).get("chat-0");
    expect(partsOf(place).map(({ memory }) => memory?.basis)).toEqual(["whole", "whole"]);
  });

  it("has its devices alone where what its parameters do to the memory is not worked out", () => {
    const hosts = { a: host(cards(1)), b: host(cards(1)) };
    const offloaded = [...parameters, "--cpu-offload-gb", "4"];
    const place = placed({ hosts, sizes: stages, parameters: offloaded }).get("chat-0");
    expect(partsOf(place).map(({ memory }) => memory?.basis)).toEqual(["whole", "whole"]);
  });

  it("has one host where its parameters say nothing of stages, and is refused with why where that is none", () => {
    const hosts = { a: host(cards(1)), b: host(cards(1)) };
    const sizes = { tensorParallelSize: 2 };
    const error = thrownBy(() => placed({ hosts, engine: unknown, sizes }));
    expect(error.message).toContain("its memory is not known and its parameters say no pipeline parallel size");
  });

  it("has one host where its parameters ask for copies too, which the engine places itself", () => {
    const hosts = { a: host(cards(2)), b: host(cards(2)) };
    const copies = [...parameters, "--data-parallel-size", "2"];
    const error = thrownBy(() => placed({ hosts, engine: unknown, sizes: stages, parameters: copies }));
    expect(error.message).toContain("deployment chat is not split over hosts");
  });
});

describe("any group of Ray", () => {
  const sizes = fc.array(fc.array(fc.constantFrom(8, 16, 24, 40), { minLength: 1, maxLength: 8 }), {
    minLength: 2,
    maxLength: 4,
  });

  const middle = known("Qwen2.5-32B");

  it("is on hosts that have room, with equally many devices, whatever the order of the hosts", () => {
    let groups = 0;
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 2 }), (fleet, replicas) => {
        const hosts = fleet.map((each, index) => [`h${index}`, host(each)] as const);
        const attempt = (named: typeof hosts) => {
          const entries = Object.fromEntries(named.map(([name]) => [name, { privateAddress: `10.1.0.${name[1]}` }]));
          try {
            const placement = { distributed: true };
            const asked = { engine: middle, chat: { replicas, placement }, entries };
            return placed({ hosts: Object.fromEntries(named), ...asked });
          } catch {
            return undefined;
          }
        };
        const found = attempt(hosts);
        expect([...(attempt(hosts.toReversed()) ?? [])]).toEqual([...(found ?? [])]);
        const taken = new Map<string, number>();
        for (const place of found?.values() ?? []) {
          const parts = partsOf(place);
          if (parts.length > 1) groups += 1;
          expect(new Set(parts.map((part) => part.host)).size).toBe(parts.length);
          expect(new Set(parts.map(({ devices }) => devices.length)).size).toBe(1);
          for (const { host: on, memory } of parts)
            for (const { device, takenBytes } of memory?.devices ?? [])
              taken.set(`${on} ${device}`, (taken.get(`${on} ${device}`) ?? 0) + takenBytes);
        }
        for (const [key, bytes] of taken) {
          const [name = "", device = ""] = key.split(" ");
          expect(bytes).toBeLessThanOrEqual((fleet[Number(name.slice(1))]?.[Number(device.slice(4))] ?? 0) * gib);
        }
      }),
      { numRuns: 25, examples: [[[cards(3), cards(3)], 1]] },
    );
    expect(groups).toBeGreaterThan(0);
  });

  it("is kept as it is while nothing changes", () => {
    fc.assert(
      fc.property(sizes, (fleet) => {
        const hosts = Object.fromEntries(fleet.map((each, index) => [`h${index}`, host(each)]));
        let before: ReadonlyMap<string, ReplicaPlace>;
        try {
          before = placed({ hosts, engine: middle });
        } catch {
          return;
        }
        expect(placed({ hosts, engine: middle, previous: before })).toEqual(before);
      }),
      { numRuns: 25, examples: [[[cards(3), cards(3)]]] },
    );
  });
});
