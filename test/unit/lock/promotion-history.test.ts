import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { tellHistory, type History } from "../../../src/lock/promotion-history.js";
import { bundleOf, promotableOf, RecordedEnvironment } from "../support/bundles.js";

const historyOf = ({ records, now }: RecordedEnvironment): History => tellHistory("prod", records, now);
/** Versions that a deployment had, the oldest first; `-` where it was not there. */
const layersOf = (history: History, name: string) =>
  (history.release.get(name) ?? []).map(({ release }) => release?.backendVersion ?? "-");

const tookEffect = (history: History) => history.entries.map((entry) => entry.tookEffect);

/** An environment as it is on another branch. */
function branchOf({ records, now }: RecordedEnvironment): RecordedEnvironment {
  const branch = new RecordedEnvironment(now);
  branch.records.push(...records);
  return branch;
}

/** What a merge of a branch makes of an environment whose lock is kept: it has the records of both. */
function merge(prod: RecordedEnvironment, branch: RecordedEnvironment): void {
  prod.records.push(...branch.records.filter((record) => !prod.records.includes(record)));
}

describe("tellHistory", () => {
  it("tells what each deployment has, what it had before, and which record gave it", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
    const first = prod.move(promotableOf({ chat: "2", code: "2" }), { unhealthy: ["chat"] });
    const second = prod.move(promotableOf({ chat: "3", code: "2" }));
    const history = historyOf(prod);
    expect(history.entries.map(({ record }) => record)).toEqual([second, first]);
    expect(history.entries.map(({ current }) => current.release)).toEqual([["chat"], ["code"]]);
    expect(layersOf(history, "chat")).toEqual(["1", "2", "3"]);
    expect(layersOf(history, "code")).toEqual(["-", "2"]);
    expect(history.release.get("chat")?.map(({ wasApplied }) => wasApplied)).toEqual([false, true, undefined]);
  });

  it("takes away what was rolled back from", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
    prod.move(promotableOf({ chat: "2" }));
    prod.move(promotableOf({ chat: "3" }));
    prod.move(promotableOf({ chat: "1" }), { kind: "rollback" });
    expect(layersOf(historyOf(prod), "chat")).toEqual(["1"]);
    expect(historyOf(prod).entries.map(({ current }) => current.release)).toEqual([["chat"], [], []]);
  });

  it("leaves other environments out", () => {
    const prod = new RecordedEnvironment();
    prod.move(promotableOf({ chat: "1" }));
    expect(tellHistory("staging", prod.records, undefined).entries).toEqual([]);
  });

  it.each([
    ["a promotion", "promotion"],
    ["a rollback", "rollback"],
  ] as const)("tells that %s did not take effect when the lock stayed as it was", (_, kind) => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
    prod.move(promotableOf({ chat: "2" }));
    prod.move(promotableOf({ chat: "3" }), { kind, isKilled: true });
    expect(historyOf(prod).entries.map(({ tookEffect }) => tookEffect)).toEqual([false, true]);
    expect(historyOf(prod).entries[0]?.current).toEqual({ release: [], preload: [] });
    expect(layersOf(historyOf(prod), "chat")).toEqual(["1", "2"]);
    prod.move(promotableOf({ chat: "3" }));
    expect(historyOf(prod).entries.map(({ tookEffect }) => tookEffect)).toEqual([true, false, true]);
    expect(layersOf(historyOf(prod), "chat")).toEqual(["1", "2", "3"]);
  });

  it("tells of what the lock has by other means as of something without a promotion", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
    prod.move(promotableOf({ chat: "2" }));
    prod.now = promotableOf({ chat: "9" });
    const history = historyOf(prod);
    expect(history.entries[0]).toMatchObject({ tookEffect: true, current: { release: [] } });
    expect(layersOf(history, "chat")).toEqual(["1", "2", "9"]);
    expect(history.release.get("chat")?.at(-1)?.promotion).toBeUndefined();
    prod.move(promotableOf({ chat: "3" }));
    expect(layersOf(historyOf(prod), "chat")).toEqual(["1", "2", "9", "3"]);
  });

  it("tells of a deployment that no record knows, and of what lies ready", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }, { next: "1" }));
    prod.move(promotableOf({ chat: "1" }, { next: "2" }));
    const history = historyOf(prod);
    expect(layersOf(history, "chat")).toEqual(["1"]);
    expect(history.preload.get("next")).toHaveLength(2);
    expect(history.entries[0]?.current).toEqual({ release: [], preload: ["next"] });
  });

  it("is the same in whatever order the records are read", () => {
    const step = fc.record({
      after: fc
        .dictionary(fc.constantFrom("chat", "code"), fc.constantFrom("1", "2", "3"), { noNullPrototype: true })
        .map((versions) => promotableOf(versions)),
      kind: fc.constantFrom("promotion" as const, "rollback" as const),
      isKilled: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 8 }),
        fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
        (steps, order) => {
          const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
          for (const { after, ...changes } of steps) prod.move(after, changes);
          const shuffled = prod.records
            .map((record, index) => ({ record, rank: order[index] ?? 0 }))
            .sort((one, other) => one.rank - other.rank)
            .map(({ record }) => record);
          expect(tellHistory("prod", shuffled, prod.now)).toEqual(historyOf(prod));
          const tops = [...historyOf(prod).release].map(([name, layers]) => [name, layers.at(-1)?.bundle]);
          for (const [name, bundle] of tops) expect(prod.now?.release[String(name)]?.id ?? null).toBe(bundle);
        },
      ),
    );
  });

  it("knows bundles by their content: what came back is what was there", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
    prod.move(promotableOf({ chat: "2" }));
    prod.move(promotableOf({ chat: "1" }));
    expect(layersOf(historyOf(prod), "chat")).toEqual(["1", "2", "1"]);
    expect(historyOf(prod).entries.map(({ current }) => current.release)).toEqual([["chat"], []]);
    expect(historyOf(prod).release.get("chat")?.at(0)?.bundle).toBe(bundleOf("1").id);
  });
});

