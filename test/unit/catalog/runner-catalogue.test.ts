import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { assembleRunners } from "../../../src/catalog/runner-catalogue.js";
import { formatRunnerName, parseRunnerName } from "../../../src/catalog/runner-name.js";
import { readRunners } from "../../../src/lock/runner-files.js";
import { nativeTypes } from "../../../src/schema/accelerator-type.js";
import { runnerFile, type RunnerFile } from "../../../src/schema/runner.js";
import { repository } from "../../support/toolchain.js";
import { thrownBy } from "../support/thrown.js";

const { files, images, services, vocabulary } = readRunners(repository, repository);

const count = (fits: (image: (typeof images)[number]) => boolean) => images.filter(fits).length;

describe("the catalogue of runner images", () => {
  it("has all that the release's tables have: 8 accelerator types, 24 rows, 114 images", () => {
    expect(Object.keys(files)).toEqual(["cann", "corex", "cuda", "dtk", "hggc", "maca", "musa", "rocm"]);
    const rows = new Set(
      images
        .filter(({ listed }) => listed)
        .map(({ acceleratorType, acceleratorVersion, variant }) =>
          [acceleratorType, acceleratorVersion, variant].join(),
        ),
    );
    expect(rows.size).toBe(24);
    expect(count(({ listed }) => listed)).toBe(114);
    const perService = Object.keys(services).map((service) => [
      service,
      count((image) => image.listed && image.service === service),
    ]);
    expect(Object.fromEntries(perService)).toEqual({ mindie: 9, sglang: 34, vllm: 69, voxbox: 2 });
    const perType = Object.keys(files).map((type) => [
      type,
      count((image) => image.listed && image.acceleratorType === type),
    ]);
    expect(Object.fromEntries(perType)).toEqual({
      ...{ cann: 42, corex: 1, cuda: 32, dtk: 3, hggc: 4, maca: 8, musa: 2, rocm: 22 },
    });
  });

  it("has what the release has beside its tables, and knows what is in the tables alone", () => {
    expect(count(({ listed }) => !listed)).toBe(24);
    expect(count(({ published }) => published)).toBe(137);
    expect(images.filter(({ published }) => !published).map(({ tag }) => tag)).toEqual(["cann8.2-310p-vllm0.9.1"]);
    expect(count(({ listed, deprecated }) => listed && deprecated)).toBe(4);
    expect(count(({ rc }) => rc)).toBe(15);
  });

  it("has names that are read as what they were made of", () => {
    expect(new Set(images.map(({ tag }) => tag)).size).toBe(images.length);
    for (const image of images) {
      const { acceleratorType, acceleratorVersion, variant, service, serviceVersion } = image;
      const parts = { acceleratorType, acceleratorVersion, service, serviceVersion };
      const name = {
        prefix: "gpustack",
        repository: "runner",
        ...parts,
        ...(variant === undefined ? {} : { variant }),
      };
      const text = formatRunnerName(name);
      expect(text).toBe(`gpustack/runner:${image.tag}`);
      expect(parseRunnerName(text, vocabulary)).toEqual({ kind: "runner", name, hasUnknownVariant: false });
    }
  });

  it("narrows the LLVM targets of a runtime where an image does", () => {
    const targets = (wanted: string) => images.find(({ tag }) => tag === wanted)?.llvmTargets;
    expect(targets("rocm7.0-sglang0.5.9")).toEqual(["gfx950"]);
    expect(targets("rocm7.0-vllm0.11.2")).not.toContain("gfx1151");
    expect(targets("rocm7.0-vllm0.12.0")).toContain("gfx1151");
  });

  it("has accelerator types whose devices Berth finds", () => {
    expect(nativeTypes).toEqual(expect.arrayContaining(Object.keys(files)));
  });

  it("refuses two files of one accelerator type, and a service with two names", () => {
    const [cuda, rocm] = [files.cuda, files.rocm] as [RunnerFile, RunnerFile];
    const join2 = (second: RunnerFile) => () =>
      assembleRunners([
        { file: cuda, where: "a.yaml" },
        { file: second, where: "b.yaml" },
      ]);
    expect(thrownBy(join2(cuda)).message).toContain("b.yaml: another file has the images of NVIDIA CUDA too");
    expect(thrownBy(join2({ ...rocm, services: { vllm: "Other" } })).message).toContain(
      "vllm is Other here, and vLLM elsewhere",
    );
  });
});

describe("a file of runner images", () => {
  const image = { version: "0.1.0", platforms: ["linux/amd64"] };
  const file = (versions: unknown[], more: object = {}) => ({
    ...{ schemaVersion: 1, acceleratorType: "new", name: "New", vendor: "nvidia", device: "GPU" },
    ...{ hostRuntime: { comparable: false, source: "nothing" }, services: { vllm: "vLLM" } },
    ...{ versions, ...more },
  });
  const variants = { a: { label: "A", socs: ["A1"] } };

  it.each([
    ["a version twice", file([1, 2].map(() => ({ version: "1.0", images: { vllm: [image] } }))), "1.0 is there twice"],
    ["an image twice", file([{ version: "1.0", images: { vllm: [image, image] } }]), "this version is there twice"],
    [
      "a service that it does not name",
      file([{ version: "1.0", images: { sglang: [image] } }]),
      "not among the services",
    ],
    ["a variant that it does not name", file([{ version: "1.0", variant: "a", images: {} }]), "the file has none"],
    ["no variant where it has some", file([{ version: "1.0", images: {} }], { variants }), "expected one of a"],
    ["a whole version", file([{ version: "1.0.1", images: {} }]), "a major and a minor version"],
    ["an image without platforms", file([{ version: "1.0", images: { vllm: [{ version: "1" }] } }]), "has platforms"],
    ["a service with digits", file([], { services: { vllm2: "vLLM" } }), "expected small letters alone"],
  ])("with %s is refused", (_what, text, message) => {
    const { error } = runnerFile.safeParse(text);
    expect(JSON.stringify(error?.issues)).toContain(message);
  });

  it("is one for each accelerator type, by its name", () => {
    for (const type of Object.keys(files)) {
      const text = readFileSync(join(repository, "backends", "runners", `${type}.yaml`), "utf8");
      expect(text).toContain(`acceleratorType: ${type}\n`);
    }
  });
});
