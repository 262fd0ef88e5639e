import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { canonicalJson, digest, sha256, type Json } from "../../../src/lib/canonical.js";

/** The same value with the keys of every object in another order. */
function reorder(value: Json): Json {
  if (Array.isArray(value)) return value.map((item: Json) => reorder(item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, item === undefined ? undefined : reorder(item)]),
  );
}

const json = fc.jsonValue() as fc.Arbitrary<Json>;

describe("canonicalJson", () => {
  it("sorts the keys of objects at every depth, keeps the order of lists, and has no blanks", () => {
    expect(canonicalJson({ b: [{ z: 1, y: [2, 1] }], a: null, B: "x y" })).toBe(
      '{"B":"x y","a":null,"b":[{"y":[2,1],"z":1}]}',
    );
  });

  it("leaves out members that are undefined, so that they equal members that are not there", () => {
    expect(canonicalJson({ a: undefined, b: { c: undefined } })).toBe(canonicalJson({ b: {} }));
  });

  it("tells the forms of emptiness and of a number apart", () => {
    const values: Json[] = [null, "", "null", 0, "0", false, [], {}, [null], { a: null }];
    expect(new Set(values.map(canonicalJson)).size).toBe(values.length);
  });

  it("keeps a member called __proto__", () => {
    expect(canonicalJson(JSON.parse('{"__proto__":1}') as Json)).toBe('{"__proto__":1}');
  });

  it("gives equal values equal bytes, and is read as the same value", () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(reorder(value))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe("sha256 and digest", () => {
  it("give the SHA-256 of the UTF-8 text in lower-case hexadecimal", () => {
    expect(sha256("é")).toBe("4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c");
    expect(sha256(Buffer.from("é", "utf8"))).toBe(sha256("é"));
    expect(digest({ b: 1, a: 2 })).toBe(sha256('{"a":2,"b":1}'));
  });
});
