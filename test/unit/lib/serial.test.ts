import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Serial } from "../../../src/lib/serial.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("Serial", () => {
  it("runs actions of one key one after the other, in the order of the calls, and those of others beside them", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom("a", "b"), fc.nat({ max: 3 })), { maxLength: 8 }),
        async (calls) => {
          const serial = new Serial();
          const events: string[] = [];
          await Promise.all(
            calls.map(([key, turns], index) =>
              serial.run(key, async () => {
                events.push(`${key}${index} begins`);
                for (let turned = 0; turned < turns; turned += 1) await turn();
                events.push(`${key}${index} ends`);
              }),
            ),
          );
          for (const key of ["a", "b"]) {
            const expected = calls.flatMap(([name], index) =>
              name === key ? [`${key}${index} begins`, `${key}${index} ends`] : [],
            );
            expect(events.filter((event) => event.startsWith(key))).toEqual(expected);
          }
        },
      ),
      { numRuns: 30 },
    ));

  it("hands on results and failures, and goes on after a failure", async () => {
    const serial = new Serial();
    const failing = serial.run("a", () => Promise.reject(new Error("no")));
    const next = serial.run("a", () => Promise.resolve("yes"));
    await expect(failing).rejects.toThrow("no");
    await expect(next).resolves.toBe("yes");
  });

  it("does not let another key wait", async () => {
    const serial = new Serial();
    let finish = (): void => undefined;
    const long = serial.run("a", () => new Promise<void>((resolve) => (finish = resolve)));
    await expect(serial.run("b", () => Promise.resolve("done"))).resolves.toBe("done");
    finish();
    await long;
  });
});
