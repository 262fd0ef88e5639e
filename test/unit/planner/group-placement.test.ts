import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { stockOf } from "../../../src/planner/fleet-hosts.js";
import type { KnownHost } from "../../../src/planner/host-choice.js";
import { placeReplicas } from "../../../src/planner/replica-placement.js";
import type { Candidate, ReplicaPlace } from "../../../src/planner/replica-problem.js";
import { listWays } from "../../../src/planner/ways.js";
import type { HostEntry } from "../../../src/schema/stack.js";
import { ggufModel } from "../support/memory-models.js";
import { gpu } from "../support/gpus.js";
import { chat, knownHost, stackOf } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

const gib = 2 ** 30;
const model = await ggufModel();
const haproxy = { path: "/usr/sbin/haproxy", version: "2.6.12" };
const rpc = { method: "rpc", executable: "ggml-rpc-server" } as const;

/** A host with cards of so many GiB each, or, without any, with so much memory. */
function host(cards: readonly number[], ramGib = 64, changes: Partial<KnownHost["facts"]> = {}): KnownHost {
  const accelerators = cards.map((size, index) => gpu(index, { memoryBytes: size * gib }));
  return knownHost("/srv/berth", { facts: { accelerators, ramBytes: ramGib * gib, haproxy, ...changes } });
}

type Fields = Parameters<typeof chat>[0] & { readonly model?: never };

interface Asked {
  readonly hosts: Readonly<Record<string, KnownHost>>;
  readonly deployments: Readonly<Record<string, Fields>>;
  readonly entries?: Readonly<Record<string, Partial<HostEntry>>>;
  readonly previous?: ReadonlyMap<string, ReplicaPlace>;
}

/** Deployments of a model that takes 6.9 GiB on one card, with 8192 tokens of context. */
function placed({ hosts, deployments, entries = {}, previous }: Asked): ReadonlyMap<string, ReplicaPlace> {
  const named = Object.keys(hosts).map((name) => {
    const privateAddress = `10.0.0.${name}`;
    return [name, { connection: "local", dataDir: `/${name}`, privateAddress, ...entries[name] }] as const;
  });
  const stack = stackOf(Object.fromEntries(Object.entries(deployments).map(([name, fields]) => [name, chat(fields)])), {
    hosts: Object.fromEntries(named),
  });
  const all = Object.values(hosts).map(({ facts }) => facts);
  const type = all.some(({ accelerators }) => accelerators.length > 0) ? "cuda" : "cpu";
  const candidates = Object.entries(stack.deployments).map(([name, deployment]): Candidate => {
    const ways = listWays({
      deployment,
      parameters: ["--ctx-size", "8192"],
      variables: [],
      engine: { kind: "known", model, isExact: true },
      tensorParallelSize: undefined,
      tensorParallelFlag: undefined,
      devices: stockOf(type, all),
      distributed: rpc,
    });
    return { name, deployment, hosts: Object.keys(hosts), ways, modelSha256: "m" };
  });
  const before = previous === undefined ? undefined : { instances: Object.fromEntries(previous) };
  return placeReplicas({ owner: "shop/dev", stack, hosts, candidates, previous: before, modelsBefore: {} });
}

const distributed = { placement: { distributed: true } } as const;
const membersOf = (place: ReplicaPlace | undefined) =>
  place === undefined ? [] : [place.host, ...(place.subordinates ?? []).map((each) => each.host)];
const valueOf = (words: readonly string[] = [], flag: string) => words[words.indexOf(flag) + 1];

