import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { formatRunnerName, parseRunnerName, type RunnerSuffix } from "../../../src/catalog/runner-name.js";
import { findAmbiguity } from "../../../src/catalog/runner-words.js";

const word = fc.stringMatching(/^[a-c]{1,3}$/);
const variant = fc.stringMatching(/^[a-c0-9]{1,3}$/);
/** Few letters, so that words often begin as others do. */
const vocabularies = fc.record({
  accelerators: fc.dictionary(word, fc.uniqueArray(variant, { maxLength: 3 }), { minKeys: 1, maxKeys: 4 }),
  services: fc.uniqueArray(word, { minLength: 1, maxLength: 4 }),
});
const version = fc.tuple(fc.nat(99), fc.nat(99)).map((numbers) => numbers.join("."));
const suffix: fc.Arbitrary<RunnerSuffix | undefined> = fc.constantFrom(
  undefined,
  { kind: "dev" },
  { kind: "platform", platform: "linux/arm64" },
  { kind: "date", date: "20260212" },
  { kind: "revision", revision: "post1" },
);

describe("words that are accepted", () => {
  it("make names that are read as what they were made of, whatever the words are", () => {
    let accepted = 0;
    const names = vocabularies
      .filter((vocabulary) => findAmbiguity(vocabulary) === undefined)
      .chain((vocabulary) => {
        const types = fc.constantFrom(...Object.entries(vocabulary.accelerators));
        const words = types.chain(([acceleratorType, variants]) =>
          fc.record({
            acceleratorType: fc.constant(acceleratorType),
            variant: fc.constantFrom(undefined, ...variants),
            service: fc.constantFrom(...vocabulary.services),
            acceleratorVersion: version,
            serviceVersion: version,
            suffix,
          }),
        );
        return words.map((words) => ({ vocabulary, words }));
      });
    fc.assert(
      fc.property(names, ({ vocabulary, words }) => {
        accepted += 1;
        const { variant, suffix, ...others } = words;
        const name = {
          ...{ prefix: "team", repository: "runner", ...others },
          ...(variant === undefined ? {} : { variant }),
          ...(suffix === undefined ? {} : { suffix }),
        };
        const reading = parseRunnerName(formatRunnerName(name), vocabulary);
        expect(reading).toEqual({ kind: "runner", name, hasUnknownVariant: false });
      }),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThanOrEqual(5000);
  });
});

describe("words that are refused", () => {
  const known = { accelerators: { cann: ["a3", "910b"] }, services: ["vllm"] };
  it.each<[string, typeof known, string]>([
    ["a service that a variant begins with", { ...known, services: ["a"] }, "the variant a3 of cann begins as"],
    ["a type with a digit", { ...known, accelerators: { ...known.accelerators, foo1: [] } as never }, "foo1 is not of"],
    ["a service with a dash", { ...known, services: ["new-service"] }, "new-service is not of small letters"],
    ["a variant with a dash", { ...known, accelerators: { cann: ["a-3"] } }, "a-3 is not of"],
    ["a type without images", { ...known, accelerators: { ...known.accelerators, cpu: [] } as never }, "cpu is an"],
  ])("are %s", (_, vocabulary, reason) => {
    expect(findAmbiguity(known)).toBeUndefined();
    expect(findAmbiguity(vocabulary)).toContain(reason);
  });
});
