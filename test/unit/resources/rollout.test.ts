import { describe, expect, it } from "vitest";

import type { LogEvent } from "../../../src/lib/log.js";
import { Rollouts, type Member } from "../../../src/resources/rollout.js";
import { FakeClock } from "../support/fake-clock.js";
import { rejectionOf } from "../support/thrown.js";

const member = (name: string, wave: number, changes: Partial<Member["part"]> = {}): Member => ({
  name,
  owner: "shop/dev",
  host: `host-of-${name}`,
  part: { wave, waves: 3, later: 3 - wave, pauseSeconds: 900, maxFailures: 0, ...changes },
});

function stage() {
  const clock = new FakeClock();
  const controller = new AbortController();
  const events: LogEvent[] = [];
  const rollouts = new Rollouts({ clock, signal: controller.signal, log: (event) => events.push(event) });
  const begun = clock.now().getTime();
  const seconds = () => (clock.now().getTime() - begun) / 1000;
  return { clock, controller, events, rollout: rollouts.of("shop/dev"), rollouts, seconds };
}

const healthy = () => Promise.resolve([]);

describe("a wave", () => {
  it("begins at once when nothing was changed before it", async () => {
    const { rollout, rollouts, seconds, events } = stage();
    await rollout.enter(member("a", 1));
    await rollout.enter(member("b", 2));
    rollout.changed(member("a", 1), "engine 2", healthy);
    await rollouts.of("shop/other").enter(member("c", 3));
    expect([seconds(), events]).toEqual([0, []]);
  });

  it("waits until the pause after the last change of earlier waves is over, once for all of it, and says so", async () => {
    const { clock, rollout, seconds, events } = stage();
    rollout.changed(member("a", 1), "engine 2", healthy);
    clock.pass(100);
    rollout.changed(member("b", 2), "engine 2", healthy);
    clock.pass(300);
    await Promise.all([rollout.enter(member("c", 3)), rollout.enter(member("d", 3))]);
    expect(seconds()).toBe(1000);
    const text = "wave 3 of 3 begins in 10 min 0 s, if what was changed is healthy then";
    expect(events).toEqual([{ kind: "step", subject: "c", text }]);
  });

  it("does not begin when what was changed is not healthy any more, for none of its instances", async () => {
    const { rollout } = stage();
    rollout.changed(member("a", 1), "engine 2", () => Promise.resolve(["its runner is stopped"]));
    const errors = await Promise.all(["b", "c"].map((name) => rejectionOf(rollout.enter(member(name, 2)))));
    for (const error of errors) {
      expect([error.code, error.parts.where, error.parts.got]).toEqual([
        "rollout-stopped",
        "wave 2",
        "a its runner is stopped",
      ]);
    }
  });

  it("looks after the pause, and not at what failed", async () => {
    const { clock, rollout } = stage();
    let seen = -1;
    rollout.changed(member("a", 1), "engine 2", () => {
      seen = clock.now().getTime();
      return Promise.resolve([]);
    });
    rollout.failed(member("b", 1), "engine 1 serves");
    const before = clock.now().getTime();
    await rollout.enter(member("c", 2));
    expect(seen - before).toBe(900_000);
  });

  it("ends its pause when nobody waits for the run any more", async () => {
    const { controller, rollout } = stage();
    rollout.changed(member("a", 1), "engine 2", healthy);
    controller.abort(new Error("gone"));
    await expect(rollout.enter(member("b", 2))).rejects.toThrow("gone");
  });
});

describe("a rollout", () => {
  it("bears so many failures", () => {
    const { rollout } = stage();
    const bears = (name: string) => rollout.failed(member(name, 1, { maxFailures: 2 }), "engine 1 serves");
    expect([bears("a"), bears("b"), bears("c")]).toEqual([true, true, false]);
    expect(stage().rollout.failed(member("a", 1), "engine 1 serves")).toBe(false);
  });

  it("tells what became of each instance, what was not begun, and where to look", () => {
    const { rollout } = stage();
    rollout.begun(member("a", 1));
    rollout.changed(member("a", 1), "engine 2", healthy);
    rollout.begun(member("b", 2));
    rollout.failed(member("b", 2), "engine 1 serves");
    rollout.begun(member("c", 2));
    expect(rollout.describe(member("b", 2, { later: 4 }))).toEqual([
      "the rollout stops in wave 2 of 3",
      "  changed: a on host-of-a (engine 2)",
      "  failed: b on host-of-b (engine 1 serves)",
      "  still in progress: c on host-of-c",
      "  not begun: 4 instances of later waves",
      "  `berth status dev` tells what runs where",
    ]);
    expect(rollout.describe(member("c", 3))).toContain("  not begun: nothing, this is the last wave");
  });
});
