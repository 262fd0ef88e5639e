import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { tellHistory, type History } from "../../../src/lock/promotion-history.js";
import { bundleOf, promotableOf, RecordedEnvironment } from "../support/bundles.js";

const historyOf = ({ records, now }: RecordedEnvironment): History => tellHistory("prod", records, now);
/** Versions that a deployment had, the oldest first; `-` where it was not there. */
const layersOf = (history: History, name: string) =>
  (history.release.get(name) ?? []).map(({ release }) => release?.backendVersion ?? "-");

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
