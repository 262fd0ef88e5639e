import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { compareMemory, summarizeMemory, sumDeviceBytes, sumHostBytes } from "../../../src/health/used-memory.js";
import type { PlacedMemory, UsedMemory } from "../../../src/schema/placement.js";

const at = "2026-01-01T00:00:00.000Z";
const device = (name: string, weightsBytes: number) => ({
  ...{ device: name, weightsBytes, cacheBytes: 20, otherBytes: 30, takenBytes: 1000 },
});
const placed = (changes: Partial<PlacedMemory> = {}): PlacedMemory => ({
  ...{ option: "full", basis: "estimate", devices: [device("GPU-0", 50)], hostBytes: 200 },
  ...changes,
});
const used = (changes: Partial<UsedMemory> = {}): UsedMemory => ({
  ...{ hostBytes: 210, devices: [{ device: "GPU-0", bytes: 96 }], at },
  ...changes,
});

describe("the host's memory of a runner", () => {
  it("is the sum of its processes' parts, and what the system tells of those that have none", () => {
    expect(
      sumHostBytes([
        { residentBytes: 60, proportionalBytes: 40 },
        { residentBytes: 50, proportionalBytes: 30 },
      ]),
    ).toBe(70);
    expect(sumHostBytes([{ residentBytes: 60, proportionalBytes: 40 }, { residentBytes: 50 }])).toBe(90);
    expect(sumHostBytes([])).toBeUndefined();
  });

  it("counts a model in full that another runner maps too", () => {
    expect(sumHostBytes([{ residentBytes: 300, proportionalBytes: 155 }])).toBe(300);
  });

  it("is never less than that of any of its processes, nor more than all of theirs", () => {
    const memory = fc
      .tuple(fc.nat(1000), fc.double({ min: 0, max: 1, noNaN: true }))
      .map(([residentBytes, part]) => ({ residentBytes, proportionalBytes: Math.floor(residentBytes * part) }));
    fc.assert(
      fc.property(fc.array(memory, { minLength: 1 }), (processes) => {
        const bytes = sumHostBytes(processes) ?? 0;
        expect(bytes).toBeGreaterThanOrEqual(Math.max(...processes.map(({ residentBytes }) => residentBytes)));
        expect(bytes).toBeLessThanOrEqual(processes.reduce((sum, { residentBytes }) => sum + residentBytes, 0));
      }),
    );
  });
});

describe("the devices' memory of a runner", () => {
  it("is what its processes have of each, and a device is left out of which the tool does not tell it", () => {
    const process = (pid: number, memoryBytes?: number) => ({
      ...{ pid, name: "engine", ...(memoryBytes === undefined ? {} : { memoryBytes }) },
    });
    const usage = [
      { uuid: "GPU-0", processes: [process(1, 10), process(2, 20), process(3, 40)] },
      { uuid: "GPU-1", processes: [process(1)] },
      { uuid: "GPU-2", memoryUsedBytes: 90 },
      { uuid: "GPU-4", processes: [process(1, 5)] },
    ];
    const devices = ["GPU-0", "GPU-1", "GPU-2", "GPU-3"];
    expect(sumDeviceBytes(devices, usage, new Set([1, 2]))).toEqual([{ device: "GPU-0", bytes: 30 }]);
  });
});

describe("what is used beside what was estimated", () => {
  it("is told of each place, and its error is of what was estimated, not of what the placement took", () => {
    const [gpu, host] = compareMemory(placed(), used());
    expect(gpu).toMatchObject({ place: "GPU-0", expectedBytes: 100, usedBytes: 96 });
    expect(gpu?.error).toBeCloseTo(-0.04);
    expect(host).toMatchObject({ place: "host", expectedBytes: 200, usedBytes: 210 });
    expect(host?.error).toBeCloseTo(0.05);
  });

  it("has no error where nothing was estimated, and no place where nothing is known to be used", () => {
    const whole = { place: "GPU-0", usedBytes: 96 };
    expect(compareMemory(placed({ basis: "whole" }), used({ hostBytes: undefined }))).toEqual([whole]);
    expect(compareMemory(undefined, used({ hostBytes: undefined }))).toEqual([whole]);
    expect(compareMemory(placed({ hostBytes: 0 }), used({ devices: [] }))).toEqual([{ place: "host", usedBytes: 210 }]);
  });

  it("is in one figure that of all devices, or without any of the host", () => {
    const two = placed({ devices: [device("GPU-0", 50), device("GPU-1", 250)] });
    const both = used({
      devices: [
        { device: "GPU-0", bytes: 100 },
        { device: "GPU-1", bytes: 340 },
      ],
    });
    const summary = summarizeMemory(compareMemory(two, both));
    expect(summary).toMatchObject({ place: "devices", expectedBytes: 400, usedBytes: 440 });
    expect(summary?.error).toBeCloseTo(0.1);
    expect(summarizeMemory(compareMemory(placed(), used()))?.place).toBe("GPU-0");
    expect(summarizeMemory(compareMemory(placed({ devices: [] }), used({ devices: [] })))?.place).toBe("host");
    expect(summarizeMemory([])).toBeUndefined();
  });
});
