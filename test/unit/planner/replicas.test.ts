import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { place } from "../../../src/planner/placement.js";
import { compareInstances } from "../../../src/planner/replicas.js";
import type { Placement } from "../../../src/schema/lock.js";
import { chat, problemOf, stackOf } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

/** Where replicas are placed on hosts of these names, all of which fit. */
function placed(hosts: readonly string[], replicas: number, previous?: Placement, fields = {}): Placement {
  const entries = hosts.map((name) => [name, { connection: "local", dataDir: `/${name}` }] as const);
  const stack = stackOf({ chat: chat({ replicas, ...fields }) }, { hosts: Object.fromEntries(entries) });
  return place(problemOf(stack, previous === undefined ? {} : { previous }));
}

const hostsOf = ({ instances }: Placement) => Object.values(instances).map(({ host }) => host);

function countOf(hosts: readonly string[], all: readonly string[]): number[] {
  return hosts.map((host) => all.filter((each) => each === host).length);
}

describe("replicas", () => {
  it("are one where the stack says nothing, and as many as it says otherwise, each with a port of its own", () => {
    expect(Object.keys(place(problemOf(stackOf({ chat: chat() }))).instances)).toEqual(["chat-0"]);
    const { instances } = placed(["a", "b"], 3);
    expect(instances).toMatchObject({
      "chat-0": { host: "a", port: 14_000, maxSurge: 1, maxUnavailable: 1 },
      "chat-1": { host: "b", port: 14_001 },
      "chat-2": { host: "a", port: 14_002 },
    });
  });

  it("stay where they are when a host is added; new ones go where the fewest are", () => {
    const before = placed(["b", "c"], 4);
    expect(hostsOf(before)).toEqual(["b", "c", "b", "c"]);
    expect(hostsOf(placed(["a", "b", "c"], 6, before))).toEqual(["b", "c", "b", "c", "a", "a"]);
  });

  it("of a host that is gone go to the others, and no other moves", () => {
    const before = placed(["a", "b", "c"], 3);
    expect(hostsOf(placed(["a", "c"], 3, before))).toEqual(["a", "a", "c"]);
  });

  it("are all on the host that the deployment names", () => {
    expect(hostsOf(placed(["a", "b"], 2, undefined, { host: "b" }))).toEqual(["b", "b"]);
  });

  it("with one port for all of them are no more than machines", () => {
    const error = thrownBy(() => placed(["a", "b"], 2, undefined, { port: 8080 }));
    expect(error.code).toBe("stack-inconsistent");
    expect(error.message).toContain("several of its replicas are on host b, or on one machine with it");
  });

  it("come in the order of their numbers", () => {
    const names = ["chat-10", "chat-2", "a-3", "chat-1-0", "chat-0"];
    expect(names.sort(compareInstances)).toEqual(["a-3", "chat-0", "chat-2", "chat-10", "chat-1-0"]);
  });

  const hostNames = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,2}$/), { minLength: 1, maxLength: 6 });
  const count = fc.integer({ min: 1, max: 12 });

  it("are spread evenly, whatever the order of the hosts", () => {
    fc.assert(
      fc.property(hostNames, count, (hosts, replicas) => {
        const placement = placed(hosts, replicas);
        const counts = countOf(hosts, hostsOf(placement));
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        expect(hostsOf(placed([...hosts].reverse(), replicas))).toEqual(hostsOf(placement));
      }),
    );
  });

  it("stay with their ports unless their host is gone, however hosts and numbers change", () => {
    fc.assert(
      fc.property(hostNames, count, hostNames, count, (hosts, replicas, others, more) => {
        const before = placed(hosts, replicas);
        const after = placed(others, more, before);
        expect(Object.keys(after.instances)).toHaveLength(more);
        for (const [name, instance] of Object.entries(before.instances)) {
          const now = after.instances[name];
          if (now === undefined || !others.includes(instance.host)) continue;
          expect([now.host, now.port]).toEqual([instance.host, instance.port]);
        }
        expect(placed(others, more, after)).toEqual(after);
      }),
    );
  });
});
