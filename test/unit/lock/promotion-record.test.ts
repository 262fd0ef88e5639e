import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { promotableDigest } from "../../../src/lock/promotion.js";
import { compareRecords, recordMove, recordName } from "../../../src/lock/promotion-record.js";
import { promotionRecord } from "../../../src/schema/promotion.js";
import { bundleOf, promotableOf, readyOf } from "../support/bundles.js";

const circumstances = {
  kind: "promotion" as const,
  at: new Date("2026-11-22T15:04:05.678Z"),
  from: "staging",
  to: "prod",
  dirty: false,
  forced: [],
};

describe("recordMove", () => {
  const before = promotableOf({ chat: "1", code: "1", old: "1" }, { next: "1" });
  const after = promotableOf({ chat: "2", code: "1", more: "1" }, { next: "2" });

  it("holds whole what changes, before and after, and whether what was there was applied and healthy", () => {
    const record = recordMove({ ...circumstances, before, after, applied: new Set(["chat", "code", "more"]) });
    const [one, two] = [bundleOf("1"), bundleOf("2")];
    expect(record).toMatchObject({
      recordVersion: 1,
      at: "2026-11-22T15:04:05.678Z",
      releaseBefore: promotableDigest(before),
      releaseAfter: promotableDigest(after),
    });
    expect(record?.bundles).toEqual({
      chat: { bundle: two.id, previous: one.id, previousApplied: true, release: two, previousRelease: one },
      // What was not there was not applied, whoever says so.
      more: { bundle: one.id, previous: null, previousApplied: false, release: one },
      old: { bundle: null, previous: one.id, previousApplied: false, previousRelease: one },
    });
    expect(record?.preload).toMatchObject({ next: { release: readyOf("2"), previousRelease: readyOf("1") } });
  });

  it("has nothing before where there was no lock, and no part for what lies ready where none does", () => {
    const record = recordMove({ ...circumstances, before: undefined, after: promotableOf({}), applied: new Set() });
    expect(record).toBeUndefined();
    const first = recordMove({
      ...circumstances,
      before: undefined,
      after: promotableOf({ a: "1" }),
      applied: new Set(),
    });
    expect(first).toMatchObject({ bundles: { a: { previous: null } } });
    expect(Object.keys(first ?? {})).not.toContain("releaseBefore");
    expect(Object.keys(first ?? {})).not.toContain("preload");
  });

  it("is none where nothing changes, and else one that its schema accepts as it is", () => {
    const versions = fc.dictionary(fc.constantFrom("chat", "code"), fc.constantFrom("1", "2"), {
      noNullPrototype: true,
    });
    const environment = fc.tuple(versions, versions).map(([release, ready]) => promotableOf(release, ready));
    fc.assert(
      fc.property(fc.option(environment, { nil: undefined }), environment, (any, other) => {
        const record = recordMove({ ...circumstances, before: any, after: other, applied: new Set(["chat"]) });
        const isSame = promotableDigest(any ?? { release: {} }) === promotableDigest(other);
        expect(record === undefined).toBe(isSame);
        if (record !== undefined) expect(promotionRecord.parse(JSON.parse(JSON.stringify(record)))).toEqual(record);
      }),
    );
  });
});

describe("recordName", () => {
  it("has the time to the second, and twelve digits of what is released", () => {
    const releaseAfter = "0123456789abcdef".repeat(4);
    expect(recordName({ at: "2026-11-22T15:04:05.678Z", releaseAfter })).toBe("20261122T150405Z-0123456789ab.json");
  });
});

describe("compareRecords", () => {
  const recordAt = (at: string, version: string) => {
    const after = promotableOf({ chat: version });
    const record = recordMove({ ...circumstances, at: new Date(at), before: undefined, after, applied: new Set() });
    if (record === undefined) throw new Error("the sample changes something");
    return record;
  };
  const records = [
    recordAt("2026-11-22T15:04:05.000Z", "3"),
    recordAt("2026-11-22T15:04:05.001Z", "2"),
    recordAt("2026-11-22T15:04:06.000Z", "1"),
  ];

  it("puts the oldest first, also within a second", () => {
    expect(records.toReversed().sort(compareRecords)).toEqual(records);
  });

  it("has one order for records of the same time", () => {
    const same = [recordAt("2026-11-22T15:04:05.000Z", "1"), recordAt("2026-11-22T15:04:05.000Z", "2")];
    expect(same.toReversed().sort(compareRecords)).toEqual([...same].sort(compareRecords));
    expect(same.map((record) => compareRecords(record, record))).toEqual([0, 0]);
  });
});
