import { describe, expect, it } from "vitest";

import { resolveRunner, type RunnerQuestion } from "../../../src/catalog/runner-resolution.js";
import { readRunners } from "../../../src/lock/runner-files.js";
import type { Accelerator } from "../../../src/schema/facts.js";
import { parseConstraint } from "../../../src/schema/version-constraint.js";
import { repository } from "../../support/toolchain.js";

const catalogue = readRunners(repository, repository);

type Device = Pick<Accelerator, "type"> & Partial<Accelerator>;

const cuda = (runtimeVersion?: string, computeCapability?: string): Device => ({
  type: "cuda",
  runtimeVersion,
  computeCapability,
});
const rocm = (runtimeVersion?: string, llvmTarget?: string): Device => ({ type: "rocm", runtimeVersion, llvmTarget });
const cann = (runtimeVersion?: string, soc?: string): Device => ({ type: "cann", runtimeVersion, soc });
const of = (type: Device["type"], runtimeVersion?: string): Device => ({ type, runtimeVersion });

interface Asked extends Omit<RunnerQuestion, "service" | "serviceVersion" | "acceleratorVersion"> {
  readonly version?: string;
  readonly runtime?: string;
  readonly arch?: "x64" | "arm64";
  readonly os?: "linux" | "darwin";
}

function resolve(devices: readonly Device[], service: string, asked: Asked = {}) {
  const { version, runtime, arch = "x64", os = "linux", ...rest } = asked;
  const accelerators = devices.map((device, index): Accelerator => {
    const known = { name: `device ${index}`, index, uuid: `U-${index}`, memoryBytes: 0, driverVersion: "1" };
    return { ...known, ...device };
  });
  return resolveRunner(
    catalogue,
    { os, arch, accelerators },
    {
      ...{ service, ...rest },
      serviceVersion: version === undefined ? undefined : parseConstraint(version),
      acceleratorVersion: runtime === undefined ? undefined : parseConstraint(runtime),
    },
  );
}

const ampere = "8.6";
const hopper = "9.0";
const blackwell = "12.0";

type Row = readonly [what: string, devices: readonly Device[], service: string, asked: Asked, answer: string];

