import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";

import type { Answers, Detector } from "../../../../src/host/accelerators/detector.js";
import { accelerator, acceleratorUsage } from "../../../../src/schema/facts.js";
import { allFixtures, ramBytes, readAnswers } from "../../support/accelerator-fixtures.js";

const sighting = z.strictObject({
  accelerators: z.array(accelerator),
  usage: z.array(acceleratorUsage),
  warnings: z.array(z.string()),
});

/** The detector asks and reads without an error, and what it reads is of the form that facts have. */
function readsSoundly(detector: Detector, answers: Answers): void {
  const asked = detector.ask(answers);
  expect(Object.values(asked).every(({ argv }) => argv.every((word) => typeof word === "string"))).toBe(true);
  const read = detector.read(answers, { ramBytes });
  expect(sighting.safeParse(read).error).toBeUndefined();
}

/** Breaks a text as a tool or a network might. */
const breakage: fc.Arbitrary<(text: string) => string> = fc.oneof(
  fc
    .double({ min: 0, max: 1, noNaN: true })
    .map((part) => (text: string) => text.slice(0, Math.floor(text.length * part))),
  fc
    .tuple(fc.nat(), fc.nat({ max: 40 }), fc.string({ unit: "binary", maxLength: 20 }))
    .map(([at, length, insert]) => (text: string) => {
      const begin = text === "" ? 0 : at % text.length;
      return text.slice(0, begin) + insert + text.slice(begin + length);
    }),
  fc
    .tuple(fc.nat(), fc.constantFrom("99999999999999999999", "-1", "N/A", "[Not Supported]", "1e9", "", "0x", "\u0000"))
    .map(([which, value]) => (text: string) => {
      const numbers = [...text.matchAll(/\d+/g)];
      const found = numbers[numbers.length === 0 ? 0 : which % numbers.length];
      if (found === undefined) return text;
      return text.slice(0, found.index) + value + text.slice(found.index + found[0].length);
    }),
  fc.nat().map((which) => (text: string) => {
    const lines = text.split("\n");
    lines.splice(which % lines.length, 1);
    return lines.join("\n");
  }),
  fc.constant((text: string) => text + text),
  fc.constant((text: string) => text.replaceAll("\n", "\r\n")),
  fc.constant((text: string) => text.split("\n").slice(0, 3).join("\n")),
);

describe.each(allFixtures())("the detector of $fixture", ({ fixture, detector }) => {
  const answers = readAnswers(fixture);
  const names = Object.keys(answers);

  it("reads it as facts, without an error", () => {
    readsSoundly(detector, answers);
    expect(detector.read(answers, { ramBytes }).accelerators.length).toBeGreaterThan(0);
  });

  it("asks for each of its answers, and in the end for nothing new", () => {
    const asked = Object.keys(detector.ask(answers));
    expect(asked).toEqual(expect.arrayContaining(names));
  });

  it("reads what is left of it when it breaks off anywhere", () => {
    for (const name of names) {
      const text = answers[name] ?? "";
      const step = Math.max(1, Math.floor(text.length / 100));
      for (let length = 0; length < text.length; length += step)
        readsSoundly(detector, { ...answers, [name]: text.slice(0, length) });
    }
  });

  it("reads it when anything in it is another", () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.array(breakage, { minLength: 1, maxLength: 3 }), (name, breakages) => {
        const text = breakages.reduce((broken, breakOnce) => breakOnce(broken), answers[name] ?? "");
        readsSoundly(detector, { ...answers, [name]: text });
      }),
      { numRuns: 100 },
    );
  });

  it("reads any text in its place", () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.string({ unit: "binary", maxLength: 200 }), (name, text) => {
        readsSoundly(detector, { ...answers, [name]: text });
      }),
      { numRuns: 60 },
    );
  });
});
