import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { ProbeResult } from "../../../src/health/probe.js";
import { verifyHealth, type Verdict } from "../../../src/health/verify.js";
import { FakeClock } from "../support/fake-clock.js";

const well: ProbeResult = { level: "answered", text: "5" };
const ill = (reason: string): ProbeResult => ({ level: "portOpen", reason });

interface Runner {
  /** What a look at the given second shows. */
  at: (seconds: number) => ProbeResult;
  /** When the process ends. */
  endsAt?: number;
  /** How long a look takes. */
  lookSeconds?: number;
}

interface Watched {
  verdict: Verdict;
  seconds: number;
  /** When each look began, and when it ended. */
  looks: { from: number; to: number; answered: boolean }[];
}

/** Verifies a runner, with a clock of its own. */
async function watch(runner: Runner, minHealthySeconds: number, deadlineSeconds: number): Promise<Watched> {
  const clock = new FakeClock();
  const begun = clock.now().getTime();
  const now = () => (clock.now().getTime() - begun) / 1000;
  const looks: Watched["looks"] = [];
  const verdict = await verifyHealth({
    minHealthySeconds,
    deadlineSeconds,
    clock,
    signal: new AbortController().signal,
    probe: () => {
      const from = now();
      const result = runner.at(from);
      clock.pass(runner.lookSeconds ?? 0);
      looks.push({ from, to: now(), answered: result.level === "answered" });
      return Promise.resolve(result);
    },
    ended: () => Promise.resolve(now() >= (runner.endsAt ?? Infinity) ? "exited with code 1" : undefined),
  });
  return { verdict, seconds: now(), looks };
}

