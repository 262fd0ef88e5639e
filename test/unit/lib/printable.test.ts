import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { printable, printableLines } from "../../../src/lib/printable.js";

describe("printable", () => {
  it.each([
    ["plain text, ümläute 漢字 🙂", "plain text, ümläute 漢字 🙂"],
    ["\u001b[2Jgone", "?[2Jgone"],
    ["\u001b]0;title\u0007", "?]0;title?"],
    ["\u009b2J", "?2J"],
    ["\u001b[31mred\u001b[0m", "red"],
    ["a\rb\nc\td\0\u007f", "a?b?c?d??"],
    ["a\u0085b\u2028c\u2029d", "a?b?c?d"],
    ["\u202egpj.exe", "?gpj.exe"],
  ])("makes %j harmless", (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it("leaves nothing that moves a cursor, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
        expect(printableLines(text).replace(/[\n\t]/g, "")).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
      }),
    );
  });
});

describe("printableLines", () => {
  it("keeps lines and tabs", () => {
    expect(printableLines("a\tb\r\nc\u001b[2Jd\n")).toBe("a\tb\nc?[2Jd\n");
  });
});
