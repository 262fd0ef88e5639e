import { describe, expect, it } from "vitest";

import type { Refusal } from "../../../../src/planner/fleet/problem.js";
import { describeLack, describeRefusal } from "../../../../src/planner/fleet/refusal-text.js";

const gib = 2 ** 30;
const mib = 2 ** 20;

function refused(neededBytes: number, freeBytes: number): Refusal {
  return {
    ...{ deployment: "chat", replicas: [0], option: "1 device", reason: "memory", fitsAlone: false, remedies: [] },
    needs: { hosts: 1, devices: 1, bytesPerDevice: neededBytes, ramBytes: 0 },
    best: { host: "gpu-1", devices: 1, bytesPerDevice: freeBytes, ramBytes: 0 },
  };
}

describe("a refusal as people read it", () => {
  it("says what is needed, what there is and what is lacking in GiB", () => {
    expect(describeRefusal(refused(40 * gib, 24 * gib))).toEqual({
      where: "deployment chat",
      what: "replica 0 has no place: no host has enough free memory on its devices",
      got: "host gpu-1 has 1 × 24.0 GiB",
      expected: "1 × 40.0 GiB (1 device)",
      hint: "it lacks 16.0 GiB on each device; add a host with 1 × 40.0 GiB",
    });
  });

  it("says it in MiB where GiB would read the same", () => {
    const close = refused(330 * mib, 300 * mib);
    expect(describeRefusal(close)).toMatchObject({
      got: "host gpu-1 has 1 × 300.0 MiB",
      expected: "1 × 330.0 MiB (1 device)",
      hint: "it lacks 30.0 MiB on each device; add a host with 1 × 330.0 MiB",
    });
    expect(describeLack(close)).toBe("it has 1 × 300.0 MiB; needed are 1 × 330.0 MiB (1 device)");
  });
});
