import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { claimsOf } from "../../../src/host/claims.js";
import { findSuccession, inSuccession, type HostClaims } from "../../../src/planner/succession.js";
import type { HostClaim } from "../../../src/schema/facts.js";

const owner = "shop/dev";
const has = (instance: string, device: string, bytes?: number, from = owner): HostClaim =>
  bytes === undefined ? { device, owner: from, instance } : { device, bytes, owner: from, instance };
const port = (instance: string, number: number, from = owner): HostClaim => ({ port: number, owner: from, instance });
const waves = (...names: string[]) => new Map(names.map((name) => [name, 0]));
const on = (held: HostClaim[], wanted: HostClaim[]): HostClaims => ({ held, wanted, roomOf: () => 80 });

describe("findSuccession", () => {
  it.each<[string, HostClaims, (readonly [string, string])[]]>([
    ["a device that another leaves", on([has("a", "G0")], [has("a", "G1"), has("b", "G0")]), [["b", "a"]]],
    ["memory that another gives up", on([has("a", "G0", 60)], [has("a", "G0", 20), has("b", "G0", 50)]), [["b", "a"]]],
    ["a port that another leaves", on([port("a", 80)], [port("a", 81), port("b", 80)]), [["b", "a"]]],
    [
      "memory, though the other's smaller part is claimed already",
      on([has("a", "G0", 60), has("a", "G0", 20)], [has("a", "G0", 20), has("b", "G0", 50)]),
      [["b", "a"]],
    ],
    ["a device that another leaves for another host", on([has("a", "G0")], [has("b", "G0")]), [["b", "a"]]],
  ])("has an instance wait for %s", (_, host, expected) => {
    expect(findSuccession(waves("a", "b"), [host])).toEqual(expected);
  });

  it.each<[string, HostClaims]>([
    ["there is room beside what the other has", on([has("a", "G0", 20)], [has("a", "G0", 10), has("b", "G0", 50)])],
    ["the other keeps it", on([has("a", "G0")], [has("a", "G0"), has("b", "G0")])],
    ["it has it already", on([has("b", "G0", 50), has("a", "G0", 60)], [has("b", "G0", 50), has("a", "G0", 20)])],
    ["the other is another stack's", on([has("a", "G0", undefined, "x/y")], [has("b", "G0")])],
    ["the other is the stack's no more", on([has("gone", "G0")], [has("b", "G0")])],
  ])("has nobody wait when %s", (_, host) => {
    expect(findSuccession(waves("a", "b"), [host])).toEqual([]);
  });

  it("has one of two that change places wait, and not both", () => {
    const swap = on([has("a", "G0"), has("b", "G1")], [has("a", "G1"), has("b", "G0")]);
    expect(findSuccession(waves("a", "b"), [swap])).toEqual([["a", "b"]]);
  });

  it("has nobody wait for a later wave", () => {
    const host = on([has("a", "G0")], [has("a", "G1"), has("b", "G0")]);
    const order = (a: number, b: number) => findSuccession(new Map(Object.entries({ a, b })), [host]);
    expect([order(1, 2), order(2, 1)]).toEqual([[["b", "a"]], []]);
  });

  it("never has anybody wait for itself, by whatever way", () => {
    const names = ["a", "b", "c", "d", "e"];
    const claim = fc.record({
      instance: fc.constantFrom(...names),
      device: fc.constantFrom("G0", "G1", "G2"),
      bytes: fc.option(fc.integer({ min: 1, max: 80 }), { nil: undefined }),
    });
    const claims = fc.array(
      claim.map(({ instance, device, bytes }) => has(instance, device, bytes)),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(claims, claims, (held, wanted) => {
        const succession = findSuccession(waves(...names), [on(held, wanted)]);
        const order = inSuccession(names, (name) => name, succession);
        expect(order.toSorted()).toEqual(names);
        for (const [later, earlier] of succession) expect(order.indexOf(earlier)).toBeLessThan(order.indexOf(later));
      }),
    );
  });
});

describe("inSuccession", () => {
  it("moves forward only what somebody waits for", () => {
    const order = inSuccession(["a", "b", "c", "d"], (name) => name, [["b", "d"]]);
    expect(order).toEqual(["a", "d", "b", "c"]);
  });
});

describe("what a lock gives out", () => {
  it("is compared by the claims that it makes", () => {
    const held = claimsOf({ owner, instance: "a" }, { port: 80, devices: ["G0"] });
    const wanted = [...claimsOf({ owner, instance: "a" }, { port: 80, devices: ["G1"] }), has("b", "G0", 5)];
    expect(findSuccession(waves("a", "b"), [on(held, wanted)])).toEqual([["b", "a"]]);
  });
});
