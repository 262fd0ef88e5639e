import { describe, expect, it } from "vitest";

import { isPlacedByHand } from "../../../src/health/hand-placement.js";

const engine = ["/data/bin/engine_1", "--model", "/m.gguf"];

describe("the parameters of a runner", () => {
  it.each([
    ["-ngl", "20"],
    ["--n-gpu-layers=0"],
    ["--gpu-layers", "12"],
    ["--tensor-split", "3,1"],
    ["-sm", "none"],
    ["--n-cpu-moe", "8"],
    ["--override-tensor", "exps=CPU"],
    ["--cpu-offload-gb", "10"],
    ["--cpu_offload_gb=10"],
  ])("say where the parts of the model go: %s %s", (...words) => {
    expect(isPlacedByHand([...engine, ...words], {})).toBe(true);
  });

  it.each([
    [],
    ["-ngl", "99"],
    ["--n-gpu-layers=all"],
    ["-ngl", "-1"],
    ["--tensor-parallel-size", "2"],
    ["--ctx-size", "4096"],
  ])("leave it to the engine: %s %s", (...words) => {
    expect(isPlacedByHand([...engine, ...words], { LEVEL: "info" })).toBe(false);
  });

  it("count in the environment of llama.cpp too", () => {
    expect(isPlacedByHand(engine, { LLAMA_ARG_N_GPU_LAYERS: "20" })).toBe(true);
    expect(isPlacedByHand(engine, { LLAMA_ARG_N_GPU_LAYERS: "999" })).toBe(false);
    expect(isPlacedByHand(engine, { LLAMA_ARG_TENSOR_SPLIT: "3,1" })).toBe(true);
  });
});
