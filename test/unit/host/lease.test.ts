import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Host } from "../../../src/host/host.js";
import { HostLeases, type LeaseOptions } from "../../../src/host/lease.js";
import { acquireHostLock, readHostLock } from "../../../src/host/lock.js";
import { FakeClock } from "../support/fake-clock.js";
import { MemoryHost } from "../support/memory-host.js";
import { rejectionOf } from "../support/thrown.js";

const reference = { name: "local", connection: "local", dataDir: "/data" } as const;
const { signal } = new AbortController();

function leasesOf(who: string, changes: Partial<LeaseOptions> = {}): HostLeases {
  let ids = 0;
  return new HostLeases({
    machine: "here",
    process: `${who}:1`,
    clock: new FakeClock(),
    isAlive: () => Promise.resolve(true),
    newId: () => `${who}-${(ids += 1)}`,
    waitSeconds: 0,
    onWait: () => undefined,
    ...changes,
  });
}

/** An action that goes on until it is told to end. */
function longAction() {
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  return { action: () => ended, end };
}

const holder = async (host: Host) => (await readHostLock(host, "/data"))?.id;

/** Lets everything go on that can. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 1));

describe("HostLeases", () => {
  it("holds the host's lock while an action runs, and hands on its result", async () => {
    const host = new MemoryHost();
    const leases = leasesOf("a");
    const seen = await leases.use(host, reference, "shop/dev", signal, () => readHostLock(host, "/data"));
    expect(seen).toMatchObject({ id: "a-1", owner: "shop/dev", machine: "here", process: "a:1" });
    expect(await holder(host)).toBeUndefined();
  });

  it("gives it back after an action that failed, and hands on the failure", async () => {
    const host = new MemoryHost();
    const using = leasesOf("a").use(host, reference, "shop/dev", signal, () => Promise.reject(new Error("no")));
    await expect(using).rejects.toThrow("no");
    expect(await holder(host)).toBeUndefined();
  });

  it("is shared by actions beside each other in this process, and given back by the last", async () => {
    const host = new MemoryHost();
    const leases = leasesOf("a");
    const [one, two] = [longAction(), longAction()];
    const first = leases.use(host, reference, "shop/dev", signal, one.action);
    const second = leases.use(host, reference, "shop/dev", signal, two.action);
    await settle();
    expect(await holder(host)).toBe("a-1");
    one.end();
    await first;
    expect(await holder(host)).toBe("a-1");
    two.end();
    await second;
    expect(await holder(host)).toBeUndefined();
  });

  it("is taken anew by actions after each other", async () => {
    const host = new MemoryHost();
    const leases = leasesOf("a");
    const use = () => leases.use(host, reference, "shop/dev", signal, () => holder(host));
    expect([await use(), await use()]).toEqual(["a-1", "a-2"]);
  });

  it("is one for each host", async () => {
    const [host, other] = [new MemoryHost(), new MemoryHost()];
    const leases = leasesOf("a");
    await leases.use(host, reference, "shop/dev", signal, () =>
      leases.use(other, { ...reference, name: "other" }, "shop/dev", signal, async () => {
        expect([await holder(host), await holder(other)]).toEqual(["a-1", "a-2"]);
      }),
    );
  });

  it("is not had by two processes: the second waits, tells for whom, and runs nothing", async () => {
    const host = new MemoryHost();
    const waited: string[] = [];
    const { action, end } = longAction();
    const using = leasesOf("a").use(host, reference, "shop/dev", signal, action);
    await settle();
    const other = leasesOf("b", { onWait: ({ name }, { owner }) => waited.push(`${owner} on ${name}`) });
    let ran = false;
    const refused = other.use(host, reference, "shop/prod", signal, () => Promise.resolve((ran = true)));
    expect((await rejectionOf(refused)).code).toBe("host-busy");
    expect([waited, ran]).toEqual([["shop/dev on memory"], false]);
    end();
    await using;
    await other.use(host, reference, "shop/prod", signal, () => Promise.resolve((ran = true)));
    expect(ran).toBe(true);
  });

  it("of several hosts never keeps two processes waiting for each other, whatever the order of their operations", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const turn = () => scheduler.schedule(Promise.resolve());
        const hosts = ["h1", "h2", "h3"].map((name) => ({ name, host: new MemoryHost(turn) }));
        const clock = { now: () => new Date("2026-01-01T00:00:00.000Z"), sleep: turn };
        const inside = new Map<string, string>();
        let done = 0;
        const run = (who: string, order: readonly (typeof hosts)[number][]) => {
          const leases = leasesOf(who, { clock, waitSeconds: Infinity });
          return order.map(({ name, host }) =>
            leases.use(host, { ...reference, name }, `shop/${who}`, signal, async () => {
              expect(inside.get(name) ?? who).toBe(who);
              inside.set(name, who);
              await turn();
              inside.delete(name);
              done += 1;
            }),
          );
        };
        await scheduler.waitFor(Promise.all([...run("a", hosts), ...run("b", hosts.toReversed())]));
        expect(done).toBe(6);
      }),
      { numRuns: 100 },
    );
  });

  it("that could not be had is no lease: the next action tries again", async () => {
    const host = new MemoryHost();
    const held = await acquireHostLock(host, "/data", {
      id: "other",
      owner: "shop/other",
      machine: "here",
      process: "1:1",
      clock: new FakeClock(),
      isAlive: () => Promise.resolve(true),
      waitSeconds: 0,
    });
    const leases = leasesOf("a");
    await rejectionOf(leases.use(host, reference, "shop/dev", signal, () => Promise.resolve()));
    await leases.whenIdle();
    await held.release();
    expect(await leases.use(host, reference, "shop/dev", signal, () => holder(host))).toBe("a-2");
  });

  it("tells when none is held any more", async () => {
    const host = new MemoryHost();
    const leases = leasesOf("a");
    const { action, end } = longAction();
    const using = leases.use(host, reference, "shop/dev", signal, action);
    await settle();
    let idle = false;
    const whenIdle = leases.whenIdle().then(() => (idle = true));
    await settle();
    expect(idle).toBe(false);
    end();
    await Promise.all([using, whenIdle]);
    expect(await holder(host)).toBeUndefined();
  });
});
