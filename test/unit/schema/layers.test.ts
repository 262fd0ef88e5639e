import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { mergeLayers, mergeStacks } from "../../../src/schema/layers.js";

const map = fc.dictionary(
  fc.string(),
  fc.jsonValue().filter((value) => value !== null),
);

describe("mergeLayers", () => {
  it("merges maps, replaces scalars and lists, and takes away what is empty", () => {
    const below = { a: 1, list: [1, 2], deep: { x: 1, y: { z: 1 } }, gone: { b: 1 } };
    const over = { a: 2, list: [3], deep: { y: { w: 2 } }, gone: null, new: true };
    expect(mergeLayers([below, over])).toEqual({ a: 2, list: [3], deep: { x: 1, y: { z: 1, w: 2 } }, new: true });
  });

  it("lets a map take the place of something else, and the other way round", () => {
    expect(
      mergeLayers([
        { a: 1, b: { c: 1 } },
        { a: { c: 1 }, b: 1 },
      ]),
    ).toEqual({ a: { c: 1 }, b: 1 });
  });

  it("leaves what no layer says anything over", () => {
    fc.assert(
      fc.property(map, (below) => {
        expect(mergeLayers([below, {}])).toEqual(below);
        expect(mergeLayers([{}, below])).toEqual(below);
      }),
    );
  });

  it("is the same whichever layers are put together first", () => {
    fc.assert(
      fc.property(map, map, map, (a, b, c) => {
        expect(mergeLayers([mergeLayers([a, b]), c])).toEqual(mergeLayers([a, mergeLayers([b, c])]));
      }),
    );
  });
});

describe("mergeStacks", () => {
  it("inherits no hosts, and what hosts have in common", () => {
    const below = { hosts: { a: {} }, hostDefaults: { ssh: { user: "u" } }, extends: "x.yaml" };
    const over = { extends: "b.yaml", hosts: { b: {} }, hostDefaults: { ssh: { port: 1 } } };
    expect(mergeStacks([below, over])).toEqual({
      extends: "b.yaml",
      hosts: { b: {} },
      hostDefaults: { ssh: { user: "u", port: 1 } },
    });
    expect(mergeStacks([below, { extends: "b.yaml" }])).toEqual({
      extends: "b.yaml",
      hostDefaults: { ssh: { user: "u" } },
    });
  });
});
