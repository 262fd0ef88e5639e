import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { formatBytes, formatGibibytes, formatSeconds, lastLines } from "../../../src/lib/format.js";

describe("formatBytes", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [33_800_000, "33.8 MB"],
    [999_949, "999.9 kB"],
    [999_950, "1.0 MB"],
    [80_000_000_000, "80.0 GB"],
    [2_500_000_000_000, "2.5 TB"],
    [5_000_000_000_000_000, "5000.0 TB"],
  ])("tells %i bytes in powers of 1000", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it("never shows more than three digits before the point, up to a thousand terabytes", () => {
    fc.assert(
      fc.property(fc.nat({ max: 999_000_000_000_000 }), (bytes) => {
        expect(formatBytes(bytes)).toMatch(/^\d{1,3}(\.\d)? (B|kB|MB|GB|TB)$/);
      }),
    );
  });
});

describe("formatGibibytes", () => {
  it.each([
    [0, "0.0 GiB"],
    [81_559 * 2 ** 20, "79.6 GiB"],
    [2 ** 40, "1024.0 GiB"],
  ])("%d is %s", (bytes, text) => {
    expect(formatGibibytes(bytes)).toBe(text);
  });
});

describe("formatSeconds", () => {
  it.each([
    [0.84, "0.8 s"],
    [12.34, "12.3 s"],
    [59.94, "59.9 s"],
    [59.96, "1 min 0 s"],
    [60, "1 min 0 s"],
    [119.7, "2 min 0 s"],
    [245, "4 min 5 s"],
  ])("tells %d seconds", (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text);
  });

  it("never shows 60 seconds", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 10_000, noNaN: true }), (seconds) => {
        expect(formatSeconds(seconds)).not.toMatch(/\b60(\.0)? s/);
      }),
    );
  });
});

describe("lastLines", () => {
  it.each([
    ["a\nb\nc\n", 2, "b\nc"],
    ["a\nb\n\n\n", 5, "a\nb"],
    ["", 3, ""],
    ["a\nb", 0, ""],
  ])("of %j the last %i are %j", (text, count, last) => {
    expect(lastLines(text, count)).toBe(last);
  });
});
