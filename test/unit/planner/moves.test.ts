import { describe, expect, it } from "vitest";

import { findMoves } from "../../../src/planner/moves.js";

const at = (host: string, ...devices: string[]) => ({ host, devices });

describe("findMoves", () => {
  it("counts what a replica has on other hosts", () => {
    const before = { "a-0": { ...at("x"), subordinates: [at("y", "GPU-0")] } };
    const after = { "a-0": { ...at("x"), subordinates: [at("z", "GPU-0")] } };
    expect(findMoves(before, after)).toEqual([{ replica: "a-0", from: "x + y GPU-0", to: "x + z GPU-0" }]);
  });

  it("counts no head of a Ray cluster, which is where the replica is", () => {
    const head = { ...at("x"), ray: "head" };
    const before = { "a-0": { ...at("x", "GPU-0"), subordinates: [head, at("y", "GPU-1")] } };
    const after = { "a-0": { ...at("x", "GPU-0"), subordinates: [head, at("z", "GPU-1")] } };
    expect(findMoves(before, after)).toEqual([{ replica: "a-0", from: "x GPU-0 + y GPU-1", to: "x GPU-0 + z GPU-1" }]);
  });

  it("tells replicas that move, come or go, and none that stays", () => {
    const before = { "a-0": at("x", "GPU-0"), "b-0": at("x"), "c-0": at("y", "GPU-1") };
    const after = { "a-0": at("x", "GPU-0"), "c-0": at("y", "GPU-2"), "d-0": at("z") };
    expect(findMoves(before, after)).toEqual([
      { replica: "c-0", from: "y GPU-1", to: "y GPU-2" },
      { replica: "d-0", from: undefined, to: "z" },
      { replica: "b-0", from: "x", to: undefined },
    ]);
  });
});
