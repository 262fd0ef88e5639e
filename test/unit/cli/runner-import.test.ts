import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { importRunners } from "../../../src/cli/runner-import.js";
import { readRunners } from "../../../src/lock/runner-files.js";
import { repository } from "../support/repository.js";
import { rejectionOf } from "../support/thrown.js";
import { testProject } from "../support/workplaces.js";

const release = join(repository, "test/fixtures/runner-upstream/gpustack-runner-0.1.27.post4.json");

describe("berth runner import", () => {
  it("shows what a release changes, and writes nothing", async () => {
    const { workplace, printed, noted } = await testProject();
    await importRunners(workplace, release, {});
    const lines = printed.map((line) => line.replaceAll(/ +/g, " ").trim());
    expect(lines).toContain("+ dtk26.04-vllm0.18.1 26.04 linux/amd64");
    expect(lines).toContain("~ cuda12.6-voxbox0.0.21 deprecated now");
    expect(lines).toContain("! cuda12.8-vllm0.17.1 not in the release; it stays");
    expect(lines.at(-1)).toBe(
      "cuda 13.0 is new: add the compute capabilities or LLVM targets of its images, which no release tells",
    );
    expect(noted).toEqual(["nothing is written; --write writes what is added and changed"]);
    expect(readRunners(workplace.root, repository)).toEqual(readRunners(repository, repository));
  });

  it("writes into the project's own files, which then have all of it", async () => {
    const { workplace, noted } = await testProject();
    await importRunners(workplace, release, { write: true });
    expect(noted).toEqual(["cann", "cuda", "dtk"].map((type) => `backends/runners/${type}.yaml is written`));
    const { images, files } = readRunners(workplace.root, repository);
    expect(images.find(({ tag }) => tag === "cuda13.0-vllm0.25.1")).toMatchObject({ runtimeVersion: "13.0.1" });
    expect(files.dtk?.services).toEqual({ vllm: "vLLM", sglang: "SGLang" });
    const read = (type: string) => readFileSync(join(workplace.root, `backends/runners/${type}.yaml`), "utf8");
    expect(read("cuda")).toMatch(/^# Runner images for NVIDIA CUDA/);
    const before = read("cann");
    noted.length = 0;
    await importRunners(workplace, release, { write: true });
    expect([noted, read("cann")]).toEqual([["the catalogue has all of it already"], before]);
  });

  it.each<[string, string]>([
    ['{"a": 1}', "expected a list"],
    ['[{"backend": "cuda"}]', '"0.backend_version"'],
    ["no list", "release.json:1:1"],
    ["[]", "expected at least one image"],
  ])("refuses what is no release, with the place: %s", async (text, problem) => {
    const { workplace } = await testProject({ "release.json": text });
    const error = await rejectionOf(importRunners(workplace, join(workplace.root, "release.json"), {}));
    expect(error.message).toContain(problem);
  });
});
