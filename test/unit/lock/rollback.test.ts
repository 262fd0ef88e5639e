import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { moveBundles, promotableDigest } from "../../../src/lock/promotion.js";
import { tellHistory } from "../../../src/lock/promotion-history.js";
import { rollbackTarget, type Rollback } from "../../../src/lock/rollback.js";
import type { Promotable } from "../../../src/schema/lock.js";
import { bundleOf, promotableOf, RecordedEnvironment } from "../support/bundles.js";
import { thrownBy } from "../support/thrown.js";

const targetOf = ({ records, now }: RecordedEnvironment, to?: string): Rollback =>
  rollbackTarget({ history: tellHistory("prod", records, now), to });
const versionsOf = ({ release }: Promotable) =>
  Object.fromEntries(Object.entries(release).map(([name, { backendVersion }]) => [name, backendVersion]));

function rollBack(prod: RecordedEnvironment, to?: string): void {
  prod.move(targetOf(prod, to).promotable, { kind: "rollback" });
}

describe("rollbackTarget", () => {
  it("takes back what the latest promotion changed, and nothing else", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1", code: "1" }));
    prod.move(promotableOf({ chat: "2", code: "2" }));
    const latest = prod.move(promotableOf({ chat: "3", code: "2" }));
    const { promotable, promotion, unproven, changes } = targetOf(prod);
    expect(versionsOf(promotable)).toEqual({ chat: "2", code: "2" });
    expect([promotion, unproven]).toEqual([latest, []]);
    expect(changes.map(({ name, change }) => [name, change])).toEqual([
      ["chat", "changed"],
      ["code", "same"],
    ]);
  });

  it("goes two back when it is done twice, and never forward", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
    prod.move(promotableOf({ chat: "2" }));
    prod.move(promotableOf({ chat: "3" }));
    rollBack(prod);
    rollBack(prod);
    expect(prod.now).toEqual(promotableOf({ chat: "1" }));
    expect(thrownBy(() => targetOf(prod)).code).toBe("no-earlier-bundle");
    expect(thrownBy(() => targetOf(prod, bundleOf("3").id)).code).toBe("no-earlier-bundle");
  });

  it("passes over what was not applied and healthy", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
    prod.move(promotableOf({ chat: "2" }));
    prod.move(promotableOf({ chat: "3" }), { unhealthy: ["chat"] });
    expect(versionsOf(targetOf(prod).promotable)).toEqual({ chat: "1" });
  });

  it("passes over what never took effect", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
    prod.move(promotableOf({ chat: "2" }));
    prod.move(promotableOf({ chat: "3" }), { isKilled: true });
    expect(versionsOf(targetOf(prod).promotable)).toEqual({ chat: "1" });
  });

  it("brings back what was taken away, and takes away what was added", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1", old: "1" }, { next: "1" }));
    prod.move(promotableOf({ chat: "1", code: "1" }, { other: "2" }));
    expect(targetOf(prod).promotable).toEqual(promotableOf({ chat: "1", old: "1" }, { next: "1" }));
  });

  it("refuses when nothing was promoted", () => {
    const error = thrownBy(() => targetOf(new RecordedEnvironment(promotableOf({ chat: "1" }))));
    expect([error.code, error.message]).toEqual([
      "no-earlier-bundle",
      [
        "prod: there is nothing to roll back: nothing that the lock has came by a promotion",
        "  to do: promote what should be there from the environment before it",
      ].join("\n"),
    ]);
  });

  it("refuses to take the first promotion back: there was nothing before it", () => {
    const prod = new RecordedEnvironment();
    prod.move(promotableOf({ chat: "1" }));
    const error = thrownBy(() => targetOf(prod));
    expect(error.code).toBe("no-earlier-bundle");
    expect(error.message).toContain("its promotion of 2026-11-22T15:00:00.000Z was the first");
  });

  it("refuses when nothing before was applied and healthy, and never takes a deployment away instead", () => {
    const prod = new RecordedEnvironment(promotableOf({}));
    prod.move(promotableOf({ chat: "1" }));
    prod.move(promotableOf({ chat: "2" }), { unhealthy: ["chat"] });
    const error = thrownBy(() => targetOf(prod));
    expect([error.code, error.message]).toEqual([
      "no-earlier-bundle",
      [
        "prod: nothing that chat had before was ever applied and healthy",
        `  got: ${bundleOf("1").id.slice(0, 12)} (chat)`,
        "  to do: name one of them with `--to`, or promote what should be there from the environment before it",
      ].join("\n"),
    ]);
  });

  it("takes back the promotion that came last, whatever clocks say", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1", code: "1" }));
    prod.move(promotableOf({ chat: "2", code: "1" }), { minute: 10 });
    const latest = prod.move(promotableOf({ chat: "2", code: "2" }), { minute: 5 });
    const { promotable, promotion } = targetOf(prod);
    expect([versionsOf(promotable), promotion]).toEqual([{ chat: "2", code: "1" }, latest]);
  });

  it("goes back to what was once applied and healthy, though the lock alone had it the last time", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
    prod.move(promotableOf({ chat: "2" }));
    prod.move(targetOf(prod).promotable, { kind: "rollback", unhealthy: ["chat"] });
    prod.move(promotableOf({ chat: "3" }), { unhealthy: ["chat"] });
    expect(versionsOf(targetOf(prod).promotable)).toEqual({ chat: "1" });
    expect(targetOf(prod, bundleOf("1").id).unproven).toEqual([]);
  });

  it("knows what was seen by a promotion that never took effect", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
    prod.move(promotableOf({ chat: "2" }), { isKilled: true });
    prod.move(promotableOf({ chat: "3" }), { unhealthy: ["chat"] });
    expect(versionsOf(targetOf(prod).promotable)).toEqual({ chat: "1" });
  });

  it("takes another deployment's word for nothing", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1", code: "1" }));
    prod.move(promotableOf({ chat: "2", code: "2" }), { unhealthy: ["chat"] });
    expect(thrownBy(() => targetOf(prod)).message).toContain("nothing that chat had before was ever applied");
  });

  it("leaves alone what was changed without a promotion", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1", code: "1" }));
    prod.move(promotableOf({ chat: "2", code: "2" }));
    prod.now = promotableOf({ chat: "9", code: "2" });
    expect(versionsOf(targetOf(prod).promotable)).toEqual({ chat: "9", code: "1" });
  });
});

