import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { acquireHostLock } from "../../../src/host/lock.js";
import { BerthError } from "../../../src/lib/errors.js";
import { dataDir, hostHeldBy, requestBy } from "../support/host-locks.js";
import { MemoryHost } from "../support/memory-host.js";

describe("acquireHostLock by several at once", () => {
  const takers = ["a", "b", "c"];
  const starts: [string, (turn: () => Promise<unknown>) => MemoryHost][] = [
    ["free", (turn) => new MemoryHost(turn)],
    [
      "left by a dead process",
      (turn) => {
        const host = new MemoryHost(turn);
        for (const [file, text] of hostHeldBy({ process: "dead" }).files) host.files.set(file, text);
        return host;
      },
    ],
  ];

  it.each(starts)(
    "lets one have a lock that is %s, and never two, in whatever order they come to turn",
    async (_, start) => {
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), async (scheduler) => {
          const turn = () => scheduler.schedule(Promise.resolve());
          const host = start(turn);
          const clock = { now: () => new Date("2026-01-01T00:00:00.000Z"), sleep: turn };
          const isAlive = (process: string) => Promise.resolve(process !== "dead");
          let [holders, most, had] = [0, 0, 0];
          const take = async (who: string) => {
            try {
              const lock = await acquireHostLock(host, dataDir, requestBy(who, { clock, isAlive }));
              holders += 1;
              had += 1;
              most = Math.max(most, holders);
              await turn();
              await lock.beat();
              holders -= 1;
              await lock.release();
            } catch (error) {
              if (!(error instanceof BerthError) || error.code !== "host-busy") throw error;
            }
          };
          await scheduler.waitFor(Promise.all(takers.map(take)));
          expect(most).toBe(1);
          expect(had).toBeGreaterThan(0);
          expect([...host.files.keys()]).toEqual([]);
        }),
        { numRuns: 300 },
      );
    },
  );
});
