import { describe, expect, it } from "vitest";

import { resolveRunner } from "../../../src/catalog/runner-resolution.js";
import { readRunners } from "../../../src/lock/runner-files.js";
import { repository } from "../../support/toolchain.js";

const catalogue = readRunners(repository, repository);

describe("an image whose file does not tell for which devices it is, as after an import", () => {
  it.each([
    { type: "cuda", runtimeVersion: "12.9", computeCapability: "7.0" },
    { type: "rocm", runtimeVersion: "7.0", llvmTarget: "gfx942" },
  ])("comes with a note: $type", (device) => {
    const images = catalogue.images
      .filter(({ acceleratorType }) => acceleratorType === device.type)
      .map((image) => ({ ...image, computeCapabilities: undefined, llvmTargets: undefined }));
    const card = { name: "card", index: 0, uuid: "U-0", memoryBytes: 0, driverVersion: "1", ...device };
    const facts = { os: "linux" as const, arch: "x64" as const, accelerators: [card] };
    expect(resolveRunner({ ...catalogue, images }, facts, { service: "vllm" })).toMatchObject({
      kind: "resolved",
      notes: ["the catalogue does not tell for which devices it has code, so nobody knows whether it runs"],
    });
  });
});
