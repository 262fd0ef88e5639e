import { describe, expect, it } from "vitest";

import { lookUp } from "../../../src/lib/record.js";

describe("lookUp", () => {
  it("finds a record's own values alone, not what every object inherits", () => {
    expect(lookUp({ a: 1 }, "a")).toBe(1);
    for (const name of ["b", "constructor", "toString", "__proto__"]) expect(lookUp({ a: 1 }, name)).toBeUndefined();
  });
});
