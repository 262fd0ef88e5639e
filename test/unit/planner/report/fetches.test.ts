import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { fetchTexts, loadTexts } from "../../../../src/planner/report/fetch-text.js";
import { hostFetchesOf } from "../../../../src/planner/report/fetches.js";
import type { Need } from "../../../../src/planner/report/needs.js";
import { planReport } from "../../../../src/planner/report/report.js";
import { loadTimeOf, rateFrom, type HostStore } from "../../../../src/planner/report/stores.js";
import type { Measure } from "../../../../src/schema/measures.js";
import { fleetSeen } from "../../../support/plan-fleet.js";

const at = "2026-01-01T00:00:00.000Z";
const fleet = fleetSeen();

function storeOf(measures: readonly Measure[], freeBytes = 1000): HostStore {
  const empty = { files: new Map(), begun: new Map(), wheels: new Map(), images: new Set<string>() };
  return { disk: { folder: "/data", freeBytes }, ...empty, measures };
}

const transfers = (origin: string, ...samples: readonly (readonly [bytes: number, seconds: number])[]): Measure => ({
  ...{ schemaVersion: 1, kind: "transfer", origin },
  samples: samples.map(([bytes, seconds]) => ({ bytes, seconds, at })),
});

const need = (bytes: number | undefined, origin: string, disk: Need["disk"] = "data"): Need => ({
  ...{ host: "h1", kind: "model", what: `${origin} ${String(bytes)}`, isThere: false, origin, disk },
  ...{ bytes, missingBytes: bytes },
});

/** The fleet with what is known of its hosts changed. */
function withStores(change: (store: HostStore) => HostStore) {
  const stores = Object.entries(fleet.stores).map(([name, store]) => [name, change(store)] as const);
  return planReport({ ...fleet, stores: Object.fromEntries(stores) });
}

describe("what a host fetches", () => {
  it("is what is missing, at the speed with which earlier downloads came from the same place", () => {
    const [found] = hostFetchesOf([need(100, "a"), need(50, "b")], {
      h1: storeOf([transfers("a", [100, 10], [300, 10]), transfers("b", [50, 10])]),
    });
    expect(found).toEqual({
      ...{ host: "h1", isLookedAt: true, bytes: 150, seconds: 15 },
      origins: [
        { origin: "a", bytesPerSecond: 20 },
        { origin: "b", bytesPerSecond: 5 },
      ],
      disks: [{ folder: "/data", freeBytes: 1000, neededBytes: 150, isShort: false }],
    });
  });

  it("takes a time that is not known where one of its sizes or speeds is not", () => {
    const stores = { h1: storeOf([transfers("a", [100, 10])]) };
    expect(hostFetchesOf([need(100, "a"), need(50, "b")], stores)[0]).not.toHaveProperty("seconds");
    const [unsized] = hostFetchesOf([need(100, "a"), need(undefined, "a")], stores);
    expect(unsized).not.toHaveProperty("seconds");
    expect(unsized).not.toHaveProperty("bytes");
    expect(unsized?.disks[0]?.neededBytes).toBe(100);
  });

  it("of a host that was not looked at is all that it needs, and nothing is said of time or room", () => {
    expect(hostFetchesOf([need(100, "a")], {})).toEqual([
      { host: "h1", isLookedAt: false, bytes: 100, origins: [{ origin: "a" }], disks: [] },
    ]);
  });

  it("goes to the engine's disk where that is another", () => {
    const imageDisk = { folder: "/var/lib/docker", freeBytes: 10 };
    const [found] = hostFetchesOf([need(100, "a"), need(50, "r", "images")], { h1: { ...storeOf([]), imageDisk } });
    expect(found?.disks.map(({ folder, neededBytes, isShort }) => [folder, neededBytes, isShort])).toEqual([
      ["/data", 100, false],
      ["/var/lib/docker", 50, true],
    ]);
  });

  it("is never more than all its downloads, nor short of room that is larger", () => {
    const sizes = fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(sizes, fc.nat(4_000_000), fc.integer({ min: 1, max: 10_000 }), (bytes, free, rate) => {
        const needs = bytes.map((size) => need(size, "a"));
        const [found] = hostFetchesOf(needs, { h1: storeOf([transfers("a", [rate * 7, 7])], free) });
        const sum = bytes.reduce((all, size) => all + size, 0);
        expect(found?.bytes).toBe(sum);
        expect(Math.abs((found?.seconds ?? 0) - sum / rate)).toBeLessThan(1.001);
        expect(found?.disks[0]?.isShort).toBe(sum > free);
      }),
    );
  });
});