describe("rollbackTarget to a bundle", () => {
  function twoSteps(): RecordedEnvironment {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1", code: "1" }, { next: "1" }));
    prod.move(promotableOf({ chat: "2", code: "1" }, { next: "2" }), { unhealthy: ["chat"] });
    prod.move(promotableOf({ chat: "3", code: "4" }, { next: "3" }));
    return prod;
  }

  it("changes the deployment that had it alone", () => {
    const { promotable, promotion, unproven } = targetOf(twoSteps(), bundleOf("2").id.slice(0, 7).toUpperCase());
    expect(promotable).toEqual(promotableOf({ chat: "2", code: "4" }, { next: "3" }));
    expect([promotion, unproven]).toEqual([undefined, []]);
  });

  it("tells when nobody knows that it was healthy, and brings it to every deployment that had it", () => {
    const { promotable, unproven } = targetOf(twoSteps(), bundleOf("1").id);
    expect(versionsOf(promotable)).toEqual({ chat: "1", code: "1" });
    expect(unproven).toEqual(["chat"]);
  });

  it("knows that a bundle which was there twice was healthy once", () => {
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
    prod.move(promotableOf({ chat: "2" }));
    prod.move(promotableOf({ chat: "1" }));
    prod.move(promotableOf({ chat: "3" }), { unhealthy: ["chat"] });
    expect(targetOf(prod, bundleOf("1").id).unproven).toEqual([]);
    rollBack(prod, bundleOf("1").id);
    expect(versionsOf(targetOf(prod).promotable)).toEqual({ chat: "2" });
  });

  it("is followed by rollbacks to what came before it", () => {
    const prod = twoSteps();
    rollBack(prod, bundleOf("2").id);
    rollBack(prod);
    expect(versionsOf(prod.now ?? { release: {} })).toEqual({ chat: "2", code: "1" });
  });

  it.each([
    ["too short", "0123ab", "at least 7 digits of the id of"],
    ["no id", "latest-one", "at least 7 digits of the id of"],
    ["of nothing", "0".repeat(64), bundleOf("2").id.slice(0, 12)],
    ["of what it has", bundleOf("3").id, bundleOf("2").id.slice(0, 12)],
    ["a pattern", ".......", "at least 7 digits of the id of"],
  ])("refuses an id that is %s, and lists what there is", (_, to, expected) => {
    const error = thrownBy(() => targetOf(twoSteps(), to));
    expect(error.code).toBe("usage");
    expect(error.message).toContain("prod: there is no such earlier bundle");
    expect(error.message).toContain(expected);
    expect(error.message).toContain(`${bundleOf("1").id.slice(0, 12)} (chat)`);
  });

  it("refuses the beginning of several ids", () => {
    const id = (end: string) => `${"a".repeat(60)}${end.repeat(4)}`;
    const history = tellHistory("prod", [], promotableOf({ chat: "3" }));
    const layer = (bundle: string) => ({ bundle, release: bundleOf("1"), promotion: undefined, wasApplied: true });
    const layers = [layer(id("1")), layer(id("2")), layer(bundleOf("3").id)];
    const ambiguous = { ...history, release: new Map([["chat", layers]]) };
    const error = thrownBy(() => rollbackTarget({ history: ambiguous, to: "aaaaaaa" }));
    expect([error.code, error.parts.what]).toEqual(["usage", "several earlier bundles begin so"]);
    expect(rollbackTarget({ history: ambiguous, to: id("2") }).changes).toHaveLength(1);
  });
});

