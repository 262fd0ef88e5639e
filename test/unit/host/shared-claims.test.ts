import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { SeenClaims } from "../../../src/host/claim-files.js";
import { alreadyClaimed, roomAmong } from "../../../src/host/claim-conflict.js";
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
} from "../../../src/host/claims.js";
import { writeEntry } from "../../../src/host/journal.js";
import type { HostClaim } from "../../../src/schema/facts.js";
import { ClaimOwners, deviceBytes, type Turn } from "../support/claim-owners.js";
import { MemoryHost } from "../support/memory-host.js";
import { rejectionOf } from "../support/thrown.js";

const gibibyte = 2 ** 30;
const day = new Date("2026-01-01T00:00:00.000Z");
const later = new Date(day.getTime() + claimTtlSeconds * 1000 + 1000);
const placeOf = (host: MemoryHost, now = day) => ({
  ...{ host, dataDir: "/data", now, seen: new SeenClaims() },
  roomOf: () => 80 * gibibyte,
});
const part = (owner: string, gibibytes: number, instance = "chat-0"): HostClaim => ({
  ...{ device: "GPU-1", owner, instance },
  bytes: gibibytes * gibibyte,
});
const whole = (owner: string): HostClaim => ({ device: "GPU-1", owner, instance: "chat-0" });

describe("a part of a device's memory", () => {
  it("is claimed beside the parts of others while all fit, and what does not fit is refused with the figures", async () => {
    const place = placeOf(new MemoryHost());
    expect(await reserveClaims(place, [part("shop/a", 40)])).toEqual([]);
    expect(await reserveClaims(place, [part("shop/b", 30)])).toEqual([]);
    const [conflict] = await reserveClaims(place, [part("shop/c", 20)]);
    if (conflict === undefined) throw new Error("nothing was in the way");
    expect(alreadyClaimed("host memory: chat-0", conflict).message).toBe(
      [
        "host memory: chat-0: others have so much of the device's memory that too little is left",
        "  got: 10.0 GiB free of 80.0 GiB: 40.0 GiB of device GPU-1 of shop/a, chat-0; 30.0 GiB of device GPU-1 of shop/b, chat-0",
        "  expected: 20.0 GiB of device GPU-1",
        "  to do: choose another device, let the instance need less, or take another one away first",
      ].join("\n"),
    );
    expect(await reserveClaims(place, [part("shop/c", 10)])).toEqual([]);
    expect(await listClaims(place)).toHaveLength(3);
  });

  it("is not claimed beside somebody who has the device whole, nor a whole one beside a part", async () => {
    const place = placeOf(new MemoryHost());
    await reserveClaims(place, [whole("shop/a")]);
    expect(await reserveClaims(place, [part("shop/b", 1)])).toMatchObject([{ rivals: [whole("shop/a")] }]);
    await releaseClaims(place, () => true);
    await reserveClaims(place, [part("shop/b", 1)]);
    expect(await reserveClaims(place, [whole("shop/a")])).toMatchObject([{ rivals: [part("shop/b", 1)] }]);
    expect(await listClaims(place)).toEqual([part("shop/b", 1)]);
  });

  it("is claimed without a bound where the device's memory is not known", async () => {
    const place = { ...placeOf(new MemoryHost()), roomOf: () => undefined };
    expect(await reserveClaims(place, [part("shop/a", 70), part("shop/b", 70)])).toEqual([]);
  });

  it("that another instance of the stack leaves too little of is left to the host lock, where it is refused", async () => {
    const place = placeOf(new MemoryHost());
    await reserveClaims(place, [part("shop/a", 60, "chat-0")]);
    const second = part("shop/a", 60, "chat-1");
    expect(await reserveClaims(place, [second])).toEqual([]);
    expect(await findUnclaimed(place, [second])).toEqual([second]);
    expect(await findRivals(place, [second])).toHaveLength(1);
    expect((await rejectionOf(takeClaims(place, [second]))).code).toBe("already-claimed");
    expect(await listClaims(place)).toEqual([part("shop/a", 60, "chat-0")]);
  });

  it("counts once for an instance whose part changes, which has the greater one until it gives the other back", async () => {
    const place = placeOf(new MemoryHost());
    await reserveClaims(place, [part("shop/a", 30), part("shop/b", 30)]);
    expect(await reserveClaims(place, [part("shop/a", 50)])).toEqual([]);
    expect(await listClaims(place)).toEqual(expect.arrayContaining([part("shop/a", 50), part("shop/b", 30)]));
    expect(await reserveClaims(place, [part("shop/c", 10)])).toHaveLength(1);
    await releaseClaims(place, ({ owner }) => owner === "shop/a", [part("shop/a", 30)]);
    expect(await reserveClaims(place, [part("shop/c", 10)])).toEqual([]);
  });

  it("becomes the whole device, and the whole a part, with nobody else on it meanwhile", async () => {
    const place = placeOf(new MemoryHost());
    await reserveClaims(place, [part("shop/a", 30)]);
    expect(await reserveClaims(place, [whole("shop/a")])).toEqual([]);
    expect(await listClaims(place)).toEqual([whole("shop/a")]);
    expect(await reserveClaims(place, [part("shop/b", 10)])).toHaveLength(1);
    await releaseClaims(place, ({ owner }) => owner === "shop/a", [part("shop/a", 30)]);
    expect(await reserveClaims(place, [part("shop/b", 10)])).toEqual([]);
  });

  it("that holds no more is another's for the taking under the host lock, and gone then", async () => {
    const host = new MemoryHost();
    await reserveClaims(placeOf(host), [part("shop/a", 60)]);
    expect(await reserveClaims(placeOf(host, later), [whole("shop/b")])).toEqual([]);
    expect(await findUnclaimed(placeOf(host, later), [whole("shop/b")])).toHaveLength(1);
    await takeClaims(placeOf(host, later), [whole("shop/b")]);
    expect(await findUnclaimed(placeOf(host, later), [part("shop/a", 60)])).toHaveLength(1);
    expect(await listClaims(placeOf(host, later))).toEqual([whole("shop/b")]);
  });

  it("holds as long as its instance is on the host", async () => {
    const host = new MemoryHost();
    const holder = { owner: "shop/a", instance: "chat-0" };
    await reserveClaims(placeOf(host), [part("shop/a", 60)]);
    await writeEntry(host, "/data", { schemaVersion: 1, ...instanceKey(holder), identity: "i", recorded: true });
    expect(await reserveClaims(placeOf(host, later), [whole("shop/b")])).toHaveLength(1);
  });

  it("is in the way of a claim of the form that Berth 0.1 wrote, which is read as of the whole device", async () => {
    const host = new MemoryHost();
    const place = placeOf(host);
    await reserveClaims(place, [whole("shop/a")]);
    const [written] = host.files.values();
    expect(written).toBe(
      `{"schemaVersion":1,"claim":{"device":"GPU-1","owner":"shop/a","instance":"chat-0"},"claimedAt":"${day.toISOString()}"}\n`,
    );
    expect(await reserveClaims(place, [part("shop/b", 1)])).toHaveLength(1);
  });

  it("is what a placement counts as taken, and the whole device where it names none", () => {
    const held = { port: 14_000, devices: ["GPU-1", "GPU-2"], deviceBytes: { "GPU-1": 5 } };
    const holder = { owner: "shop/a", instance: "chat-0" };
    expect(claimsOf(holder, held).slice(1)).toEqual([
      { device: "GPU-1", bytes: 5, ...holder },
      { device: "GPU-2", ...holder },
    ]);
  });
});

