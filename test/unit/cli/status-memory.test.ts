import { describe, expect, it } from "vitest";

import { formatMemoryStatus, memoryStatus } from "../../../src/cli/status-memory.js";
import { readRecorded } from "../../support/recorded.js";

const mebibyte = 2 ** 20;
const at = "2026-01-01T00:00:00.000Z";
const usedMemory = { hostBytes: 310 * mebibyte, devices: [], at };
const memory = { option: "cpu", basis: "estimate", devices: [], hostBytes: 322 * mebibyte };

describe("the memory of an instance in `berth status`", () => {
  it("is what it uses, what was estimated, and the error", () => {
    const status = memoryStatus({ memory, usedMemory }, {});
    expect(formatMemoryStatus(status)).toBe("310.0 MiB of 322.0 MiB estimated (-4 %)");
    expect(status).toMatchObject({ basis: "estimate", at, places: [{ place: "host", usedBytes: 310 * mebibyte }] });
  });

  it.each([
    ["stated", 322, "310.0 MiB of 322.0 MiB stated (-4 %)"],
    ["estimate", 300, "310.0 MiB of 300.0 MiB estimated (+3 %)"],
    ["estimate", 311, "310.0 MiB of 311.0 MiB estimated (0 %)"],
    ["estimate", 0, "310.0 MiB"],
  ])("by a placement that is %s with %d MiB is %j", (basis, expected, text) => {
    const placed = { ...memory, basis, hostBytes: expected * mebibyte };
    expect(formatMemoryStatus(memoryStatus({ memory: placed, usedMemory }, {}))).toBe(text);
  });

  it("is what was seen of it now before what the state has", () => {
    const now = { usedMemory: { ...usedMemory, hostBytes: 10 * mebibyte } };
    expect(formatMemoryStatus(memoryStatus({ usedMemory }, now))).toBe("10.0 MiB");
  });

  it("is not known of a state that an earlier version wrote", () => {
    for (const { state } of readRecorded()) {
      const { deployment } = JSON.parse(state) as {
        deployment: { resources: { type: string; outputs?: Record<string, unknown> }[] };
      };
      const instances = deployment.resources.flatMap(({ outputs }) =>
        outputs?.generation === undefined ? [] : [outputs],
      );
      expect(instances).toHaveLength(2);
      expect(instances.map((outputs) => formatMemoryStatus(memoryStatus(outputs, {})))).toEqual(["-", "-"]);
    }
  });
});
