import { expect, it } from "vitest";

import { withinSeconds } from "../../../src/lib/deadline.js";

it("gives what an action in time gives or throws", async () => {
  expect(await withinSeconds(60, () => Promise.resolve("done"))).toBe("done");
  await expect(withinSeconds(60, () => Promise.reject(new Error("broke")))).rejects.toThrow("broke");
});

it("waits no longer than it may, and tells the action to end", async () => {
  let told: unknown;
  const endless = (signal: AbortSignal) =>
    new Promise<never>(() => signal.addEventListener("abort", () => (told = signal.reason as unknown)));
  await expect(withinSeconds(0.05, endless)).rejects.toThrow("no answer within 0.05 s");
  expect(told).toEqual(new Error("no answer within 0.05 s"));
});
