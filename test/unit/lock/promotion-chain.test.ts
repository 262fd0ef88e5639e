import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { chainOf } from "../../../src/lock/promotion-chain.js";
import { compareRecords } from "../../../src/lock/promotion-record.js";
import { promotableOf, RecordedEnvironment } from "../support/bundles.js";

const chainIn = ({ records, digest }: RecordedEnvironment) => chainOf([...records].sort(compareRecords), digest);

describe("chainOf", () => {
  it("has what wrote locks, and nothing that was killed, though the same bundles come again and again", () => {
    const step = fc.record({ version: fc.constantFrom("1", "2", "3"), isKilled: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
        const effective = steps.flatMap(({ version, isKilled }) => {
          const record = prod.move(promotableOf({ chat: version }), { isKilled });
          return record === undefined || isKilled ? [] : [record];
        });
        expect(chainIn(prod)).toEqual(effective);
      }),
    );
  });

  it("has the order in which locks were written, whatever the times are", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 8 }), (minutes) => {
        const prod = new RecordedEnvironment(promotableOf({ chat: "first" }));
        minutes.forEach((minute, index) => prod.move(promotableOf({ chat: String(index) }), { minute }));
        expect(chainIn(prod)).toEqual(prod.records);
      }),
    );
  });

  it("has nothing of a branch whose lock was given up, at whatever times its promotions were", () => {
    const minutes = fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { minLength: 2, maxLength: 10 });
    fc.assert(
      fc.property(minutes, fc.nat(), (all, part) => {
        const kept = Math.max(1, part % all.length);
        const sorted = (times: number[]) => times.sort((one, other) => one - other);
        const prod = new RecordedEnvironment(promotableOf({ chat: "0" }));
        const base = prod.move(promotableOf({ chat: "base" }), { minute: 0 });
        const branch = new RecordedEnvironment(prod.now);
        const move = (to: RecordedEnvironment, name: string, minute: number, index: number) =>
          to.move(promotableOf({ chat: `${name}${index}` }), { minute });
        sorted(all.slice(0, kept)).forEach((minute, index) => move(prod, "kept", minute, index));
        sorted(all.slice(kept)).forEach((minute, index) => move(branch, "lost", minute, index));
        const records = [...prod.records, ...branch.records].sort(compareRecords);
        expect(prod.records[0]).toBe(base);
        expect(chainOf(records, prod.digest)).toEqual(prod.records);
      }),
    );
  });

  it("goes on before a change without a record, and before one that set the lock back", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
    const first = prod.move(promotableOf({ chat: "2" }));
    prod.now = promotableOf({ chat: "9" });
    const second = prod.move(promotableOf({ chat: "3" }));
    const was = prod.now;
    prod.move(promotableOf({ chat: "4" }));
    prod.now = was;
    expect(chainIn(prod)).toEqual([first, second]);
    prod.now = promotableOf({ chat: "8" });
    expect(chainIn(prod).slice(0, 2)).toEqual([first, second]);
  });

  it("is empty without a lock that a record tells of", () => {
    const prod = new RecordedEnvironment();
    prod.move(promotableOf({ chat: "1" }), { isKilled: true });
    expect(chainIn(prod)).toEqual([]);
    expect(chainOf([], undefined)).toEqual([]);
  });
});
