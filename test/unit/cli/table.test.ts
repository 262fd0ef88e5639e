import Table from "cli-table3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { plainTable } from "../../../src/cli/table.js";

const parts = ["top", "bottom", "left", "mid", "right"].flatMap((part) =>
  ["", "-mid", "-left", "-right"].map((place) => `${part}${place}`),
);

/** As the library prints it. */
function libraryTable(head: string[], rows: string[][]): string {
  const chars = { ...Object.fromEntries(parts.map((part) => [part, ""])), middle: " " };
  const table = new Table({ head, style: { head: [], border: [] }, chars });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}

describe("plainTable", () => {
  it("is a head, and rows below it, in columns", () => {
    expect(
      plainTable(
        ["NAME", "N"],
        [
          ["a", "1"],
          ["longer", "22"],
        ],
      ),
    ).toBe(" NAME     N  \n a        1  \n longer   22 ");
  });

  it("is what the library prints, of any cells", () => {
    const cell = fc.oneof(
      fc.string({ maxLength: 12 }),
      fc.constantFrom("", " ", "a b", "two\nlines", "語", "é", "\u001b[1mbold\u001b[0m", "{{port}}", "👩‍🚀"),
    );
    const tables = fc
      .integer({ min: 1, max: 4 })
      .chain((columns) =>
        fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), { minLength: 1, maxLength: 6 }),
      );
    fc.assert(
      fc.property(tables, ([head = [], ...rows]) => {
        expect(plainTable(head, rows)).toBe(libraryTable(head, rows));
      }),
      { numRuns: 2000 },
    );
  });
});
