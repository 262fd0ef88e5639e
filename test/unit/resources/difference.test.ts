import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { compareFields, containsUnknown, unknownValue } from "../../../src/resources/difference.js";
import type { DifferenceTable } from "../../../src/resources/kind.js";

interface Inputs {
  title: string;
  list: string[];
  nested: { a: number; b?: string };
  place: { machine: string; folder: string };
  note?: string | undefined;
}

const table: DifferenceTable<Inputs> = {
  title: { change: "replace", reason: "another thing" },
  list: { change: "update", reason: "the list is written down" },
  nested: { change: "update", reason: "set anew" },
  place: {
    change: (olds, news) => (olds.machine === news.machine ? "replaceDeletingFirst" : "replace"),
    reason: "another place",
  },
  note: { change: "none", reason: "used next time" },
};

const inputs: Inputs = {
  title: "t",
  list: ["a", "b"],
  nested: { a: 1 },
  place: { machine: "m", folder: "f" },
  note: "n",
};
const compare = (news: Partial<Inputs>) =>
  compareFields(table, inputs, { ...inputs, ...news }).map(({ field, change }) => `${field}: ${change}`);

describe("compareFields", () => {
  it("tells each field that differs, what its change means and why", () => {
    expect(compareFields(table, inputs, { ...inputs, title: "u", list: ["b", "a"] })).toEqual([
      { field: "title", change: "replace", reason: "another thing" },
      { field: "list", change: "update", reason: "the list is written down" },
    ]);
  });

  it.each<[string, Partial<Inputs>, string[]]>([
    ["nothing", {}, []],
    ["the order of keys", { nested: JSON.parse('{"b":null,"a":1}') as Inputs["nested"] }, ["nested: update"]],
    ["a member that is undefined", { nested: { a: 1, b: undefined } as unknown as Inputs["nested"] }, []],
    ["a field that means nothing now", { note: "other" }, []],
    ["a field that goes", { title: undefined } as unknown as Partial<Inputs>, ["title: replace"]],
    ["the machine", { place: { machine: "n", folder: "f" } }, ["place: replace"]],
    ["the folder on the machine", { place: { machine: "m", folder: "g" } }, ["place: replaceDeletingFirst"]],
  ])("of %s", (_, news, differences) => {
    expect(compare(news)).toEqual(differences);
  });

  it("counts a value that is not known yet as a change, wherever it is", () => {
    expect(compare({ title: unknownValue })).toEqual(["title: replace"]);
    expect(compare({ list: ["a", unknownValue] })).toEqual(["list: update"]);
    expect(compare({ nested: unknownValue as unknown as Inputs["nested"] })).toEqual(["nested: update"]);
    expect(compare({ place: { machine: unknownValue, folder: "f" } })).toEqual(["place: update"]);
  });

  it("counts it as a change also where it was not known before: the two need not be the same", () => {
    const unknown = { ...inputs, title: unknownValue };
    expect(compareFields(table, unknown, unknown).map(({ field }) => field)).toEqual(["title"]);
  });

  it("finds fields that the table does not know in neither", () => {
    expect(compareFields(table, { ...inputs, ...{ drift: ["x"] } }, { ...inputs, ...{ strange: 1 } })).toEqual([]);
  });

  it("finds nothing between equal values, whatever they are", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const olds = { nested: value } as unknown as Partial<Inputs>;
        const news = { nested: JSON.parse(JSON.stringify(value)) as unknown } as unknown as Partial<Inputs>;
        expect(compareFields(table, olds, news)).toEqual([]);
      }),
    );
  });
});

describe("containsUnknown", () => {
  it("finds an unknown value at any depth, and none where there is none", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.array(fc.constantFrom("list", "key"), { maxLength: 5 }), (value, path) => {
        const wrap = (inner: unknown) =>
          path.reduce<unknown>((item, kind) => (kind === "list" ? [value, item] : { value, item }), inner);
        expect(containsUnknown(wrap(unknownValue))).toBe(true);
        expect(containsUnknown(wrap(`not ${unknownValue}`))).toBe(false);
      }),
    );
  });
});
