import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { LineSplitter } from "../../../src/host/line-splitter.js";

describe("LineSplitter", () => {
  it("gives the lines of a text, however its bytes are cut into pieces", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom("a", "ž", "🐎") })), fc.nat(20), (lines, size) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
        const seen: string[] = [];
        const splitter = new LineSplitter((line) => seen.push(line));
        for (let at = 0; at < bytes.length; at += size + 1) splitter.write(bytes.subarray(at, at + size + 1));
        splitter.end();
        expect(seen).toEqual(lines);
      }),
    );
  });

  it("gives a last line without an end, and strips what ends lines elsewhere", () => {
    const seen: string[] = [];
    const splitter = new LineSplitter((line) => seen.push(line));
    splitter.write(Buffer.from("one\r\ntwo"));
    expect(seen).toEqual(["one"]);
    splitter.end();
    expect(seen).toEqual(["one", "two"]);
  });
});