describe("verifyHealth", () => {
  it("is content with one answer when none must be sustained", async () => {
    const { verdict, looks } = await watch({ at: () => well }, 0, 300);
    expect(verdict).toEqual({ healthy: true, seconds: 0, answeredSeconds: 0 });
    expect(looks).toHaveLength(1);
  });

  it("counts from the first answer on", async () => {
    const at = (seconds: number) => (seconds < 20 ? ill("loading") : well);
    const { verdict, seconds } = await watch({ at }, 10, 300);
    expect(verdict).toMatchObject({ healthy: true, seconds });
    const { answeredSeconds = 0 } = verdict.healthy ? verdict : {};
    expect(seconds - answeredSeconds).toBeCloseTo(10, 5);
    expect(seconds).toBeGreaterThanOrEqual(30);
    expect(seconds).toBeLessThan(33);
  });

  it("counts anew after a failure in between", async () => {
    const at = (seconds: number) => (seconds >= 5 && seconds < 7 ? ill("HTTP 500") : well);
    const { verdict, seconds } = await watch({ at }, 10, 300);
    expect(verdict.healthy).toBe(true);
    expect(seconds).toBeGreaterThanOrEqual(17);
    expect(seconds).toBeLessThan(20);
  });

  it("fails at the deadline with what it saw last", async () => {
    const at = (seconds: number) => ill(seconds < 100 ? "loading" : "HTTP 503");
    const { verdict, seconds } = await watch({ at }, 10, 300);
    expect(verdict).toEqual({ healthy: false, cause: "deadline", reason: "HTTP 503" });
    expect(seconds).toBeLessThanOrEqual(300);
    expect(seconds).toBeGreaterThan(297);
  });

  it("fails a runner that became healthy too late to stay so before the deadline", async () => {
    const at = (seconds: number) => (seconds < 295 ? ill("loading") : well);
    const { verdict } = await watch({ at }, 10, 300);
    expect(verdict).toEqual({ healthy: false, cause: "deadline", reason: "it answered only after 4 min 56 s" });
  });

  it("allows a time to be healthy that is the whole deadline", async () => {
    expect((await watch({ at: () => well }, 10, 10)).verdict).toEqual({
      ...{ healthy: true, seconds: 10, answeredSeconds: 0 },
    });
  });

  it("does not count an answer that came after the deadline", async () => {
    const { verdict } = await watch({ at: () => well, lookSeconds: 30 }, 0, 10);
    expect(verdict).toEqual({ healthy: false, cause: "deadline", reason: "it answered only after 30.0 s" });
  });

  it("fails at once when the process ends, and does not wait for the deadline", async () => {
    const { verdict, seconds } = await watch({ at: () => ill("loading"), endsAt: 20 }, 10, 300);
    expect(verdict).toEqual({ healthy: false, cause: "ended", reason: "exited with code 1" });
    expect(seconds).toBeLessThan(23);
  });

  it("fails a healthy runner whose process ends before it was so long enough", async () => {
    const { verdict } = await watch({ at: () => well, endsAt: 5 }, 10, 300);
    expect(verdict).toEqual({ healthy: false, cause: "ended", reason: "exited with code 1" });
  });

  it("does not look at a process that has ended already", async () => {
    const { verdict, looks } = await watch({ at: () => well, endsAt: 0 }, 0, 300);
    expect([verdict.healthy, looks]).toEqual([false, []]);
  });

  it("stops when it is told to", async () => {
    const controller = new AbortController();
    const reason = new Error("gone");
    const verifying = verifyHealth({
      minHealthySeconds: 0,
      deadlineSeconds: 300,
      clock: new FakeClock(),
      signal: controller.signal,
      probe: () => {
        controller.abort(reason);
        return Promise.resolve(ill("loading"));
      },
      ended: () => Promise.resolve(undefined),
    });
    await expect(verifying).rejects.toBe(reason);
  });

  const runner = fc
    .record({
      // Seconds for which it is well and ill, in turn, beginning with ill.
      spells: fc.array(fc.double({ min: 0.1, max: 30, noNaN: true }), { maxLength: 8 }),
      endsAt: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
      lookSeconds: fc.constantFrom(0, 0.1, 3, 10),
    })
    .map(({ spells, endsAt, lookSeconds }): Runner => {
      const at = (seconds: number) => {
        let end = 0;
        const spell = spells.findIndex((length) => (end += length) > seconds);
        return (spell === -1 ? spells.length : spell) % 2 === 1 ? well : ill("ill");
      };
      return { at, lookSeconds, ...(endsAt === undefined ? {} : { endsAt }) };
    });
  const times = fc.record({ minHealthy: fc.constantFrom(0, 0.3, 1, 10), deadline: fc.constantFrom(0, 5, 20, 60) });

  it("means by healthy: answered from the first to the last look of at least that time, before the deadline", async () => {
    await fc.assert(
      fc.asyncProperty(runner, times, async (each, { minHealthy, deadline }) => {
        const { verdict, seconds, looks } = await watch(each, minHealthy, deadline);
        const lastIll = looks.findLastIndex(({ answered }) => !answered);
        const sustained = looks.slice(lastIll + 1);
        const healthyFor = (sustained.at(-1)?.to ?? 0) - (sustained[0]?.to ?? 0);
        if (verdict.healthy) {
          expect(sustained).not.toEqual([]);
          expect(healthyFor).toBeGreaterThanOrEqual(minHealthy - 0.001);
          expect(seconds).toBeLessThanOrEqual(deadline);
        } else if (verdict.cause === "ended") {
          expect(seconds).toBeGreaterThanOrEqual(each.endsAt ?? Infinity);
        } else {
          // It gave up only when the next look would have begun after the deadline.
          expect(seconds).toBeGreaterThan(deadline - 2.01);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("never begins to look after the deadline, and never looks twice within a moment", async () => {
    await fc.assert(
      fc.asyncProperty(runner, times, async (each, { minHealthy, deadline }) => {
        const { looks } = await watch(each, minHealthy, deadline);
        for (const { from } of looks) expect(from).toBeLessThanOrEqual(deadline);
        const pauses = looks.slice(1).map(({ from }, index) => from - (looks[index]?.to ?? 0));
        for (const pause of pauses) expect(pause).toBeGreaterThanOrEqual(0.009);
      }),
      { numRuns: 200 },
    );
  });
});
