import { lstatSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { dockerfileSkeleton } from "../../../src/catalog/dockerfile-skeleton.js";
import { releaseRunners, type RunnerReleaseOptions } from "../../../src/cli/runner-release.js";
import { manifestType, MemoryRegistry } from "../../support/memory-registry.js";
import { rejectionOf } from "../support/thrown.js";
import { testProject } from "../support/workplaces.js";

const catalogue = `schemaVersion: 1
acceleratorType: tiny
name: Tiny
vendor: nvidia
device: Tiny device
hostRuntime: { comparable: false, source: nothing }
services: { low: Low, high: High }
versions:
  - version: "1.2"
    images:
      low:
        - { version: "0.1.0", platforms: [linux/amd64] } # before
`;
const matrix = `schemaVersion: 1
rules:
  - { services: [low, high], platforms: [linux/amd64] }
`;
const dockerfile = dockerfileSkeleton({
  ...{ acceleratorType: "tiny", name: "Tiny", runtimeVersion: "1.2.3" },
  ...{ services: { low: "Low", high: "High" }, versions: { low: "0.2.0", high: "0.9.0" } },
});

describe("berth runner release", () => {
  let registry: MemoryRegistry;
  let options: RunnerReleaseOptions;

  beforeAll(async () => {
    registry = await MemoryRegistry.start();
    options = { registry: registry.host, namespace: "team", accelerator: "tiny" };
  });
  beforeEach(() => {
    registry.content.clear();
    registry.requests.length = 0;
    for (const tag of ["tiny1.2-low0.2.0", "tiny1.2-high0.9.0"]) build(tag, "first");
  });
  afterAll(() => registry.close());

  const project = (text = catalogue) =>
    testProject({
      "backends/runners/tiny.yaml": text,
      "backends/runners/tiny/matrix.yaml": matrix,
      "backends/runners/tiny/Dockerfile": dockerfile,
    });

  /** Puts an image under its `-dev` tag. */
  function build(tag: string, what: string): void {
    const image = registry.addManifest({ schemaVersion: 2, what }, manifestType);
    const index = registry.addIndex({ "linux/amd64": image });
    registry.content.set(`manifests/${tag}-dev`, registry.content.get(`manifests/${index.digest}`) ?? Buffer.from(""));
  }
  const written = () => registry.requests.filter((request) => request.startsWith("PUT "));

  it("gives images their tags and writes their digests, each line that is not theirs as it was", async () => {
    const { workplace, printed } = await project();
    await releaseRunners(workplace, options);
    expect(written()).toEqual(["PUT manifests/tiny1.2-low0.2.0", "PUT manifests/tiny1.2-high0.9.0"]);
    expect(printed.map((line) => line.replace(/^.*(?=tiny1.2)/, "").replace(/sha256:\w+/, "DIGEST"))).toEqual([
      "tiny1.2-low0.2.0@DIGEST: released",
      "tiny1.2-low0.2.0 has the digest",
      "tiny1.2-high0.9.0@DIGEST: released",
      "tiny1.2-high0.9.0 has the digest",
    ]);
    const text = readFileSync(join(workplace.root, "backends/runners/tiny.yaml"), "utf8");
    for (const line of catalogue.split("\n")) expect(text.split("\n")).toContain(line);
  });

  it("writes digests into the file of the project that a link leads to", async () => {
    const { workplace } = await project();
    const [file, link] = ["tiny.yaml", "backends/runners/tiny.yaml"].map((name) => join(workplace.root, name));
    renameSync(link ?? "", file ?? "");
    symlinkSync("../../tiny.yaml", link ?? "");
    await releaseRunners(workplace, options);
    expect(lstatSync(link ?? "").isSymbolicLink()).toBe(true);
    expect(readFileSync(file ?? "", "utf8")).toContain("sha256:");
  });

  it("moves no tag where the catalogue's file cannot be changed", async () => {
    const text = `${catalogue.replace("images:\n", "images: &all\n")}  - { version: "1.1", images: *all }\n`;
    const { workplace } = await project(text);
    const error = await rejectionOf(releaseRunners(workplace, options));
    expect(error.message).toContain("backends/runners/tiny.yaml:10:13: what is to be changed is in &all");
    expect([error.code, written()]).toEqual(["file-invalid", []]);
  });

  it("tells that an image was changed in place, also when only the file was left to be written", async () => {
    const { workplace } = await project();
    await releaseRunners(workplace, options);
    const file = join(workplace.root, "backends/runners/tiny.yaml");
    const before = readFileSync(file, "utf8");
    build("tiny1.2-low0.2.0", "second");
    await releaseRunners(workplace, { ...options, replace: true });
    const after = readFileSync(file, "utf8");
    expect(after.match(/polished: true/g)).toHaveLength(1);
    writeFileSync(file, before);
    await releaseRunners(workplace, options);
    expect(readFileSync(file, "utf8")).toBe(after);
  });
});
