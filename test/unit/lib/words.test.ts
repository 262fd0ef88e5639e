import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { differingWords } from "../../../src/lib/words.js";

describe("differingWords", () => {
  it.each<[string, string, [string, string]]>([
    ["serve --port 1", "serve --port 1", ["", ""]],
    ["serve --ctx-size 8192 --mlock", "serve --ctx-size 4096 --mlock", ["--ctx-size 8192", "--ctx-size 4096"]],
    ["serve --mlock", "serve", ["--mlock", ""]],
    ["serve", "serve --a 1 --b", ["", "--a 1 --b"]],
    ["a b c", "a x c", ["b", "x"]],
    ["a a", "a a a", ["", "a"]],
  ])("of `%s` and `%s`", (before, after, expected) => {
    expect(differingWords(before.split(" "), after.split(" ")).map((words) => words.join(" "))).toEqual(expected);
  });

  it("are parts of both, and none exactly where both are equal", () => {
    const words = fc.array(fc.constantFrom("a", "--b", "c"), { maxLength: 6 });
    fc.assert(
      fc.property(words, words, (before, after) => {
        const [removed, added] = differingWords(before, after);
        expect(before.join(" ")).toContain(removed.join(" "));
        expect(after.join(" ")).toContain(added.join(" "));
        expect(removed.length + added.length === 0).toBe(before.join(" ") === after.join(" "));
        expect(after.length - before.length).toBe(added.length - removed.length);
      }),
    );
  });
});
