import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { alreadyClaimed, type ClaimConflict } from "../../../src/host/claim-conflict.js";
import { SeenClaims } from "../../../src/host/claim-files.js";
import {
  claimsOf,
  claimTtlSeconds,
  findRivals,
  findUnclaimed,
  instanceKey,
  listClaims,
  releaseClaims,
  reserveClaims,
  takeClaims,
  type ClaimPlace,
  type HeldClaimPlace,
} from "../../../src/host/claims.js";
import { writeEntry } from "../../../src/host/journal.js";
import { MemoryHost } from "../support/memory-host.js";
import { rejectionOf } from "../support/thrown.js";

const day = new Date("2026-01-01T00:00:00.000Z");
const later = new Date(day.getTime() + claimTtlSeconds * 1000 + 1000);
const placeOf = (host: MemoryHost, now = day): ClaimPlace & HeldClaimPlace => ({
  host,
  dataDir: "/data",
  now,
  roomOf: () => 80,
  seen: new SeenClaims(),
});
const rivalsOf = (conflicts: readonly ClaimConflict[]) => conflicts.flatMap(({ rivals }) => rivals);

const dev = { owner: "shop/dev", instance: "chat-0" };
const prod = { owner: "shop/prod", instance: "chat-0" };
const devPort = { port: 14_000, ...dev };
const devDevice = { device: "GPU-1", ...dev };
const prodClaims = claimsOf(prod, { port: 14_000, devices: ["GPU-1"] });

/** The instance is on the host: the journal has it. */
const journalled = (host: MemoryHost, holder: typeof dev) =>
  writeEntry(host, "/data", { schemaVersion: 1, ...instanceKey(holder), identity: "i", recorded: true });

class CountingHost extends MemoryHost {
  reads = 0;

  override readText(path: string): Promise<string | undefined> {
    this.reads += 1;
    return super.readText(path);
  }
}

