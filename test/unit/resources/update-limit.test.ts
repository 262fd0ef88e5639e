import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { UpdateLimit, type LimitedUpdate } from "../../../src/resources/update-limit.js";
import { rejectionOf } from "../support/thrown.js";

const update = (name: string, changes: Partial<LimitedUpdate> = {}): LimitedUpdate => ({
  name,
  deployment: "shop/dev chat",
  kind: "recreate",
  atOnce: 1,
  isNew: true,
  ...changes,
});

/** An update that takes until somebody ends it. */
function open() {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { ended, end };
}

describe("updates of one deployment's replicas", () => {
  it("are at most so many at a time, and all are done, whatever they take", async () => {
    const takes = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(takes, fc.integer({ min: 1, max: 4 }), async (turns, atOnce) => {
        const limit = new UpdateLimit();
        let running = 0;
        let most = 0;
        const done = await Promise.all(
          turns.map((turn, index) =>
            limit.run(update(`chat-${index}`, { atOnce }), async () => {
              running += 1;
              most = Math.max(most, running);
              for (let left = turn; left > 0; left -= 1) await Promise.resolve();
              running -= 1;
              return index;
            }),
          ),
        );
        expect(done).toEqual(turns.map((_, index) => index));
        expect(most).toBeLessThanOrEqual(atOnce);
      }),
    );
  });

  it("do not hold back those of another deployment, nor those of another kind", async () => {
    const limit = new UpdateLimit();
    const { ended, end } = open();
    const first = limit.run(update("chat-0"), () => ended);
    await limit.run(update("code-0", { deployment: "shop/dev code" }), () => Promise.resolve());
    await limit.run(update("chat-1", { kind: "blueGreen" }), () => Promise.resolve());
    end();
    await first;
  });

  it("that were not begun when one failed fail at once, untouched, and tell which one it was", async () => {
    const limit = new UpdateLimit();
    const touched: string[] = [];
    const failing = limit.run(update("chat-0"), () => Promise.reject(new Error("no")));
    const waiting = limit.run(update("chat-1"), () => Promise.resolve(touched.push("chat-1")));
    await expect(failing).rejects.toThrow("no");
    const error = await rejectionOf(waiting);
    expect([error.code, error.message]).toEqual([
      "rollout-stopped",
      [
        "chat-1: its update was not begun, because that of chat-0 failed; nothing of it was touched",
        "  to do: mend what chat-0 tells, and run `pulumi up` again",
      ].join("\n"),
    ]);
    expect(touched).toEqual([]);
    await limit.run(update("code-0", { deployment: "shop/dev code" }), () => Promise.resolve());
  });

  it("are begun all the same when they only mend, and stop no other when they fail", async () => {
    const limit = new UpdateLimit();
    await expect(
      limit.run(update("chat-0", { isNew: false }), () => Promise.reject(new Error("no"))),
    ).rejects.toThrow();
    await limit.run(update("chat-1"), () => Promise.resolve());
    await expect(limit.run(update("chat-1"), () => Promise.reject(new Error("no")))).rejects.toThrow();
    await limit.run(update("chat-0", { isNew: false }), () => Promise.resolve());
  });
});