describe("tellHistory of two branches that were merged", () => {
  function base(): RecordedEnvironment {
    const prod = new RecordedEnvironment(promotableOf({ chat: "0", embed: "1" }));
    prod.move(promotableOf({ chat: "1", embed: "1" }), { minute: 0 });
    return prod;
  }

  it.each([
    ["before", 5],
    ["after", 15],
  ])("says that the promotion whose lock was kept took effect, with another one %s it", (_, minute) => {
    const prod = base();
    const branch = branchOf(prod);
    const kept = prod.move(promotableOf({ chat: "2", embed: "1" }), { minute: 10 });
    const lost = branch.move(promotableOf({ chat: "1", embed: "2" }), { minute });
    merge(prod, branch);
    const history = historyOf(prod);
    const effects = new Map(history.entries.map((entry) => [entry.record, entry.tookEffect]));
    expect(kept !== undefined && effects.get(kept)).toBe(true);
    expect(lost !== undefined && effects.get(lost)).toBe(false);
    expect([layersOf(history, "chat"), layersOf(history, "embed")]).toEqual([["0", "1", "2"], ["1"]]);
    expect(history.release.get("chat")?.at(-1)?.promotion).toBe(kept);
  });

  it.each<[string, [number, number]]>([
    ["before", [5, 6]],
    ["after", [15, 16]],
    ["around", [5, 15]],
  ])("leaves out all promotions of a branch whose lock was given up, which were %s it", (_, [one, two]) => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1", embed: "1" }));
    const branch = branchOf(prod);
    prod.move(promotableOf({ chat: "2", embed: "1" }), { minute: 10 });
    branch.move(promotableOf({ chat: "1", embed: "2" }), { minute: one });
    branch.move(promotableOf({ chat: "1", embed: "3" }), { minute: two });
    merge(prod, branch);
    const told = historyOf(prod);
    expect(tookEffect(told).filter(Boolean)).toHaveLength(1);
    expect([layersOf(told, "chat"), layersOf(told, "embed")]).toEqual([["1", "2"], ["1"]]);
    prod.move(promotableOf({ chat: "3", embed: "1" }), { minute: 20 });
    expect(layersOf(historyOf(prod), "chat")).toEqual(["1", "2", "3"]);
    expect(layersOf(historyOf(prod), "embed")).toEqual(["1"]);
  });
});

describe("tellHistory with clocks that are wrong", () => {
  it.each<[string, [number, number, number]]>([
    ["the second is behind", [10, 5, 11]],
    ["the first is ahead", [20, 5, 11]],
    ["all are the other way round", [20, 10, 0]],
    ["all tell the same", [3, 3, 3]],
  ])("knows what came after what where %s", (_, [one, two, three]) => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
    const records = [
      prod.move(promotableOf({ chat: "2" }), { minute: one }),
      prod.move(promotableOf({ chat: "3" }), { minute: two }),
      prod.move(promotableOf({ chat: "4" }), { minute: three }),
    ];
    const history = historyOf(prod);
    expect(tookEffect(history)).toEqual([true, true, true]);
    expect(history.entries.map(({ record }) => record)).toEqual(records.toReversed());
    expect(layersOf(history, "chat")).toEqual(["1", "2", "3", "4"]);
    expect(history.entries.map(({ current }) => current.release)).toEqual([["chat"], [], []]);
  });

  it("counts what was before a change without a record, and nothing from which the lock was set back", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
    prod.move(promotableOf({ chat: "2" }));
    const was = prod.now;
    prod.move(promotableOf({ chat: "3" }));
    prod.now = was;
    prod.move(promotableOf({ chat: "4" }));
    prod.now = promotableOf({ chat: "9" });
    prod.move(promotableOf({ chat: "5" }));
    expect(tookEffect(historyOf(prod))).toEqual([true, true, false, true]);
    expect(layersOf(historyOf(prod), "chat")).toEqual(["1", "2", "4", "9", "5"]);
  });
});
