import { mkdirSync, readFileSync } from "node:fs";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { writeNvidiaSmi } from "../support/fake-nvidia-smi.js";
import { Sandbox } from "../support/sandbox.js";
import { TestImages, whyNoTestImages, type TestImage } from "../support/test-image.js";

const missing = await whyNoTestImages();
const isLeftOut = missing !== undefined && process.env.BERTH_TEST_ALL !== "1";

describe.skipIf(isLeftOut)(`a runner image of the catalogue${isLeftOut ? ` (left out: ${missing})` : ""}`, () => {
  let images: TestImages;
  let sandbox: Sandbox;
  let image: TestImage;
  let bin: string;

  beforeAll(async () => {
    images = await TestImages.start();
    image = await images.pushAs("team/runner", "cuda12.0-engine1.0", await images.buildFake());
    sandbox = await Sandbox.create();
    bin = writeNvidiaSmi(sandbox.root, ["GPU-6f3a8d1e-0000"]);
    const catalogue = [
      "schemaVersion: 1",
      "acceleratorType: cuda",
      "name: NVIDIA CUDA",
      "vendor: nvidia",
      "device: NVIDIA GPU",
      "hostRuntime: { comparable: true, source: Its driver }",
      "services: { engine: Engine }",
      "versions:",
      ...["13.0", "12.0"].flatMap((runtime) => [
        `  - version: "${runtime}"`,
        `    images: { engine: [{ version: "1.0", platforms: [linux/amd64, linux/arm64] }] }`,
      ]),
    ];
    mkdirSync(sandbox.path("backends", "runners"));
    sandbox.write("backends/runners/cuda.yaml", `${catalogue.join("\n")}\n`);
    const install = "install: { runnerImage: { service: engine } }";
    const backend = `schemaVersion: 1\nname: boxed\nrunCommand: serve\nversions:\n  "1.0": { ${install} }\n`;
    sandbox.write("backends/boxed.yaml", backend);
    const stack = [
      "schemaVersion: 1",
      "hosts: { box: { connection: local, dataDir: host } }",
      `mirrors: { registries: { docker.io/gpustack: "${images.registry.host}/team" } }`,
      "preload: { next: { backend: boxed } }",
    ];
    sandbox.writeStack(`${stack.join("\n")}\n`);
  });
  afterAll(async () => {
    await sandbox.dispose();
    await images.close();
  });

  const withTools = () => ({ PATH: `${bin}:${sandbox.searchPath}` });

  it("is locked for the host's driver, and had by its digest from the mirror of its registry and namespace", async () => {
    const { exitCode, output } = await sandbox.up([], withTools());
    expect(exitCode, output).toBe(0);
    const lock = readFileSync(sandbox.path("stacks", "test.lock.yaml"), "utf8");
    expect(lock).toContain("reference: gpustack/runner:cuda12.0-engine1.0");
    expect(lock).toContain(image.digest);
    const { stdout } = await execa("docker", [
      "image",
      "ls",
      "--quiet",
      "--filter",
      `label=berth-test-registry=${images.registry.host}`,
    ]);
    expect(stdout).not.toBe("");
    expect(sandbox.resources("BackendVersion")).toMatchObject([{ inputs: { digest: image.digest } }]);
  });

  it("changes nothing when it is wanted again, and is not outdated", async () => {
    const { exitCode, output } = await sandbox.up(["--expect-no-changes"], withTools());
    expect(exitCode, output).toBe(0);
    const told = await sandbox.berth(["runner", "outdated", "--stack", "test"], withTools());
    expect(told.output).toContain("no runner image is outdated; 1 image was looked at");
  });
});