describe("a device of an instance that has several hosts", () => {
  const device = (instance: string) => ({ device: "GPU-1", owner: "shop/a", instance });

  it("goes from its subordinate to its primary, which change places, and is not given back by the one before", async () => {
    const place = placeOf(new MemoryHost());
    await reserveClaims(place, [device("chat-0.gpu-2")]);
    expect(await reserveClaims(place, [device("chat-0")])).toEqual([]);
    expect(await findRivals(place, [device("chat-0")])).toEqual([]);
    await takeClaims(place, [device("chat-0")]);
    await releaseClaims(place, ({ instance }) => instance === "chat-0.gpu-2");
    expect(await listClaims(place)).toEqual([device("chat-0")]);
  });

  it("goes in parts too, and counts as the greatest until the other is given back", async () => {
    const place = placeOf(new MemoryHost());
    await reserveClaims(place, [part("shop/a", 50, "chat-0.gpu-2")]);
    await takeClaims(place, [part("shop/a", 40, "chat-0")]);
    expect(await listClaims(place)).toEqual([part("shop/a", 50, "chat-0.gpu-2")]);
    expect(await reserveClaims(place, [part("shop/b", 30)])).toEqual([]);
    expect(await findRivals(place, [part("shop/b", 40)])).toMatchObject([
      { rivals: [part("shop/a", 50, "chat-0.gpu-2")] },
    ]);
  });

  it.each(["chat-1.gpu-2", "chat-10"])("is not %s's", async (instance) => {
    const place = placeOf(new MemoryHost());
    await reserveClaims(place, [device(instance)]);
    expect(await findRivals(place, [device("chat-0")])).toMatchObject([{ rivals: [device(instance)] }]);
  });

  it("is not its port, which one of the two has at a time", async () => {
    const place = placeOf(new MemoryHost());
    const port = (instance: string) => ({ port: 14_000, owner: "shop/a", instance });
    await reserveClaims(place, [port("chat-0.gpu-2")]);
    expect(await findRivals(place, [port("chat-0")])).toMatchObject([{ rivals: [port("chat-0.gpu-2")] }]);
  });
});

describe("the memory of devices", () => {
  it("is known of GPUs and of MIG devices, and not where the vendor's tool tells none", () => {
    const mig = { uuid: "MIG-1", index: 0, gpuInstance: 1, computeInstance: 0, memoryBytes: 10e9 };
    const gpu = { type: "cuda", name: "H100", index: 0, driverVersion: "535" } as const;
    const roomOf = roomAmong([
      { ...gpu, uuid: "GPU-1", memoryBytes: 80e9, mig: { mode: "enabled", devices: [mig] } },
      { ...gpu, uuid: "GPU-2", memoryBytes: 0 },
    ]);
    expect(["GPU-1", "MIG-1", "GPU-2", "GPU-3"].map(roomOf)).toEqual([80e9, 10e9, undefined, undefined]);
  });
});

const turn: fc.Arbitrary<Turn> = fc.record({
  instance: fc.constantFrom("chat-0", "chat-1"),
  bytes: fc.option(fc.integer({ min: 1, max: deviceBytes }), { nil: undefined }),
  underLock: fc.boolean(),
});

describe("a device that owners claim and give back in whatever order", () => {
  it("is never had whole by two, nor whole beside a part, nor in parts of more bytes than it has", async () => {
    let gained = 0;
    const turns = fc.array(fc.array(turn, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), turns, async (scheduler, lists) => {
        const pause = () => scheduler.schedule(Promise.resolve());
        const owners = new ClaimOwners(new MemoryHost(pause), "/data");
        await scheduler.waitFor(Promise.all(lists.map((list, index) => owners.run(`shop/${index}`, list, pause))));
        expect(owners.violations).toEqual([]);
        gained += owners.gained;
      }),
      { numRuns: 500 },
    );
    expect(gained).toBeGreaterThan(500);
  });
});