describe("a claim", () => {
  it("is had by whoever comes first, and the second is told whose it is", async () => {
    const place = placeOf(new MemoryHost());
    expect(await reserveClaims(place, [devPort, devDevice])).toEqual([]);
    expect(rivalsOf(await reserveClaims(place, prodClaims))).toEqual([devPort, devDevice]);
    expect(rivalsOf(await findRivals(place, prodClaims))).toEqual([devPort, devDevice]);
    expect(await listClaims(place)).toEqual([devDevice, devPort]);
  });

  it("is not in the way of its own instance, and one of the same stack's only when the runner is made", async () => {
    const place = placeOf(new MemoryHost());
    await reserveClaims(place, [devPort]);
    expect(await reserveClaims(place, [devPort])).toEqual([]);
    expect(await findRivals(place, [devPort])).toEqual([]);
    expect(await findUnclaimed(place, [devPort, devDevice])).toEqual([devDevice]);
    const sibling = claimsOf({ owner: "shop/dev", instance: "next-0" }, { port: 14_000 });
    expect(await reserveClaims(place, sibling)).toEqual([]);
    expect(rivalsOf(await findRivals(place, sibling))).toEqual([devPort]);
  });

  it("holds for a day without its instance, and then is another's for the taking", async () => {
    const host = new MemoryHost();
    await reserveClaims(placeOf(host), [devPort]);
    expect(await listClaims(placeOf(host, new Date(later.getTime() - 2000)))).toEqual([devPort]);
    expect(await listClaims(placeOf(host, later))).toEqual([]);
    expect(await reserveClaims(placeOf(host, later), prodClaims)).toEqual([]);
    expect(await findUnclaimed(placeOf(host, later), prodClaims)).toHaveLength(1);
    await takeClaims(placeOf(host, later), prodClaims);
    expect(await listClaims(placeOf(host, later))).toEqual([...prodClaims].reverse());
  });

  it("holds as long as what an instance has on the host is there, where the instance itself is on another", async () => {
    const host = new MemoryHost();
    const claim = { port: 14_000, owner: "shop/dev", instance: "chat-0.gpu-2" };
    await reserveClaims(placeOf(host), [claim]);
    expect(await listClaims(placeOf(host, later))).toEqual([]);
    const key = { owner: "shop/dev", kind: "Subordinate", name: "chat-0.gpu-2.14000", uses: "subordinates" };
    await writeEntry(host, "/data", { schemaVersion: 1, ...key, identity: "i", recorded: true });
    expect(await listClaims(placeOf(host, later))).toEqual([claim]);
  });

  it("holds as long as its instance is on the host", async () => {
    const host = new MemoryHost();
    await reserveClaims(placeOf(host), [devPort]);
    await journalled(host, dev);
    expect(await listClaims(placeOf(host, later))).toEqual([devPort]);
    expect(rivalsOf(await reserveClaims(placeOf(host, later), prodClaims))).toEqual([devPort]);
  });

  it("of a time to come, by a clock that was wrong, does not hold for ever", async () => {
    const host = new MemoryHost();
    await reserveClaims(placeOf(host, later), [devPort]);
    expect(await listClaims(placeOf(host))).toEqual([]);
  });

  it("that cannot be read blocks nobody who gives back what is theirs", async () => {
    const host = new MemoryHost();
    const place = placeOf(host);
    await reserveClaims(place, [devPort]);
    host.files.set("/data/claims/port-15000.json", '{"schemaVersion":2}');
    await releaseClaims(place, ({ owner }) => owner === dev.owner);
    expect([...host.files.keys()]).toEqual(["/data/claims/port-15000.json"]);
    expect((await rejectionOf(findRivals(place, claimsOf(prod, { port: 15_000 })))).code).toBe("lock-incompatible");
  });

  it("that somebody made since it was looked at is not taken from them", async () => {
    const place = placeOf(new MemoryHost());
    await reserveClaims(place, [devPort]);
    const error = await rejectionOf(takeClaims(place, prodClaims));
    expect([error.code, error.message]).toEqual([
      "already-claimed",
      [
        "host memory: chat-0: the port belongs to another instance",
        "  got: port 14000 of shop/dev, chat-0",
        "  expected: a port that nobody has",
        "  to do: run `berth lock`, which chooses another one; a `port` that the stack file names is changed there",
      ].join("\n"),
    ]);
    const own = alreadyClaimed("host memory: talk-0", {
      wanted: { ...devPort, instance: "talk-0" },
      rivals: [devPort],
    });
    expect(own.message).toContain("take chat-0 away with one `pulumi up`, and give its port to another with the next");
  });

  it("goes with its instance, and others' stay", async () => {
    const place = placeOf(new MemoryHost());
    const other = claimsOf(prod, { port: 14_001 });
    await reserveClaims(place, [devPort, devDevice, ...other]);
    await releaseClaims(place, ({ owner }) => owner === "shop/dev", [devDevice]);
    expect(await listClaims(place)).toEqual([devDevice, ...other]);
    await releaseClaims(place, ({ owner }) => owner === "shop/dev");
    expect(await listClaims(place)).toEqual(other);
  });

  it("of many instances is read once while one process holds the host lock, and what it writes it knows", async () => {
    const host = new CountingHost();
    const place = placeOf(host);
    const instances = Array.from({ length: 20 }, (_, index) => `chat-${index}`);
    const claimOf = (instance: string, index: number) => ({ port: 14_000 + index, owner: "shop/dev", instance });
    await reserveClaims(place, instances.slice(0, 10).map(claimOf));
    await takeClaims(place, instances.map(claimOf).slice(10));
    host.reads = 0;
    await Promise.all(instances.map((name) => releaseClaims(place, ({ instance }) => instance === name)));
    expect(host.reads).toBe(10);
    expect(await listClaims(place)).toEqual([]);
  });

  it("that took the place of one that holds no more is not given back by whom it was before", async () => {
    const host = new MemoryHost();
    const { seen } = placeOf(host);
    await reserveClaims(placeOf(host), [devPort]);
    const place = { ...placeOf(host, later), seen };
    await releaseClaims(place, ({ owner }) => owner === "nobody/else");
    await takeClaims(place, [{ ...devPort, ...prod }]);
    await releaseClaims(place, ({ owner }) => owner === dev.owner);
    expect(await listClaims(place)).toEqual([{ ...devPort, ...prod }]);
  });

  it("that another version wrote, or a person, is an error that names the file", async () => {
    const host = new MemoryHost();
    host.files.set("/data/claims/port-14000.json", '{"schemaVersion":2}');
    const error = await rejectionOf(listClaims(placeOf(host)));
    expect([error.code, error.parts.where]).toEqual(["lock-incompatible", "host memory: /data/claims/port-14000.json"]);
  });

  it("is never had by two, in whatever order they come to turn", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const host = new MemoryHost(() => scheduler.schedule(Promise.resolve()));
        const takers = ["a", "b", "c"].map((stack) =>
          claimsOf({ owner: `shop/${stack}`, instance: "x-0" }, { port: 14_000 }),
        );
        const rivals = Promise.all(takers.map((claims) => reserveClaims(placeOf(host), claims)));
        await scheduler.waitFor(rivals);
        expect((await rivals).filter(({ length }) => length === 0)).toHaveLength(1);
      }),
      { numRuns: 200 },
    );
  });
});
