import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { countPresent, loadedName, planArchives } from "../../../src/bundle/image-load.js";
import { findGaps } from "../../../src/bundle/load.js";
import { planPush } from "../../../src/bundle/push.js";
import type { BundledImage } from "../../../src/schema/bundle.js";
import { imageNeed, modelNeed, needing } from "../../support/bundles.js";
import { thrownBy } from "../support/thrown.js";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const layers = fc.array(
  fc.nat(1_000_000).map((sizeBytes) => ({ digest: digest("a"), sizeBytes })),
  { minLength: 1 },
);

describe("the archives of an image", () => {
  it("hold each layer that is missing once, in order, and none is empty but for an image without new layers", () => {
    fc.assert(
      fc.property(layers, fc.nat(20), fc.integer({ min: 1, max: 3_000_000 }), (all, had, mostBytes) => {
        const present = Math.min(had, all.length);
        const ends = planArchives(all, present, mostBytes);
        expect(ends.at(-1)).toBe(all.length);
        const begins = [present, ...ends.slice(0, -1)];
        if (ends.length > 1) for (const [index, end] of ends.entries()) expect(end).toBeGreaterThan(begins[index] ?? 0);
      }),
    );
  });

  it("are no larger than they may be, unless one layer is", () => {
    fc.assert(
      fc.property(layers, fc.integer({ min: 1, max: 3_000_000 }), (all, mostBytes) => {
        let begin = 0;
        for (const end of planArchives(all, 0, mostBytes)) {
          const sizes = all
            .slice(begin, end)
            .map(({ sizeBytes }) => sizeBytes)
            .filter((size) => size > 0);
          const sum = sizes.reduce((bytes, size) => bytes + size, 0);
          expect(sum <= mostBytes || sizes.length === 1).toBe(true);
          begin = end;
        }
      }),
    );
  });

  it("leave out the layers from the lowest that some image of the engine has", () => {
    expect(countPresent(["a", "b", "c"], [])).toBe(0);
    expect(
      countPresent(
        ["a", "b", "c"],
        [
          ["b", "c"],
          ["a", "x"],
          ["a", "b", "x", "c"],
        ],
      ),
    ).toBe(2);
    expect(countPresent(["a"], [["a", "b"]])).toBe(1);
    expect(countPresent([], [["a"]])).toBe(0);
  });

  it("give an image a name that no other has", () => {
    expect(loadedName("registry.example.net:5000/team/engine:1.0", digest("a"))).toBe(
      `registry.example.net:5000/team/engine:sha256-${"a".repeat(64)}`,
    );
  });
});

const image = (reference: string, letter: string, more: Partial<BundledImage> = {}): BundledImage => {
  return {
    reference,
    digest: digest(letter),
    blobs: [{ digest: digest(letter), sizeBytes: 1 }],
    isWhole: true,
    ...more,
  };
};
const place = { registry: "registry.example.net:5000/hub", mirrors: {} };

describe("where images are pushed", () => {
  it("is below the registry by their own path, as a mirror of their registry has them", () => {
    const names = (reference: string) => planPush([image(reference, "a")], place).map(({ name }) => name);
    expect(names("team/engine:1")).toEqual(["registry.example.net:5000/hub/team/engine:1"]);
    expect(names("ubuntu:24.04")).toEqual(["registry.example.net:5000/hub/library/ubuntu:24.04"]);
    expect(names("ghcr.io/org/engine:2")).toEqual(["registry.example.net:5000/hub/org/engine:2"]);
  });

  it("is where the stack's mirrors look for them, if that is in the registry", () => {
    const mirrors = { "docker.io/team": "registry.example.net:5000/hub/our", "ghcr.io": "other.example.net" };
    const targets = planPush([image("team/engine:1", "a"), image("ghcr.io/org/engine:2", "b")], { ...place, mirrors });
    expect(targets.map(({ name, rule }) => [name, rule.isNew])).toEqual([
      ["registry.example.net:5000/hub/our/engine:1", false],
      ["registry.example.net:5000/hub/org/engine:2", true],
    ]);
    expect(targets[1]?.rule).toMatchObject({ from: "ghcr.io", to: "registry.example.net:5000/hub" });
  });

  it("is refused to two images by one name, and to one without all its platforms", () => {
    const two = [image("team/engine:1", "a"), image("ghcr.io/team/engine:1", "b")];
    expect(thrownBy(() => planPush(two, place))).toMatchObject({ code: "usage" });
    const part = [image("team/engine:1", "a", { isWhole: false })];
    expect(String(thrownBy(() => planPush(part, place)))).toContain("--platform all");
  });
});

describe("what a bundle lacks for a lock", () => {
  it("is each image and file, by name", () => {
    const needs = needing({
      images: [imageNeed("team/engine:1", digest("a")), imageNeed("team/other:1", digest("b"))],
      models: [modelNeed("https://files.example.net/m.gguf", "c".repeat(64))],
    });
    expect(findGaps({ images: [image("team/engine:1", "a")], files: [], packages: [] }, needs)).toEqual([
      `team/other:1@${digest("b")}`,
      "m.gguf of m.gguf",
    ]);
  });
});
