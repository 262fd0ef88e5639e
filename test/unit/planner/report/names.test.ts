import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { foldNames } from "../../../../src/planner/report/names.js";

describe("names in few words", () => {
  it.each([
    [[], ""],
    [["a"], "a"],
    [["h100-01", "h100-02", "h100-03", "h100-04"], "h100-01..04"],
    [["h100-05", "h100-06"], "h100-05, h100-06"],
    [["h100-08", "h100-09", "h100-10", "gw"], "h100-08..10, gw"],
    [["n-9", "n-10", "n-11", "n-13"], "n-9..11, n-13"],
    [["0", "1", "2", "3"], "0..3"],
    [["0/1", "0/2", "1/0"], "0/1, 0/2, 1/0"],
    [["a1", "b2", "c3"], "a1, b2, c3"],
  ])("%j is %s", (names, text) => {
    expect(foldNames(names)).toBe(text);
  });

  it("of any hosts can be unfolded again", () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-c]-\d{1,3}$/), { maxLength: 30 });
    fc.assert(
      fc.property(names, (given) => {
        const unfolded = foldNames(given)
          .split(", ")
          .flatMap((part) => {
            const [, prefix = "", from = "", to] = /^(.*?)(\d+)(?:\.\.(\d+))?$/.exec(part) ?? [];
            const count = to === undefined ? 1 : Number(to) - Number(from) + 1;
            return Array.from(
              { length: from === "" ? 0 : count },
              (_, index) => `${prefix}${String(Number(from) + index).padStart(from.length, "0")}`,
            );
          });
        expect(unfolded).toEqual(given);
      }),
    );
  });
});
