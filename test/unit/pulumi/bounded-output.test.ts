import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { BoundedOutput } from "../../../src/pulumi/bounded-output.js";

function say(lines: readonly string[]): { atOnce: string[]; all: string[] } {
  const all: string[] = [];
  const output = new BoundedOutput((line) => all.push(line));
  for (const line of lines) output.write(line);
  const atOnce = [...all];
  output.end();
  return { atOnce, all };
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `line ${index}`);

describe("what a command says", () => {
  it("is handed on as it comes, when it is little", () => {
    expect(say(["one", "", "two"])).toEqual({ atOnce: ["one", "", "two"], all: ["one", "", "two"] });
  });

  it("is its beginning and its end, when it is much, and how much lies between", () => {
    const { atOnce, all } = say(numbered(100_000));
    expect(atOnce[0]).toBe("line 0");
    expect(all.at(-1)).toBe("line 99999");
    const left = all.filter((line) => line.endsWith("left out]"));
    expect(left).toEqual([all[atOnce.length]]);
    const kept = all.length - 1;
    expect(left[0]).toMatch(new RegExp(`^\\[${100_000 - kept} lines, \\d+ bytes, left out\\]$`));
  });

  it("is the beginning of a line, when that is long", () => {
    const [line = ""] = say(["é".repeat(100_000)]).all;
    expect(line).toMatch(/^é+ \[\d+ bytes left out\]$/);
  });

  it("is never more than 33 KiB, whatever it says", () => {
    const line = fc.tuple(fc.string({ unit: "binary" }), fc.nat(3000)).map(([text, times]) => text.repeat(times));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 60 }), (lines) => {
        expect(Buffer.byteLength(say(lines).all.join("\n"))).toBeLessThan(33 * 1024);
      }),
    );
  });
});
