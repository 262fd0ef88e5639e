import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { findConflict } from "../../../src/host/claim-conflict.js";
import { assertNoneBlocked, findBlocked } from "../../../src/planner/exchange.js";
import { findSuccession, inSuccession, type HostClaims } from "../../../src/planner/succession.js";
import type { HostClaim } from "../../../src/schema/facts.js";
import { thrownBy } from "../support/thrown.js";

const owner = "shop/dev";
const has = (instance: string, device: string, bytes?: number, from = owner): HostClaim =>
  bytes === undefined ? { device, owner: from, instance } : { device, bytes, owner: from, instance };
const on = (held: HostClaim[], wanted: HostClaim[]): HostClaims => ({ held, wanted, roomOf: () => 80 });
const same = (...names: string[]) => new Map(names.map((name) => [name, 0]));

function blocked(waves: ReadonlyMap<string, number>, host: HostClaims) {
  const found = findBlocked(waves, [host], findSuccession(waves, [host]));
  return found.map(({ wanted, rival }) => `${wanted.instance} by ${rival.instance}`);
}

const swap = on([has("a-0", "G0"), has("b-0", "G1")], [has("a-0", "G1"), has("b-0", "G0")]);

describe("what would have to go before each other", () => {
  it.each<[string, HostClaims, string[]]>([
    ["are two that change devices", swap, ["b-0 by a-0"]],
    [
      "are three that go round",
      on(
        [has("a-0", "G0"), has("b-0", "G1"), has("c-0", "G2")],
        [has("a-0", "G1"), has("b-0", "G2"), has("c-0", "G0")],
      ),
      ["c-0 by a-0"],
    ],
    [
      "are two that change ports",
      on(
        [
          { port: 80, owner, instance: "a-0" },
          { port: 81, owner, instance: "b-0" },
        ],
        [
          { port: 81, owner, instance: "a-0" },
          { port: 80, owner, instance: "b-0" },
        ],
      ),
      ["b-0 by a-0"],
    ],
    [
      "are not two of which one has room beside the other",
      on([has("a-0", "G0", 60), has("b-0", "G1", 30)], [has("a-0", "G1", 60), has("b-0", "G0", 20)]),
      [],
    ],
    [
      "is not what moves to what another leaves",
      on([has("a-0", "G0"), has("b-0", "G1")], [has("a-0", "G1"), has("b-0", "G2")]),
      [],
    ],
    ["is not what takes the place of what is not wanted any more", on([has("gone-0", "G0")], [has("a-0", "G0")]), []],
    ["is not what another stack has", on([has("a-0", "G0", undefined, "x/y")], [has("b-0", "G0")]), []],
  ])("%s", (_, host, expected) => {
    expect(blocked(same("a-0", "b-0", "c-0"), host)).toEqual(expected);
  });

  it("is what would get the place of a later wave", () => {
    const host = on([has("a-0", "G0")], [has("a-0", "G1"), has("b-0", "G0")]);
    expect(blocked(new Map(Object.entries({ "a-0": 2, "b-0": 1 })), host)).toEqual(["b-0 by a-0"]);
    expect(blocked(new Map(Object.entries({ "a-0": 1, "b-0": 2 })), host)).toEqual([]);
  });

  it("is never something that could have gone, in whatever order", () => {
    const names = ["a-0", "b-0", "c-0", "d-0"];
    const claim = fc
      .record({
        instance: fc.constantFrom(...names),
        device: fc.constantFrom("G0", "G1", "G2"),
        bytes: fc.option(fc.integer({ min: 1, max: 80 }), { nil: undefined }),
      })
      .map(({ instance, device, bytes }) => has(instance, device, bytes));
    const claims = fc.uniqueArray(claim, { maxLength: 8, selector: (each) => each.instance });
    const order = fc.shuffledSubarray(names, { minLength: names.length });
    fc.assert(
      fc.property(claims, claims, order, (held, wanted, begun) => {
        const host = on(held, wanted);
        const succession = findSuccession(same(...names), [host]);
        const found = findBlocked(same(...names), [host], succession);
        let now = held;
        for (const name of inSuccession(begun, (each) => each, succession)) {
          const own = wanted.filter(({ instance }) => instance === name);
          if (own.some((each) => findConflict(each, now, () => 80) !== undefined)) continue;
          expect(found.map(({ wanted: { instance } }) => instance)).not.toContain(name);
          now = [...now.filter(({ instance }) => instance !== name), ...own];
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("a run in which instances change places", () => {
  it("is refused, with the two steps that get there", () => {
    const waves = same("a-0", "b-0");
    const error = thrownBy(() => assertNoneBlocked(findBlocked(waves, [swap], findSuccession(waves, [swap]))));
    expect(error.code).toBe("already-claimed");
    expect(error.parts.got).toBe("b-0 is to get device G0, which a-0 gives up only after it");
    expect(error.parts.hint).toContain("take a out of the stack file and run `pulumi up`");
  });

  it("is not where nobody is in the way", () => {
    expect(() => assertNoneBlocked([])).not.toThrow();
  });
});