describe("a replica that no host has room for", () => {
  it("has the fewest hosts that have room together, the one with the most first", () => {
    const hosts = { "1": host([3]), "2": host([4]), "3": host([5]), "4": host([2]) };
    const place = placed({ hosts, deployments: { chat: distributed } }).get("chat-0");
    expect(membersOf(place)).toEqual(["3", "2"]);
    expect(place?.devices).toEqual(["GPU-0"]);
    expect(place?.subordinates).toMatchObject([{ devices: ["GPU-0"], memory: { option: "hosts2" } }]);
  });

  it("has its layers split in the order in which llama.cpp takes devices: those of others first", () => {
    const hosts = { "1": host([8]), "2": host([3]) };
    const big = { ...distributed, contextLength: 8192 };
    const place = placed({ hosts: { ...hosts, "1": host([5]) }, deployments: { chat: big } }).get("chat-0");
    const [ofOther = 0, own = 0] = (valueOf(place?.arguments, "--tensor-split") ?? "").split(",").map(Number);
    expect(ofOther + own).toBe(33);
    expect(own).toBeGreaterThan(ofOther);
    expect(valueOf(place?.arguments, "--n-gpu-layers")).toBe("33");
    expect(place?.arguments).toContain("--fit");
  });

  it("has memory of the hosts where there are no accelerators: the primary keeps the first layers", () => {
    const hosts = { "1": host([], 4), "2": host([], 5) };
    const place = placed({ hosts, deployments: { chat: distributed } }).get("chat-0");
    expect(membersOf(place)).toEqual(["2", "1"]);
    expect(place?.subordinates?.[0]?.devices).toEqual([]);
    const offloaded = Number(valueOf(place?.arguments, "--n-gpu-layers"));
    expect(offloaded).toBeGreaterThan(0);
    expect(offloaded).toBeLessThan(33);
    const bytes = [place?.memory, place?.subordinates?.[0]?.memory].map((memory) => memory?.hostBytes ?? 0);
    expect(bytes[0]).toBeLessThanOrEqual(5 * gib);
    expect(bytes[1]).toBeLessThanOrEqual(4 * gib);
  });

  it("stays on one host while that has room", () => {
    const place = placed({ hosts: { "1": host([80]), "2": host([80]) }, deployments: { chat: distributed } });
    expect(place.get("chat-0")?.subordinates).toBeUndefined();
  });

  it("stays on its hosts when another has more room now, and takes others when they have not", () => {
    const hosts = { "1": host([4]), "2": host([4]) };
    const before = placed({ hosts, deployments: { chat: distributed } });
    const grown = { ...hosts, "3": host([80]) };
    expect(placed({ hosts: grown, deployments: { chat: distributed }, previous: before })).toEqual(before);
    const shrunk = { ...grown, "2": host([1]) };
    const after = placed({ hosts: shrunk, deployments: { chat: distributed }, previous: before });
    expect(membersOf(after.get("chat-0"))).toEqual(["3"]);
  });

  it("leaves its devices to nobody else", () => {
    const hosts = { "1": host([4]), "2": host([4]), "3": host([5]) };
    const other = { resources: { vramBytes: 3 * gib } };
    const before = placed({ hosts, deployments: { chat: distributed } });
    const after = placed({ hosts, deployments: { chat: distributed, other }, previous: before });
    expect(after.get("chat-0")).toEqual(before.get("chat-0"));
    expect(membersOf(after.get("chat-0"))).not.toContain(after.get("other-0")?.host);
  });

  it("is refused with what would help: to be allowed, an address, HAProxy", () => {
    const hosts = { "1": host([4]), "2": host([4]) };
    const refused = (asked: Asked) => thrownBy(() => placed(asked)).message;
    expect(refused({ hosts, deployments: { chat: {} } })).toContain(
      "would fit over 2 hosts, 1, 2, with `placement: { distributed: true }`",
    );
    const entries = { "2": { privateAddress: undefined } };
    expect(refused({ hosts, deployments: { chat: distributed }, entries })).toContain(
      "would fit over 2 hosts, 1, 2, with a `privateAddress` of host 2",
    );
    const bare = { ...hosts, "2": host([4], 64, { haproxy: undefined }) };
    expect(refused({ hosts: bare, deployments: { chat: distributed } })).toContain(
      "with HAProxy 2.4 or later on host 2",
    );
    const insecure = { placement: { distributed: true, insecure: true } };
    expect(membersOf(placed({ hosts: bare, deployments: { chat: insecure } }).get("chat-0"))).toHaveLength(2);
  });

  it("is reached by a name only where HAProxy listens: llama.cpp's server listens at a number alone", () => {
    const insecure = { chat: { placement: { distributed: true, insecure: true } } };
    const entries = { "2": { privateAddress: "two.internal" } };
    const hosts = { "1": host([4]), "2": host([4]) };
    expect(membersOf(placed({ hosts, deployments: insecure, entries }).get("chat-0"))).toHaveLength(2);
    const bare = { ...hosts, "2": host([4], 64, { haproxy: undefined }) };
    const error = thrownBy(() => placed({ hosts: bare, deployments: insecure, entries }));
    expect(error.message).toContain("would fit over 2 hosts, 1, 2, with an IPv4 address as `privateAddress` of host 2");
  });

  it("is refused with why it is not split where its memory is not known", () => {
    const hosts = { "1": host([4]), "2": host([4]) };
    const stated = { ...distributed, resources: { vramBytes: 6 * gib } };
    const error = thrownBy(() => placed({ hosts, deployments: { chat: stated } }));
    expect(error.message).toContain("deployment chat is not split over hosts: its backend version cannot be, or");
  });

  it("is refused where it would need more hosts than it may have", () => {
    const hosts = Object.fromEntries(["1", "2", "3", "4"].map((name) => [name, host([3])]));
    expect(membersOf(placed({ hosts, deployments: { chat: distributed } }).get("chat-0"))).toHaveLength(3);
    const two = { placement: { distributed: true, maxHosts: 2 } };
    expect(thrownBy(() => placed({ hosts, deployments: { chat: two } })).code).toBe("does-not-fit");
  });

  it("takes no more of any device than is free, and is the same for hosts in any order", () => {
    const sizes = fc.array(fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }), {
      minLength: 2,
      maxLength: 4,
    });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 2 }), (cards, replicas) => {
        const hosts = cards.map((each, index) => [`h${index}`, host(each)] as const);
        const attempt = (named: typeof hosts) => {
          try {
            return placed({ hosts: Object.fromEntries(named), deployments: { chat: { ...distributed, replicas } } });
          } catch {
            return undefined;
          }
        };
        const found = attempt(hosts);
        const other = attempt(hosts.toReversed());
        expect([...(other ?? [])]).toEqual([...(found ?? [])]);
        const taken = new Map<string, number>();
        for (const place of found?.values() ?? [])
          for (const part of [place, ...(place.subordinates ?? [])])
            for (const { device, takenBytes } of part.memory?.devices ?? []) {
              const key = `${part.host} ${device}`;
              taken.set(key, (taken.get(key) ?? 0) + takenBytes);
            }
        for (const [key, bytes] of taken) {
          const [name = "", device = ""] = key.split(" ");
          const size = cards[Number(name.slice(1))]?.[Number(device.slice(4))] ?? 0;
          expect(bytes).toBeLessThanOrEqual(size * gib);
        }
      }),
      { numRuns: 30 },
    );
  });
});
