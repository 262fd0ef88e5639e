import { describe, expect, it } from "vitest";
import { parse } from "yaml";

import { printRunners, type RunnerListOptions, type RunnerRow } from "../../../src/cli/runner-list.js";
import { formatResolution } from "../../../src/cli/runner-resolve.js";
import { resolveRunner } from "../../../src/catalog/runner-resolution.js";
import { readRunners } from "../../../src/lock/runner-files.js";
import { repository } from "../../support/toolchain.js";
import { thrownBy } from "../support/thrown.js";
import { testProject } from "../support/workplaces.js";

const newType = `schemaVersion: 1
acceleratorType: newtype
name: New type
vendor: nvidia
device: New device
hostRuntime: { comparable: false, source: It tells nothing }
services: { vllm: vLLM, newservice: New service }
versions:
  - version: "1.2"
    images:
      newservice:
        - { version: "0.1.0", runtimeVersion: "1.2.3", platforms: [linux/amd64] }
`;

async function list(options: Partial<RunnerListOptions>, files: Record<string, string> = {}) {
  const { workplace, printed } = await testProject(files);
  printRunners(workplace, { format: "names", namespace: "gpustack", ...options });
  return printed.join("\n");
}

const names = async (options: Partial<RunnerListOptions>) => {
  const text = await list(options);
  return text === "" ? [] : text.split("\n");
};

describe("berth runner list", () => {
  it.each<[string, Partial<RunnerListOptions>, string[]]>([
    ["by service and runtime", { service: "voxbox", acceleratorVersion: "12.8" }, ["cuda12.8-voxbox0.0.21"]],
    ["by a whole runtime version", { service: "voxbox", acceleratorVersion: "12.6.3" }, ["cuda12.6-voxbox0.0.21"]],
    [
      "with deprecated ones",
      { service: "voxbox", acceleratorVersion: "12.4", deprecated: true },
      ["cuda12.4-voxbox0.0.20"],
    ],
    ["without them", { service: "voxbox", acceleratorVersion: "12.4" }, []],
    ["by variant", { variant: "310p", service: "mindie", acceleratorVersion: "8.3" }, ["cann8.3-310p-mindie2.2.rc1"]],
    ["by a prefix of components, not of letters", { accelerator: "cuda", serviceVersion: "0.1.x" }, []],
    [
      "by a range",
      { accelerator: "rocm", serviceVersion: ">=0.16 <0.17.2", service: "vllm" },
      ["rocm7.1-vllm0.17.1", "rocm7.0-vllm0.16.0", "rocm6.4-vllm0.16.0"],
    ],
    [
      "by a major version",
      { accelerator: "musa", acceleratorVersion: "4.x" },
      ["musa4.3-sglang0.5.7", "musa4.1-vllm0.9.2"],
    ],
    ["by platform", { accelerator: "cuda", serviceVersion: "0.5.5.post3", platform: "linux/arm64" }, []],
  ])("finds images %s", async (_what, options, tags) => {
    expect(await names(options)).toEqual(tags.map((tag) => `gpustack/runner:${tag}`));
  });

  it("hides what is deprecated and what is in no registry: 114 of the tables, less 4 and 1", async () => {
    expect(await names({})).toHaveLength(109);
    expect(await names({ deprecated: true })).toHaveLength(137);
  });

  it.each<[Partial<RunnerListOptions>, string]>([
    [{ accelerator: "cuda", serviceVersion: "0.11" }, "no image fits; 3 do of version 0.11.x"],
    [{ accelerator: "cuda", acceleratorVersion: "12", service: "voxbox" }, "no image fits; 2 do of version 12.x"],
    [{ service: "voxbox", acceleratorVersion: "12.4" }, "no image fits; 1 does with --deprecated"],
    [{ accelerator: "cuda", serviceVersion: "99" }, "no image fits"],
    [{ accelerator: "newtype" }, "no image fits; 1 does once it is built and released"],
  ])("tells of %j, which finds nothing, what would find some", async (options, note) => {
    const unbuilt = newType.replace("platforms: [linux/amd64]", "published: false");
    const { workplace, printed, noted } = await testProject({ "backends/runners/newtype.yaml": unbuilt });
    printRunners(workplace, { format: "names", ...options });
    expect([printed, noted]).toEqual([[], [note]]);
  });

  it("names them as they are had from a registry", async () => {
    const place = { registry: "registry.example.net:5000", namespace: "team" };
    expect(await names({ ...place, accelerator: "corex" })).toEqual([
      "registry.example.net:5000/team/runner:corex4.2-vllm0.8.3",
    ]);
  });

  it.each([
    { registry: "https://registry.example.net" },
    { namespace: "Team" },
    { namespace: "" },
    { registry: "a b" },
  ])("refuses %j, from where no image can be had", async (place) => {
    const { workplace } = await testProject({});
    const wrong = () => printRunners(workplace, { format: "names", namespace: "gpustack", ...place });
    expect(thrownBy(wrong).message).toContain("images cannot be had from there");
  });

  it("prints the same for programs in JSON and YAML, also when there is nothing", async () => {
    const rows = JSON.parse(await list({ format: "json", accelerator: "dtk" })) as RunnerRow[];
    expect(rows[0]).toEqual({
      ...{ name: "gpustack/runner:dtk25.04-vllm0.11.0", acceleratorType: "dtk", acceleratorVersion: "25.04" },
      ...{ runtimeVersion: "25.04.2", service: "vllm", serviceVersion: "0.11.0", platforms: ["linux/amd64"] },
      ...{ rc: false, deprecated: false, polished: false },
    });
    expect(parse(await list({ format: "yaml", accelerator: "dtk" }))).toEqual(rows);
    expect(await list({ format: "json", serviceVersion: "9.9" })).toBe("[]");
    expect(await list({ format: "yaml", serviceVersion: "9.9" })).toBe("[]");
  });

  it("knows an accelerator type and a service by a file of the project alone", async () => {
    const files = { "backends/runners/newtype.yaml": newType };
    expect(await list({ accelerator: "newtype", service: "newservice" }, files)).toBe(
      "gpustack/runner:newtype1.2-newservice0.1.0",
    );
    const { workplace } = await testProject(files);
    const wrong = () => printRunners(workplace, { format: "names", namespace: "gpustack", accelerator: "newtipe" });
    expect(thrownBy(wrong).message).toContain("did you mean newtype?");
  });

  it("refuses a file that has another name than its accelerator type", async () => {
    const { workplace } = await testProject({ "backends/runners/other.yaml": newType });
    const wrong = thrownBy(() => printRunners(workplace, { format: "names", namespace: "gpustack" }));
    expect(wrong.message).toContain("backends/runners/other.yaml: the file has another name than its accelerator type");
  });
});

