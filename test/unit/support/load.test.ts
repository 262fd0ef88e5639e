import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { underLoad } from "../../support/load.js";

describe("underLoad", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("sends 20 requests a second, also when none of them is answered meanwhile", async () => {
    let resolve: (answer: string) => void = () => undefined;
    const answer = new Promise<string>((settle) => (resolve = settle));
    const action = async () => {
      await vi.advanceTimersByTimeAsync(10_000);
      resolve("late");
      return "done";
    };
    const load = await underLoad("http://unused", action, () => answer);
    expect(load).toEqual({ result: "done", failed: [], sent: 200, seconds: 10, answers: ["late"] });
  });

  it("tells which requests failed, and what was answered before and after", async () => {
    let asked = 0;
    const request = () => {
      asked += 1;
      return asked === 3 ? Promise.reject(new Error("refused")) : Promise.resolve(asked < 3 ? "old" : "new");
    };
    const load = await underLoad("http://unused", () => vi.advanceTimersByTimeAsync(500), request);
    expect(load).toMatchObject({ failed: ["Error: refused"], sent: 10, answers: ["old", "failed", "new"] });
  });
});