const rows: readonly Row[] = [
  ["CUDA, an equal driver", [cuda("12.9", hopper)], "vllm", {}, "cuda12.9-vllm0.17.1"],
  ["CUDA, a newer driver of the same major version", [cuda("12.10", hopper)], "vllm", {}, "cuda12.9-vllm0.17.1"],
  ["CUDA, a newer driver of a later major version", [cuda("13.0", hopper)], "vllm", {}, "cuda12.9-vllm0.17.1"],
  ["CUDA, a driver between two runtimes", [cuda("12.7", hopper)], "vllm", {}, "cuda12.6-vllm0.15.1"],
  ["CUDA, a driver with a patch version", [cuda("12.8.1", hopper)], "vllm", {}, "cuda12.8-vllm0.17.1"],
  ["CUDA, a driver below all of its major version", [cuda("12.2", hopper)], "vllm", {}, "cuda12.9-vllm0.17.1"],
  [
    "CUDA, such a driver and a GPU with code of its own major version",
    [cuda("12.2", ampere)],
    "vllm",
    {},
    "cuda12.9-vllm0.17.1",
  ],
  [
    "CUDA, a driver of an earlier major version",
    [cuda("11.8", ampere)],
    "vllm",
    {},
    "!of a later major version than the host's 11.8",
  ],
  ["CUDA, a driver that tells nothing", [cuda(undefined, ampere)], "vllm", {}, "cuda12.9-vllm0.17.1"],
  ["CUDA, a GPU that tells nothing", [cuda("12.9")], "vllm", {}, "cuda12.9-vllm0.17.1"],
  [
    "CUDA, two GPUs of which one has an older driver's runtime",
    [cuda("12.9", hopper), cuda("12.6", hopper)],
    "vllm",
    {},
    "cuda12.6-vllm0.15.1",
  ],
  ["CUDA, a GPU too old for all code", [cuda("12.9", "7.0")], "vllm", {}, "!no image of vllm for NVIDIA CUDA can run"],
  ["CUDA, one of two GPUs too old", [cuda("12.9", hopper), cuda("12.9", "6.1")], "vllm", {}, "!no image of vllm"],
  ["CUDA, the oldest GPU that there is code for", [cuda("12.9", "7.5")], "vllm", {}, "cuda12.9-vllm0.17.1"],
  ["CUDA, a later minor capability of a binary", [cuda("12.6", "8.9")], "vllm", {}, "cuda12.6-vllm0.15.1"],
  ["CUDA, Blackwell with a driver for it", [cuda("12.9", blackwell)], "vllm", {}, "cuda12.9-vllm0.17.1"],
  ["CUDA, Blackwell Ultra has its binary in 12.9", [cuda("12.9", "10.3")], "vllm", {}, "cuda12.9-vllm0.17.1"],
  ["CUDA, Blackwell Ultra by the binary of 10.0 in 12.8", [cuda("12.8", "10.3")], "vllm", {}, "cuda12.8-vllm0.17.1"],
  [
    "CUDA, Blackwell and a driver of 12.6, whose code is translated",
    [cuda("12.6", blackwell)],
    "vllm",
    {},
    "cuda12.6-vllm0.15.1",
  ],
  [
    "CUDA, Blackwell and a driver below all runtimes: only binaries",
    [cuda("12.4", blackwell)],
    "vllm",
    {},
    "cuda12.9-vllm0.17.1",
  ],
  ["CUDA, a GPU of the future, translated", [cuda("13.0", "13.0")], "vllm", {}, "cuda12.9-vllm0.17.1"],
  [
    "CUDA, a GPU of the future and a driver that translates nothing so new",
    [cuda("12.4", "13.0")],
    "vllm",
    {},
    "!no image of vllm",
  ],
  ["CUDA, the newest service", [cuda("12.7", hopper)], "vllm", { policy: "newestService" }, "cuda12.6-vllm0.15.1"],
  [
    "CUDA, the newest service of all that run",
    [cuda("13.0", hopper)],
    "voxbox",
    { policy: "newestService" },
    "cuda12.8-voxbox0.0.21",
  ],
  ["CUDA, a service that only older runtimes have", [cuda("12.9", hopper)], "voxbox", {}, "cuda12.8-voxbox0.0.21"],
  ["CUDA, an exact version", [cuda("12.9", hopper)], "vllm", { version: "0.11.2" }, "cuda12.9-vllm0.11.2"],
  [
    "CUDA, a version of an older runtime alone",
    [cuda("12.9", hopper)],
    "vllm",
    { version: "0.10.2" },
    "cuda12.8-vllm0.10.2",
  ],
  ["CUDA, versions with a prefix", [cuda("12.9", hopper)], "vllm", { version: "0.11.x" }, "cuda12.9-vllm0.11.2"],
  ["CUDA, a range of versions", [cuda("12.9", hopper)], "vllm", { version: ">=0.12 <0.15" }, "cuda12.9-vllm0.14.1"],
  [
    "CUDA, a version that there is not",
    [cuda("12.9", hopper)],
    "vllm",
    { version: "0.1.0" },
    "!no image of vllm 0.1.0",
  ],
  [
    "CUDA, a deprecated image by its version",
    [cuda("12.9", hopper)],
    "vllm",
    { version: "0.10.0" },
    "cuda12.8-vllm0.10.0",
  ],
  ["CUDA, none deprecated by a prefix", [cuda("12.9", hopper)], "vllm", { version: "0.10.x" }, "cuda12.8-vllm0.10.2"],
  ["CUDA, a runtime that is asked for", [cuda("12.9", hopper)], "vllm", { runtime: "12.6" }, "cuda12.6-vllm0.15.1"],
  [
    "CUDA, one platform alone",
    [cuda("12.8", hopper)],
    "sglang",
    { version: "0.5.5.post3", arch: "arm64" },
    "!no image of sglang 0.5.5.post3",
  ],
  ["CUDA on arm64", [cuda("12.9", hopper)], "sglang", { arch: "arm64" }, "cuda12.9-sglang0.5.9"],
  [
    "CUDA, a service of another type",
    [cuda("12.9", hopper)],
    "mindie",
    {},
    "!there are no images of mindie for NVIDIA CUDA",
  ],
  [
    "CUDA, a variant, which it has not",
    [cuda("12.9", hopper)],
    "vllm",
    { variant: "910b" },
    "!NVIDIA CUDA has no variants",
  ],
  ["ROCm, an equal runtime", [rocm("7.1.1", "gfx942")], "vllm", {}, "rocm7.1-vllm0.17.1"],
  ["ROCm, an older runtime", [rocm("7.0.2", "gfx942")], "vllm", {}, "rocm7.0-vllm0.16.0"],
  ["ROCm, the major version before", [rocm("6.4.1", "gfx942")], "vllm", {}, "rocm6.4-vllm0.16.0"],
  ["ROCm, a runtime below all that are not deprecated", [rocm("6.2", "gfx942")], "vllm", {}, "rocm6.4-vllm0.16.0"],
  [
    "ROCm, a major version without images",
    [rocm("5.7", "gfx942")],
    "vllm",
    {},
    "!of a later major version than the host's 5.7",
  ],
  ["ROCm, a runtime that tells nothing", [rocm(undefined, "gfx942")], "vllm", {}, "rocm7.1-vllm0.17.1"],
  ["ROCm, an image for gfx950 alone, and gfx950", [rocm("7.0", "gfx950")], "sglang", {}, "rocm7.0-sglang0.5.9"],
  ["ROCm, an image for gfx950 alone, and gfx942", [rocm("7.0", "gfx942")], "sglang", {}, "rocm6.4-sglang0.5.8.post1"],
  ["ROCm, a target with its features", [rocm("7.0", "gfx950:sramecc+:xnack-")], "sglang", {}, "rocm7.0-sglang0.5.9"],
  [
    "ROCm, a target of later runtimes alone",
    [rocm("6.4", "gfx950")],
    "vllm",
    {},
    "!of a later major version than the host's 6.4",
  ],
  [
    "ROCm, a target that one image lacks",
    [rocm("7.0", "gfx1151")],
    "vllm",
    { version: "0.11.2" },
    "!no image of vllm 0.11.2",
  ],
  [
    "ROCm, a target that the next image has",
    [rocm("7.0", "gfx1151")],
    "vllm",
    { version: "0.12.0" },
    "rocm7.0-vllm0.12.0",
  ],
  ["ROCm, a target without any code", [rocm("7.1", "gfx906")], "vllm", {}, "!no image of vllm for AMD ROCm"],
  ["ROCm on arm64", [rocm("7.1", "gfx942")], "vllm", { arch: "arm64" }, "!no image of vllm for AMD ROCm"],
  ["CANN, 910B", [cann("8.5.0", "Ascend910B3")], "vllm", {}, "cann8.5-910b-vllm0.13.0"],
  [
    "CANN, 910B with release candidates",
    [cann("8.5.0", "Ascend910B3")],
    "vllm",
    { allowRc: true },
    "cann8.5-910b-vllm0.16.0",
  ],
  [
    "CANN, a release candidate by its version",
    [cann("8.5.0", "Ascend910B3")],
    "vllm",
    { version: "0.15.0" },
    "cann8.5-910b-vllm0.15.0",
  ],
  ["CANN, A3", [cann("8.5.0", "Ascend910_9391")], "mindie", {}, "cann8.5-a3-mindie2.3.0"],
  ["CANN, 310P", [cann("8.3.rc2", "Ascend310P3")], "mindie", {}, "cann8.3-310p-mindie2.2.rc1"],
  [
    "CANN, 310P, of which there are release candidates alone",
    [cann("8.5.0", "Ascend310P3")],
    "vllm",
    {},
    "!no image of vllm for Ascend CANN",
  ],
  ["CANN, 310P, a service that it has not", [cann("8.5.0", "Ascend310P3")], "sglang", {}, "!no image of sglang"],
  ["CANN, a toolkit of a candidate", [cann("8.2.rc1", "Ascend910B3")], "vllm", {}, "cann8.2-910b-vllm0.9.1"],
  [
    "CANN, an image that is in the tables alone",
    [cann("8.2.rc1", "Ascend310P3")],
    "vllm",
    { version: "0.9.1" },
    "!no image of vllm 0.9.1",
  ],
  [
    "CANN, a SoC without a variant",
    [cann("8.5.0", "Ascend910A")],
    "vllm",
    {},
    "!there is no variant for SoC Ascend910A",
  ],
  ["CANN, a SoC that is not told", [cann("8.5.0")], "vllm", {}, "!there is no variant for SoC unknown"],
  [
    "CANN, a SoC that is not told, and a variant",
    [cann("8.5.0")],
    "mindie",
    { variant: "910b" },
    "cann8.5-910b-mindie2.3.0",
  ],
  [
    "CANN, two SoCs",
    [cann("8.5.0", "Ascend910B3"), cann("8.5.0", "Ascend310P3")],
    "vllm",
    {},
    "!devices of several SoCs",
  ],
  [
    "CANN on arm64, where alone an image is",
    [cann("8.5.0", "Ascend910B3")],
    "sglang",
    { arch: "arm64" },
    "cann8.5-910b-sglang0.5.9",
  ],
  ["CANN, no image for x64, and deprecated ones", [cann("8.5.0", "Ascend910B3")], "sglang", {}, "!no image of sglang"],
  ["CANN, a newer toolkit than all", [cann("9.0", "Ascend910B3")], "mindie", {}, "cann8.5-910b-mindie2.3.0"],
  ["CANN, the toolkit before", [cann("8.4", "Ascend910B3")], "mindie", {}, "cann8.3-910b-mindie2.2.rc1"],
  ["MACA, an equal runtime", [of("maca", "3.5.3")], "vllm", {}, "maca3.5-vllm0.14.0"],
  ["MACA, an older runtime", [of("maca", "3.4")], "sglang", {}, "maca3.3-sglang0.5.7"],
  ["MACA, a service of an older runtime alone", [of("maca", "3.5.3")], "sglang", {}, "maca3.3-sglang0.5.7"],
  ["MACA, a later major version", [of("maca", "2.9")], "vllm", {}, "!of a later major version than the host's 2.9"],
  ["DTK, whose hosts tell a version of another kind", [of("dtk", "6.3")], "vllm", {}, "dtk25.04-vllm0.11.0"],
  ["CoreX, whose hosts tell a version of another kind", [of("corex", "10.2")], "vllm", {}, "corex4.2-vllm0.8.3"],
  ["HGGC", [of("hggc")], "sglang", {}, "hggc12.3-sglang0.5.6"],
  ["MUSA, SGLang", [of("musa")], "sglang", {}, "musa4.3-sglang0.5.7"],
  ["MUSA, vLLM, which an older runtime has", [of("musa")], "vllm", {}, "musa4.1-vllm0.9.2"],
  ["MUSA on arm64", [of("musa")], "vllm", { arch: "arm64" }, "!no image of vllm for MThreads MUSA"],
  ["a host without accelerators", [], "vllm", {}, "!the host has no accelerator that there are runner images for"],
  ["Metal, which has no images", [of("metal", "4")], "vllm", { os: "darwin" }, "!the host has no accelerator"],
  ["Cambricon, which has no images", [of("neuware")], "vllm", {}, "!the host has no accelerator"],
  [
    "devices of two types",
    [cuda("12.9", hopper), of("maca", "3.5")],
    "vllm",
    {},
    "!devices of several types (cuda, maca)",
  ],
  [
    "devices of two types, and one that is meant",
    [cuda("12.9", hopper), of("maca", "3.5")],
    "vllm",
    { acceleratorType: "maca" },
    "maca3.5-vllm0.14.0",
  ],
  [
    "a type that the host has not",
    [cuda("12.9", hopper)],
    "vllm",
    { acceleratorType: "rocm" },
    "!the host has no rocm device",
  ],
];