describe("berth runner resolve", () => {
  const device = {
    type: "cuda",
    name: "NVIDIA L4",
    index: 0,
    uuid: "U",
    memoryBytes: 0,
    driverVersion: "570",
  } as const;
  const answer = (runtimeVersion: string) =>
    formatResolution(
      resolveRunner(
        readRunners(repository, repository),
        { os: "linux", arch: "x64", accelerators: [{ ...device, runtimeVersion, computeCapability: "8.9" }] },
        { service: "voxbox" },
      ),
      { namespace: "gpustack" },
    ).split("\n");

  it("prints the image, why it, and why no other", () => {
    expect(answer("12.8").map((line) => line.trim())).toEqual([
      "gpustack/runner:cuda12.8-voxbox0.0.21",
      "why: the newest runtime that can run; cuda 12.8 is not above the host's 12.8",
      "",
      expect.stringMatching(/^NOT TAKEN +WHY$/),
      expect.stringMatching(
        /^cuda12\.8-voxbox0\.0\.20 +it is deprecated, and taken only when its version is asked for$/,
      ),
      expect.stringMatching(/^cuda12\.6-voxbox0\.0\.21 +cuda12\.8-voxbox0\.0\.21 is preferred$/),
      expect.stringMatching(/^cuda12\.6-voxbox0\.0\.20 +it is deprecated/),
      expect.stringMatching(/^cuda12\.4-voxbox0\.0\.20 +it is deprecated/),
    ]);
  });

  it("prints what would be needed where none can run", () => {
    expect(answer("11.8").slice(0, 2)).toEqual([
      "none: all images of voxbox that its devices could run are of a later major version than the host's 11.8",
      "needed: NVIDIA CUDA 12.6 or newer on the host",
    ]);
  });
});
