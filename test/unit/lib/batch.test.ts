import { setTimeout as delay } from "node:timers/promises";

import { describe, expect, it } from "vitest";

import { runBatch } from "../../../src/lib/batch.js";

describe("runBatch", () => {
  it("does something for each item, and for no more at once than it may", async () => {
    const done: number[] = [];
    let running = 0;
    let most = 0;
    await runBatch([1, 2, 3, 4, 5], { atOnce: 2 }, async (item) => {
      most = Math.max(most, (running += 1));
      await delay(1);
      running -= 1;
      done.push(item);
    });
    expect(done.sort()).toEqual([1, 2, 3, 4, 5]);
    expect(most).toBe(2);
  });

  it("throws what the first failed with, once those that run have stopped; no other begins", async () => {
    const bad = new Error("bad");
    const seen: string[] = [];
    const act = async (item: string, signal: AbortSignal) => {
      seen.push(`${item} begins`);
      if (item === "bad") throw bad;
      await delay(10_000, undefined, { signal }).catch(() => delay(10));
      seen.push(`${item} stopped`);
      throw new Error("stopped");
    };
    await expect(runBatch(["slow", "bad", "late"], { atOnce: 2 }, act)).rejects.toBe(bad);
    expect(seen).toEqual(["slow begins", "bad begins", "slow stopped"]);
  });

  it("throws the reason when its signal aborts", async () => {
    const enough = new Error("enough");
    const controller = new AbortController();
    const begun = runBatch([1, 2], { atOnce: 1, signal: controller.signal }, async (item, signal) => {
      setTimeout(() => controller.abort(enough), 1);
      await delay(10_000, undefined, { signal });
    });
    await expect(begun).rejects.toBe(enough);
  });
});
