import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { parsePythonRange, pythonRange, takesPython, takesSomeOf } from "../../../src/schema/python-range.js";

const known = ["3.10", "3.11", "3.12", "3.13", "3.14"];
const version = fc
  .tuple(fc.constantFrom(...known), fc.constantFrom("", ".0", ".2", ".*", ".x"))
  .map((parts) => parts.join(""));
const comparison = fc
  .tuple(fc.constantFrom(">=", "<=", ">", "<", "==", "!=", "~=", ""), version)
  .map((parts) => parts.join(""));
const range = fc.array(comparison, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(" "));

describe("a range of Python versions", () => {
  it.each([">=3.10 <3.13", ">=3.10,<3.13", "~=3.10", "3.12.x", "==3.12.*", ">= 3.10, != 3.11.2", "*"])(
    "is %s",
    (text) => {
      expect(pythonRange.parse(text)).toBe(text);
    },
  );

  it.each(["", " ", "banana", "3.10 or so", ">=3.10 || <3", ">=3.10;<3.12", ">=3.10.1.2"])("is not %j", (text) => {
    expect(pythonRange.safeParse(text).success).toBe(false);
  });

  it("takes a minor version for a lock if and only if it takes one of its releases on a host", () => {
    fc.assert(
      fc.property(range, fc.constantFrom(...known), (text, minor) => {
        const parsed = parsePythonRange(text) ?? [];
        const releases = Array.from({ length: 6 }, (_, patch) => `${minor}.${patch}`);
        expect(takesSomeOf(parsed, minor)).toBe(releases.some((release) => takesPython(parsed, release)));
      }),
    );
  });
});
