import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { moveBundles, promotableDigest } from "../../../src/lock/promotion.js";
import { promotableOf } from "../support/bundles.js";
import { thrownBy } from "../support/thrown.js";

const names = ["chat", "code", "embed", "constructor"];
const versions = fc.dictionary(fc.constantFrom(...names), fc.constantFrom("1", "2", "3"), { noNullPrototype: true });
const promotable = fc.tuple(versions, versions).map(([release, ready]) => promotableOf(release, ready));
const problem = fc
  .record({ source: promotable, target: fc.option(promotable, { nil: undefined }) })
  .chain(({ source, target }) => {
    const known = [...new Set([...Object.keys(source.release), ...Object.keys(target?.release ?? {})])];
    return fc.record({
      source: fc.constant(source),
      target: fc.constant(target),
      only: fc.option(fc.subarray(known), { nil: undefined }),
    });
  });

describe("moveBundles", () => {
  const source = promotableOf({ chat: "2", code: "2", embed: "1" }, { next: "3" });
  const target = promotableOf({ chat: "1", embed: "1", old: "1" }, { next: "2" });

  it("makes the target what the source is, and tells of each deployment and of what lies ready", () => {
    const { promotable: moved, changes } = moveBundles({ source, target });
    expect(moved).toEqual(source);
    expect(changes.map(({ part, name, change }) => [part, name, change])).toEqual([
      ["release", "chat", "changed"],
      ["release", "code", "added"],
      ["release", "embed", "same"],
      ["release", "old", "removed"],
      ["preload", "next", "changed"],
    ]);
    expect(changes[0]).toMatchObject({ bundle: source.release.chat?.id, previous: target.release.chat?.id });
    expect(changes[3]).toMatchObject({ bundle: null, previous: target.release.old?.id });
  });

  it("moves only what is named, with nothing that lies ready; what the source does not have is taken away", () => {
    const { promotable: moved, changes } = moveBundles({ source, target, only: ["chat", "old"] });
    expect(moved).toEqual({ ...promotableOf({ chat: "2", embed: "1" }), preload: target.preload });
    expect(changes.filter(({ change }) => change !== "same").map(({ name }) => name)).toEqual(["chat", "old"]);
  });

  it("moves everything into an environment that has no lock", () => {
    const { promotable: moved, changes } = moveBundles({ source, target: undefined });
    expect(moved).toEqual(source);
    expect(new Set(changes.map(({ change }) => change))).toEqual(new Set(["added"]));
  });

  it("refuses a name that neither has, with those that there are and the nearest", () => {
    const error = thrownBy(() => moveBundles({ source, target, only: ["chat", "cod"] }));
    expect([error.code, error.message]).toEqual([
      "usage",
      [
        "no such deployment, here or there",
        "  got: cod",
        "  expected: chat or code or embed or old",
        "  to do: is code meant?",
      ].join("\n"),
    ]);
    const none = { release: {} };
    expect(thrownBy(() => moveBundles({ source: none, target: none, only: ["a"] })).message).toContain("none: neither");
  });

  it("moved twice is moved once", () => {
    fc.assert(
      fc.property(problem, (any) => {
        const once = moveBundles(any);
        // What was taken away is no name of either any more.
        const left = new Set([...Object.keys(any.source.release), ...Object.keys(once.promotable.release)]);
        const only = any.only?.filter((name) => left.has(name));
        const twice = moveBundles({ source: any.source, target: once.promotable, only });
        expect(twice.promotable).toEqual(once.promotable);
        expect(twice.changes.every(({ change }) => change === "same")).toBe(true);
      }),
    );
  });

  it("never has anything but what is promotable, even where whole locks are given", () => {
    const placement = { hosts: { local: {} }, instances: {} };
    fc.assert(
      fc.property(problem, (any) => {
        const of = any.target === undefined ? undefined : { ...any.target, placement, id: "target" };
        const { promotable: moved } = moveBundles({ ...any, source: { ...any.source, ...{ placement } }, target: of });
        expect(["release", "preload"]).toEqual(expect.arrayContaining(Object.keys(moved)));
        expect(moved).toEqual(moveBundles(any).promotable);
      }),
    );
  });

  it("tells of every name once, and of a change exactly where ids differ", () => {
    fc.assert(
      fc.property(problem, (any) => {
        const { promotable: moved, changes } = moveBundles(any);
        const told = changes.filter(({ part }) => part === "release");
        const expected = new Set([...Object.keys(any.target?.release ?? {}), ...Object.keys(moved.release)]);
        expect(told.map(({ name }) => name)).toEqual([...expected].sort());
        for (const { change, bundle, previous } of changes) expect(change === "same").toBe(bundle === previous);
      }),
    );
  });
});

describe("promotableDigest", () => {
  it("is that of release and preload alone, in whatever order they are written", () => {
    const one = promotableOf({ a: "1", b: "2" }, { x: "1" });
    const other = promotableOf({ b: "2", a: "1" }, { x: "1" });
    expect(promotableDigest({ ...one, ...{ placement: {} } })).toBe(promotableDigest(other));
    expect(promotableDigest(promotableOf({ a: "1", b: "2" }))).not.toBe(promotableDigest(one));
  });

  it("is the same for nothing that lies ready and no such part", () => {
    expect(promotableDigest({ release: {}, preload: {} })).toBe(promotableDigest({ release: {} }));
  });
});
