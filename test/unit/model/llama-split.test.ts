import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { LlamaModel } from "../../../src/model/llama-estimate.js";
import { splitLlama } from "../../../src/model/llama-split.js";
import { sum, totalBytes } from "../../../src/model/memory.js";
import { readHeader } from "../../support/gguf-file.js";
import { gemma2Shape, llamaShape } from "../../support/gguf-shapes.js";
import { ggufHeader } from "../../support/gguf-writer.js";

const mib = 2 ** 20;
const size = { layers: 12, width: 512, feedForward: 2048, heads: 8, kvHeads: 2, headSize: 64, vocabulary: 32_000 };
const models: LlamaModel[] = [];
for (const { metadata, tensors } of [llamaShape(size), gemma2Shape(size, 1024)])
  models.push({ header: await readHeader(ggufHeader(metadata, tensors).header), where: "sample" });

const rooms = fc.array(fc.integer({ min: 1, max: 1500 * mib }), { minLength: 1, maxLength: 5 });
const problem = fc.record({
  model: fc.constantFrom(...models),
  options: fc.record({ contextLength: fc.integer({ min: 256, max: 20_000 }) }),
  rooms,
  hostRoom: fc.option(fc.integer({ min: 1, max: 800 * mib }), { nil: undefined }),
});

describe("splitLlama", () => {
  it("gives every layer to one place, none to a place without room, and no place more than it has", () => {
    let found = 0;
    fc.assert(
      fc.property(problem, (asked) => {
        const split = splitLlama(asked);
        if (split === undefined) return;
        found += 1;
        expect(sum(split.layers) + split.hostLayers).toBe(size.layers + 1);
        expect(Math.min(...split.layers)).toBeGreaterThan(0);
        expect(split.places.map(({ layers }) => layers)).toEqual(split.layers);
        for (const [index, place] of split.places.entries())
          expect(totalBytes(place)).toBeLessThanOrEqual(asked.rooms[index] ?? 0);
        if (asked.hostRoom !== undefined) expect(totalBytes(split.host)).toBeLessThanOrEqual(asked.hostRoom);
      }),
      { numRuns: 200 },
    );
    expect(found).toBeGreaterThan(20);
  });

  it("keeps the whole as it is: weights and cache of all places are those of the model in one", () => {
    fc.assert(
      fc.property(fc.constantFrom(...models), fc.integer({ min: 1, max: 5 }), (model, count) => {
        const roomy = { model, options: {}, hostRoom: undefined };
        const one = splitLlama({ ...roomy, rooms: [4096 * mib] });
        const many = splitLlama({ ...roomy, rooms: Array.from({ length: count }, () => 4096 * mib) });
        const whole = (split: typeof one, part: "weightsBytes" | "cacheBytes") =>
          sum([...(split?.places ?? []), ...(split === undefined ? [] : [split.host])].map((place) => place[part]));
        for (const part of ["weightsBytes", "cacheBytes"] as const) expect(whole(many, part)).toBe(whole(one, part));
      }),
      { numRuns: 20 },
    );
  });

  it("fills places alike: twice the room has more layers", () => {
    const [model] = models;
    if (model === undefined) throw new Error("no model");
    const split = splitLlama({ model, options: {}, rooms: [1200 * mib, 2400 * mib], hostRoom: undefined });
    const [small = 0, large = 0] = split?.layers ?? [];
    expect(large).toBeGreaterThan(small);
  });

  it("leaves the first layers to a host whose processor computes", () => {
    const [model] = models;
    if (model === undefined) throw new Error("no model");
    const split = splitLlama({ model, options: {}, rooms: [800 * mib, 800 * mib], hostRoom: 800 * mib });
    expect(split?.hostLayers).toBeGreaterThan(0);
    expect(split?.layers).toHaveLength(2);
  });

  it("has no answer where a place would have no layer", () => {
    const [model] = models;
    if (model === undefined) throw new Error("no model");
    expect(splitLlama({ model, options: {}, rooms: [4096 * mib, 1], hostRoom: undefined })).toBeUndefined();
    const many = Array.from({ length: size.layers + 2 }, () => 4096 * mib);
    expect(splitLlama({ model, options: {}, rooms: many, hostRoom: undefined })).toBeUndefined();
  });
});