describe("speeds and load times", () => {
  it("lie between the least and the greatest that were measured", () => {
    const samples = fc.array(fc.tuple(fc.integer({ min: 1, max: 10 ** 9 }), fc.integer({ min: 1, max: 1000 })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(samples, (taken) => {
        const rates = taken.map(([bytes, seconds]) => bytes / seconds);
        const rate = rateFrom(storeOf([transfers("a", ...taken)]), "a") ?? 0;
        expect(rate).toBeGreaterThanOrEqual(Math.min(...rates) * 0.999_999);
        expect(rate).toBeLessThanOrEqual(Math.max(...rates) * 1.000_001);
      }),
    );
  });

  it("are those of the same model, with the same backend, on as many devices", () => {
    const wanted = { backend: "vllm", modelSha256: "a", devices: 2 };
    const samples = [
      { seconds: 40, version: "1", at },
      { seconds: 90, version: "1", at },
    ];
    const store = storeOf([{ schemaVersion: 1, kind: "load", ...wanted, samples }]);
    expect(loadTimeOf(store, wanted)).toEqual({ seconds: 90, starts: 2 });
    for (const other of [{ backend: "sglang" }, { modelSha256: "b" }, { devices: 1 }])
      expect(loadTimeOf(store, { ...wanted, ...other })).toBeUndefined();
    expect(loadTimeOf(undefined, wanted)).toBeUndefined();
  });
});

describe("a plan of downloads and starts", () => {
  it("counts neither what is in a host's cache nor what was begun", () => {
    const { hostFetches } = planReport(fleet);
    expect(hostFetches.map(({ host, bytes }) => [host, bytes])).toEqual([
      ...["h100-01", "h100-02", "h100-03"].map((host) => [host, 11_200_000_000]),
      ...["h100-05", "h100-06"].map((host) => [host, 11_200_000_000 + 10_000_000_000]),
    ]);
  });

  it("where nothing was measured says so, and makes up no figure", () => {
    const report = withStores((store) => ({ ...store, measures: [] }));
    expect(report.unknown).toEqual([
      "how fast h100-01..03, h100-05, h100-06 fetches from files.example.net: nothing was measured there yet",
      "how fast h100-05, h100-06 fetches from huggingface.co: nothing was measured there yet",
      "how long chat takes to load on h100-01..04: no such start was measured there yet",
      "how long code takes to load on mi300x-02: no such start was measured there yet",
      "how long vision takes to load on h100-05, h100-06: no such start was measured there yet",
    ]);
    expect(loadTexts(report)).toEqual([]);
    const texts = fetchTexts(report).join("\n");
    expect(texts).toContain("h100-01..03: 11.2 GB to fetch, time unknown (files.example.net unknown)");
    expect(JSON.stringify(report)).not.toContain("expectedSeconds");
  });

  it("tells the hosts whose disks are too small for it", () => {
    const report = withStores((store) => ({ ...store, disk: { folder: "/data/berth", freeBytes: 12_000_000_000 } }));
    expect(report.unknown).toEqual([
      "h100-05: /data/berth has 12.0 GB free, and what comes there has 21.2 GB: the `up` would end with disk-full",
      "h100-06: /data/berth has 12.0 GB free, and what comes there has 21.2 GB: the `up` would end with disk-full",
    ]);
    expect(fetchTexts(report).join("\n")).toContain("NO ROOM: takes 21.2 GB of 12.0 GB free in /data/berth");
  });

  it("of hosts that were not looked at counts all as missing, and says so", () => {
    const report = planReport({ ...fleet, stores: {} });
    expect(report.unknown).toEqual(["what h100-01..06 has of downloads: all is counted as missing"]);
    expect(report.fetches.every(({ there }) => there.length === 0)).toBe(true);
  });

  it("expects of what is without a runner the time of its earlier starts, at the worst of them", () => {
    const repaired = planReport(fleet).deployments.find(({ name }) => name === "code")?.instances;
    expect(repaired?.[1]).toMatchObject({
      load: { seconds: 95, starts: 2 },
      strategy: { expectedSeconds: 95, downtimeSeconds: 1200 },
    });
    expect(repaired?.[0]).not.toHaveProperty("load");
  });
});
