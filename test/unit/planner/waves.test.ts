import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { chooseWaves, placeRollout, rolloutPart } from "../../../src/planner/waves.js";

const hosts = (count: number) => Array.from({ length: count }, (_, index) => `h${String(index).padStart(2, "0")}`);
const sizes = (count: number, ...waves: (number | string)[]) =>
  chooseWaves(hosts(count), waves).map(({ length }) => length);

describe("the waves of hosts", () => {
  it("end after so many hosts, or so many percent of them rounded up, counted from the first by name", () => {
    expect(chooseWaves(["c", "a", "b", "a"], [1, "100%"])).toEqual([["a"], ["b", "c"]]);
    expect(sizes(24, 1, "10%", "100%")).toEqual([1, 2, 21]);
    expect(sizes(30, "10%")).toEqual([3, 27]);
  });

  it("are fewer where there are fewer hosts, and what is left comes last", () => {
    expect(sizes(5, 1, "10%", "100%")).toEqual([1, 4]);
    expect(sizes(1, 1, "10%", "100%")).toEqual([1]);
    expect(sizes(5, 2)).toEqual([2, 3]);
    expect(sizes(0, 1, "100%")).toEqual([]);
  });

  it("have each host once, none of them empty, in the order of the names, and no wave before its end", () => {
    const wave = fc.oneof(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 100 }).map((part) => `${part}%`),
    );
    fc.assert(
      fc.property(fc.uniqueArray(fc.stringMatching(/^[a-z0-9]{1,3}$/)), fc.array(wave), (names, waves) => {
        const chosen = chooseWaves(names, waves);
        expect(chosen.flat()).toEqual([...names].sort());
        expect(chosen.every(({ length }) => length > 0)).toBe(true);
        expect(chooseWaves([...names].reverse(), waves)).toEqual(chosen);
        const [first] = waves;
        const end = typeof first === "number" ? first : Math.ceil((parseInt(first ?? "100") * names.length) / 100);
        expect(chosen[0]?.length ?? 0).toBe(Math.min(names.length, end));
      }),
    );
  });
});

describe("a placed rollout", () => {
  const instances = ["a", "b", "b", "c"].map((host) => ({ host }));

  it("is there when the stack has one, for the hosts that have instances alone", () => {
    expect(placeRollout(undefined, instances)).toBeUndefined();
    const placed = placeRollout({ waves: [1, "100%"], pause: 60, maxFailures: 2 }, instances);
    expect(placed).toEqual({ waves: [["a"], ["b", "c"]], pauseSeconds: 60, maxFailures: 2 });
  });

  it("tells an instance its wave and how many come later", () => {
    const placed = { waves: [["a"], ["b"], ["c"]], pauseSeconds: 60, maxFailures: 2 };
    const rest = { waves: 3, pauseSeconds: 60, maxFailures: 2 };
    expect(rolloutPart(placed, "a", instances)).toEqual({ wave: 1, later: 3, ...rest });
    expect(rolloutPart(placed, "b", instances)).toEqual({ wave: 2, later: 1, ...rest });
    expect(rolloutPart(placed, "c", instances)).toEqual({ wave: 3, later: 0, ...rest });
  });
});
