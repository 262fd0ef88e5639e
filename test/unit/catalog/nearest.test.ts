import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { nearestNames } from "../../../src/catalog/nearest.js";

describe("nearestNames", () => {
  it.each<[string, string[], string[]]>([
    ["--port", ["--host", "--prot", "--port-range", "--ports"], ["--ports", "--host", "--prot"]],
    ["--port", ["--quantization"], []],
    ["a", ["b", "bb", ""], ["b", ""]],
    ["--model", ["--modes", "--mode", "--models", "--module"], ["--modes", "--mode", "--models"]],
    ["x", [], []],
  ])("of %s among %j are %j", (wrong, names, near) => {
    expect(nearestNames(wrong, names)).toEqual(near);
  });

  it("has a name with one letter more, less or other, and first the name itself", () => {
    const name = fc.string({ minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(name, fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (wrong, place, letter) => {
        const at = place % wrong.length;
        const [before, after] = [wrong.slice(0, at), wrong.slice(at + 1)];
        const near = [before + after, before + letter + after, before + letter + wrong.slice(at)];
        for (const other of near) expect(nearestNames(wrong, [other])).toEqual([other]);
        expect(nearestNames(wrong, [...near, wrong])).toContain(wrong);
      }),
    );
  });
});