describe("the runner image of a host", () => {
  it("is shown for at least 60 hosts", () => {
    expect(rows.length).toBeGreaterThanOrEqual(60);
  });

  it.each(rows)("with %s", (_what, devices, service, asked, answer) => {
    const resolution = resolve(devices, service, asked);
    if (answer.startsWith("!"))
      expect(resolution).toMatchObject({ kind: "refused", reason: expect.stringContaining(answer.slice(1)) as string });
    else expect(resolution).toMatchObject({ kind: "resolved", image: { tag: answer } });
  });

  const whyNot = (resolution: ReturnType<typeof resolve>, tag: string) =>
    resolution.others.find(({ image }) => image.tag === tag)?.reason;

  it("tells why it, and why no other", () => {
    const resolution = resolve([cuda("12.8", blackwell)], "vllm");
    expect(resolution).toMatchObject({
      reason: "the newest runtime that can run; cuda 12.8 is not above the host's 12.8",
      notes: [],
    });
    expect(resolution.others).toHaveLength(30);
    expect(whyNot(resolution, "cuda12.9-vllm0.17.1")).toBe("its runtime is above the host's 12.8");
    expect(whyNot(resolution, "cuda12.8-vllm0.16.0")).toBe("cuda12.8-vllm0.17.1 is preferred");
    expect(whyNot(resolution, "cuda12.8-vllm0.10.0")).toBe(
      "it is deprecated, and taken only when its version is asked for",
    );
  });

  it("tells what code a GPU would need, and that its driver does not translate that of a later runtime", () => {
    const old = resolve([cuda("12.9", "7.0")], "vllm");
    expect(whyNot(old, "cuda12.9-vllm0.17.1")).toBe(
      "it has no code for compute capability 7.0 (device 0), only for 7.5 8.0+PTX 8.9 9.0 10.0 10.3 12.0 12.1+PTX",
    );
    const future = resolve([cuda("12.4", "13.0")], "vllm");
    expect(whyNot(future, "cuda12.9-vllm0.17.1")).toContain(
      "to be translated, which a driver of CUDA 12.4 does not do for CUDA 12.9",
    );
  });

  it("is refused with what would be needed", () => {
    expect(resolve([cuda("11.8", ampere)], "vllm")).toMatchObject({ needed: "NVIDIA CUDA 12.6 or newer on the host" });
  });

  it("comes with what nobody could check, and with the warnings of its release", () => {
    expect(resolve([of("musa")], "vllm")).toMatchObject({
      notes: [expect.stringContaining("does not tell a version to compare with") as string],
    });
    expect(resolve([rocm("7.0")], "vllm", { version: "0.11.2" })).toMatchObject({
      notes: [
        expect.stringContaining("does not tell for what code") as string,
        expect.stringContaining("ROCm 6.4 PyTorch") as string,
      ],
    });
  });
});
