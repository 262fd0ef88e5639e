import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { levelFigures } from "../../../src/health/bench-level.js";
import { distributionOf, percentileOf } from "../../../src/health/distribution.js";
import type { TimedReply } from "../../../src/health/timed-request.js";
import { benchReport } from "../../../src/schema/bench.js";

const figures = fc.array(fc.double({ min: 0, max: 1000, noNaN: true }), { minLength: 1, maxLength: 50 });

describe("percentiles", () => {
  it("are figures that were measured, and so many of them are not above", () => {
    fc.assert(
      fc.property(figures, fc.double({ min: 0.01, max: 1, noNaN: true }), (measured, part) => {
        const found = percentileOf(measured, part) ?? expect.fail();
        expect(measured).toContain(found);
        expect(measured.filter((each) => each <= found).length).toBeGreaterThanOrEqual(part * measured.length - 1e-9);
        expect(measured.filter((each) => each < found).length).toBeLessThan(part * measured.length + 1e-9);
      }),
    );
  });

  it("rise, whatever the order of the figures", () => {
    fc.assert(
      fc.property(figures, (measured) => {
        const found = distributionOf(measured) ?? expect.fail();
        expect([found.p50, found.p95, found.p99, found.max].toSorted((a, b) => a - b)).toEqual([
          ...[found.p50, found.p95, found.p99, found.max],
        ]);
        expect(distributionOf(measured.toReversed())).toMatchObject({ p50: found.p50, p99: found.p99, max: found.max });
      }),
    );
  });

  it("of nothing are none", () => {
    expect(distributionOf([])).toBeUndefined();
  });
});

const reply = (changes: Partial<Extract<TimedReply, { ok: true }>> = {}): TimedReply => ({
  ...{ ok: true, firstTokenSeconds: 1, seconds: 3, tokens: 5, counted: "usage", promptTokens: 7, ...changes },
});

describe("the figures of a level", () => {
  it("tell times, tokens of each answer and of all, and how they were counted", () => {
    const found = levelFigures([reply(), reply({ counted: "events", promptTokens: undefined })], {
      ...{ concurrency: 2, seconds: 4 },
    });
    const same = (value: number) => ({ mean: value, p50: value, p95: value, p99: value, max: value });
    expect(found).toEqual({
      ...{ concurrency: 2, requests: 2, errors: 0, reasons: [], seconds: 4, requestsPerSecond: 0.5, promptTokens: 7 },
      ...{ tokens: 10, tokensPerSecond: 2.5, tokensCountedBy: "both" },
      ...{ firstTokenSeconds: same(1), latencySeconds: same(3), requestTokensPerSecond: same(2) },
    });
    expect(benchReport.shape.levels.parse([found])).toEqual([found]);
  });

  it("count what failed by its reason, and leave it out of the times", () => {
    const failed = (reason: string): TimedReply => ({ ok: false, reason });
    const found = levelFigures([failed("a"), failed("b"), reply(), failed("b")], { concurrency: 1, seconds: 1 });
    expect(found).toMatchObject({ requests: 4, errors: 3, requestsPerSecond: 1, tokens: 5 });
    expect(found.reasons).toEqual([
      { reason: "b", requests: 2 },
      { reason: "a", requests: 1 },
    ]);
  });

  it("of vectors have no tokens", () => {
    const found = levelFigures([reply({ tokens: 0 })], { concurrency: 1, seconds: 3, category: "embedding" });
    expect(found).not.toHaveProperty("tokens");
    expect(found).not.toHaveProperty("firstTokenSeconds");
    expect(found.latencySeconds?.p50).toBe(3);
  });
});
