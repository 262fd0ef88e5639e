import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { chooseEvictedModels, findUses, type ModelSurvey } from "../../../src/install/model-eviction.js";
import type { StoredModel } from "../../../src/install/model-inventory.js";

const digestOf = (digit: string) => digit.repeat(64);

/** A stored model; by default of one file that is known by the folder's name alone. */
function stored(place: StoredModel["place"], digit: string, files?: string): StoredModel {
  return {
    sha256: digestOf(digit),
    place,
    source: files === undefined ? "" : "acme/tiny@0123456",
    files: [{ path: "m", sizeBytes: 1 }],
    sizeBytes: 1,
    digests: files === undefined ? [digestOf(digit)] : Array.from(files).map(digestOf),
    incomplete: false,
    wantedBy: [],
    lastUsed: new Date(0),
  };
}

const wanted = (owner: string, digit: string, files = digit) => ({
  owner,
  sha256: digestOf(digit),
  files: Array.from(files).map(digestOf),
});
const claim = (owner: string, digit: string) => ({ owner, sha256: digestOf(digit) });
const evicted = (survey: Partial<ModelSurvey>) =>
  chooseEvictedModels({ stored: [], claims: [], wanted: [], ...survey }).map(({ sha256 }) => sha256[0]);

describe("what may go from the cache", () => {
  it("is what no stack has and no lock wants", () => {
    expect(evicted({ stored: [stored("cache", "a"), stored("cache", "b", "12")] })).toEqual(["a", "b"]);
  });

  it("is never what lies in place", () => {
    expect(evicted({ stored: [stored("in place", "a"), stored("in place", "b", "12")] })).toEqual([]);
  });

  it.each<[string, Partial<ModelSurvey>]>([
    ["a lock wants", { wanted: [wanted("shop/prod", "a")] }],
    ["a lock wants a part of", { wanted: [wanted("shop/prod", "d", "13")] }],
    ["a resource of any stack has", { claims: [claim("other/dev", "a")] }],
  ])("is not what %s", (_, survey) => {
    expect(evicted({ stored: [stored("cache", "a", "12")], ...survey })).toEqual([]);
  });

  it("is a commit whose successor is in place, though they share files", () => {
    const both = [stored("in place", "d", "13"), stored("cache", "a", "12")];
    expect(evicted({ stored: both, wanted: [wanted("shop/dev", "d", "13")] })).toEqual(["a"]);
  });

  it("is not a file that may belong to a model that another project fetches now", () => {
    const survey = { stored: [stored("cache", "1"), stored("cache", "b", "23")], claims: [claim("other/dev", "d")] };
    expect(evicted(survey)).toEqual(["b"]);
    expect(evicted({ ...survey, stored: [...survey.stored, stored("in place", "d", "45")] })).toEqual(["1", "b"]);
  });
});

describe("the uses of a model", () => {
  it("tell stacks that have it, and locks that would fetch it again", () => {
    const model = stored("cache", "a", "12");
    const survey = { stored: [model], claims: [claim("x/y", "a")], wanted: [wanted("shop/dev", "b", "2")] };
    expect(findUses(model, survey)).toEqual([
      { owner: "x/y", how: "resource" },
      { owner: "shop/dev", how: "lock" },
    ]);
  });
});

it("no eviction makes anything be fetched that would not have been fetched before", () => {
  const digit = fc.constantFrom("a", "b", "c", "d", "e", "f");
  const files = fc.uniqueArray(fc.constantFrom("1", "2", "3"), { minLength: 1 }).map((each) => each.join(""));
  const place = fc.constantFrom<StoredModel["place"]>("in place", "cache");
  const several = fc.tuple(place, digit, files).map(([lies, id, parts]) => stored(lies, id, parts));
  const single = fc.constantFrom("1", "2", "3").map((file) => stored("cache", file));
  const model = fc.oneof(several, single);
  const survey = fc.record({
    stored: fc.array(model, { maxLength: 6 }),
    claims: fc.array(
      digit.map((id) => claim("shop/dev", id)),
      { maxLength: 3 },
    ),
    wanted: fc.array(
      fc.tuple(digit, files).map(([id, parts]) => wanted("shop/dev", id, parts)),
      { maxLength: 3 },
    ),
  });
  /** Files that a lock wants, that are not in place as its model, and that lie somewhere in the cache. */
  const available = ({ stored: lying, wanted: asked }: ModelSurvey) => {
    const inPlace = lying.filter(({ place }) => place === "in place").map(({ sha256 }) => sha256);
    const cached = new Set(lying.filter(({ place }) => place === "cache").flatMap(({ digests }) => digests));
    const missing = asked.filter(({ sha256 }) => !inPlace.includes(sha256)).flatMap((each) => each.files);
    return [...new Set(missing)].filter((file) => cached.has(file)).sort();
  };
  fc.assert(
    fc.property(survey, (before) => {
      const gone = chooseEvictedModels(before);
      const after = { ...before, stored: before.stored.filter((each) => !gone.includes(each)) };
      expect(available(after)).toEqual(available(before));
      expect(gone.filter(({ sha256 }) => before.claims.some((each) => each.sha256 === sha256))).toEqual([]);
      expect(chooseEvictedModels(after)).toEqual([]);
    }),
  );
});