const versions = fc.dictionary(fc.constantFrom("chat", "code", "embed"), fc.constantFrom("1", "2", "3", "4"), {
  noNullPrototype: true,
});
const environment = fc
  .tuple(versions, fc.dictionary(fc.constantFrom("next"), fc.constantFrom("1", "2"), { noNullPrototype: true }))
  .map(([release, ready]) => promotableOf(release, ready));
const move = fc.record({
  source: environment,
  only: fc.option(fc.subarray(["chat", "code", "embed"]), { nil: undefined }),
});

/** What a promotion makes of an environment; of the named deployments only those that either has. */
function promote(
  prod: RecordedEnvironment,
  { source, only }: { source: Promotable; only: string[] | undefined },
): void {
  const known = new Set([...Object.keys(source.release), ...Object.keys(prod.now?.release ?? {})]);
  const named = only?.filter((name) => known.has(name));
  prod.move(moveBundles({ source, target: prod.now, only: named }).promotable);
}

describe("a promotion and its rollback", () => {
  it("leave what was there, after whatever promotions, and each rollback goes one further back", () => {
    fc.assert(
      fc.property(environment, fc.array(move, { maxLength: 6 }), (start, moves) => {
        const prod = new RecordedEnvironment(start);
        const before: Promotable[] = [];
        for (const each of moves) {
          const was = prod.now ?? { release: {} };
          const recorded = prod.records.length;
          promote(prod, each);
          if (prod.records.length > recorded) before.push(was);
        }
        for (const was of before.toReversed()) {
          rollBack(prod);
          expect(prod.digest).toBe(promotableDigest(was));
        }
        expect(thrownBy(() => targetOf(prod)).code).toBe("no-earlier-bundle");
      }),
    );
  });

  it("do so in whatever order they come, with attempts between them that were killed", () => {
    const step = fc.oneof(
      move.map((each) => ({ kind: "promote" as const, each })),
      fc.constant({ kind: "rollback" as const }),
      environment.map((after) => ({ kind: "killed" as const, after })),
    );
    fc.assert(
      fc.property(environment, fc.array(step, { maxLength: 12 }), (start, steps) => {
        const prod = new RecordedEnvironment(start);
        const before: Promotable[] = [];
        for (const each of steps) {
          const was = prod.now ?? { release: {} };
          if (each.kind === "killed") prod.move(each.after, { isKilled: true });
          else if (each.kind === "promote") {
            promote(prod, each.each);
            if (prod.digest !== promotableDigest(was)) before.push(was);
          } else {
            const target = before.pop();
            if (target === undefined) expect(thrownBy(() => targetOf(prod)).code).toBe("no-earlier-bundle");
            else {
              rollBack(prod);
              expect(prod.digest).toBe(promotableDigest(target));
            }
          }
        }
      }),
    );
  });
});
