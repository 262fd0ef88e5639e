import { describe, expect, it } from "vitest";

import { lintRunners } from "../../../src/cli/runner-lint.js";
import { openBuilds, printBuilds, type RunnerPlanOptions } from "../../../src/cli/runner-plan.js";
import { packContext, readBuildContent, readContext, readRecipes } from "../../../src/lock/build-recipes.js";
import { chmod, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readRunners } from "../../../src/lock/runner-files.js";
import { packageRoot } from "../../../src/cli/workplace.js";
import { dockerfileSkeleton, matrixSkeleton } from "../../../src/catalog/dockerfile-skeleton.js";
import { testProject } from "../support/workplaces.js";
import { thrownBy } from "../support/thrown.js";

const subject = {
  ...{ acceleratorType: "corex", name: "Iluvatar CoreX", runtimeVersion: "4.3.0" },
  ...{ services: { vllm: "vLLM" }, versions: { vllm: "0.9.0" } },
};
const files = {
  "backends/runners/corex/matrix.yaml": matrixSkeleton(subject),
  "backends/runners/corex/Dockerfile": dockerfileSkeleton(subject),
};
const folder = "backends/runners/corex";

async function plan(options: Partial<RunnerPlanOptions>, more: Record<string, string> = {}) {
  const { workplace, printed, noted } = await testProject({ ...files, ...more });
  printBuilds(workplace, { namespace: "gpustack", format: "table", ...options });
  return { text: printed.join("\n"), noted };
}

describe("berth runner plan", () => {
  it("shows what is built, of the project and of Berth", async () => {
    const { text } = await plan({ platform: "linux/amd64" });
    expect(text).toContain(`gpustack/runner:corex4.3-vllm0.9.0-linux-amd64   `);
    expect(text).toMatch(/cuda12\.9-sglang0\.5\.9-linux-amd64 .* cuda12\.9-vllm0\.15\.1-linux-amd64 /);
    expect(text).toContain(" gpustack/runner:corex4.3-vllm0.9.0-dev ");
  });

  it("shows the same for programs, with the tags of a release", async () => {
    const { text } = await plan({ accelerator: "corex", format: "json", release: true, namespace: "team" });
    const read = JSON.parse(text) as { jobs: { image: string; inputs: string }[]; manifests: { image: string }[] };
    expect(read.jobs.map(({ image }) => image)).toEqual(
      ["amd64", "arm64"].map((one) => `team/runner:corex4.3-vllm0.9.0-linux-${one}`),
    );
    expect(read.jobs.every(({ inputs }) => /^[0-9a-f]{64}$/.test(inputs))).toBe(true);
    expect(read.manifests.map(({ image }) => image)).toEqual(["team/runner:corex4.3-vllm0.9.0"]);
  });

  it("has a project's folder in the place of Berth's", async () => {
    const matrix = 'schemaVersion: 1\nrules:\n  - { services: [vllm], args: { VLLM_VERSION: "9.9.9" } }\n';
    const own = { ...subject, acceleratorType: "cuda" };
    const { text } = await plan(
      { accelerator: "cuda" },
      { "backends/runners/cuda/matrix.yaml": matrix, "backends/runners/cuda/Dockerfile": dockerfileSkeleton(own) },
    );
    expect(text).toContain("cuda4.3-vllm9.9.9-linux-amd64");
    expect(text).not.toContain("cuda12.9");
  });

  it("has of Berth's own what the catalogue tells of the same images", async () => {
    const { workplace } = await testProject();
    const { whole, catalogue } = openBuilds(workplace, { namespace: "gpustack" });
    expect(whole.manifests.map(({ tag }) => tag)).toEqual([
      "cuda12.9-vllm0.15.1",
      "cuda12.9-sglang0.5.9",
      "rocm7.1-vllm0.17.1",
    ]);
    for (const { tag, platformTags } of whole.manifests) {
      const jobs = whole.jobs.filter(({ platformTag }) => platformTags.includes(platformTag));
      const image = catalogue.images.find((one) => one.tag === tag);
      expect(jobs.map(({ platform }) => platform)).toEqual(image?.platforms);
      expect(jobs.every(({ runtimeVersion }) => runtimeVersion === image?.runtimeVersion)).toBe(true);
    }
  });

  it("says when nothing is built, and gives programs an empty list", async () => {
    expect((await plan({ tag: "corex9" })).noted).toEqual(["nothing is built"]);
    expect((await plan({ accelerator: "maca" })).noted).toEqual([
      "nothing is built, because there is no backends/runners/maca/matrix.yaml",
    ]);
    expect(JSON.parse((await plan({ tag: "corex9", format: "json" })).text)).toEqual({ jobs: [], manifests: [] });
  });

  it.each<[Partial<RunnerPlanOptions>, string]>([
    [{ arg: ["vllm=1"] }, "expected: NAME=VALUE"],
    [{ arg: ["A=1", "A=2"] }, "it is there twice"],
    [{ arg: ["NOBODY=1"] }, "no Dockerfile of the plan takes the argument"],
    [{ service: "vlm" }, "did you mean vllm?"],
    [{ registry: "http://x" }, "images cannot be had from there"],
  ])("refuses %j", async (options, message) => {
    const { workplace } = await testProject(files);
    const print = () => printBuilds(workplace, { namespace: "gpustack", format: "table", ...options });
    expect(String(thrownBy(print))).toContain(message);
  });
});

describe("berth runner lint", () => {
  it("finds nothing in Berth's own Dockerfiles and in a skeleton", async () => {
    const { workplace, printed, noted } = await testProject(files);
    expect(lintRunners(workplace, [], { format: "table" })).toBe(0);
    expect(printed).toEqual([]);
    expect(noted).toEqual(["4 Dockerfiles, no findings"]);
  });

  it("tells places and rules, and ends with 1", async () => {
    const broken = files["backends/runners/corex/Dockerfile"].replace("ARG TARGETOS\n", "");
    const { workplace, printed } = await testProject({ ...files, [`${folder}/Dockerfile`]: broken });
    expect(lintRunners(workplace, [], { format: "table" })).toBe(1);
    expect(printed).toEqual([`${folder}/Dockerfile:25:1: stage-platform: the stage runtime does not declare TARGETOS`]);
    printed.length = 0;
    lintRunners(workplace, [join(workplace.root, folder, "Dockerfile")], { format: "json" });
    expect(JSON.parse(printed.join("\n"))).toEqual([
      {
        ...{ file: `${folder}/Dockerfile`, line: 25, column: 1, rule: "stage-platform" },
        text: "the stage runtime does not declare TARGETOS",
      },
    ]);
  });

  it("asks for a stage of each service that the matrix builds with the file", async () => {
    const matrix = "schemaVersion: 1\nrules:\n  - services: [sglang]\n    dockerfile: Dockerfile\n";
    const musa = { ...subject, acceleratorType: "musa" };
    const { workplace, printed } = await testProject({
      "backends/runners/musa/matrix.yaml": matrix,
      "backends/runners/musa/Dockerfile": dockerfileSkeleton(musa),
    });
    lintRunners(workplace, [join(workplace.root, "backends/runners/musa/Dockerfile")], { format: "table" });
    expect(printed.filter((line) => line.includes("stage-target"))).toEqual([
      "backends/runners/musa/Dockerfile:25:1: stage-target: there is no stage sglang",
    ]);
  });

  it("refuses a file in a folder of no accelerator type, and one that is not there", async () => {
    const { workplace } = await testProject({ "somewhere/Dockerfile": "FROM scratch\n" });
    const lint = (file: string) =>
      thrownBy(() => lintRunners(workplace, [join(workplace.root, file)], { format: "table" }));
    expect(String(lint("somewhere/Dockerfile"))).toContain("has not the name of an accelerator type");
    expect(lint("cuda/Dockerfile")).toMatchObject({ code: "file-not-found" });
    expect(lint("somewhere/Dockerfile/x")).toMatchObject({ code: "file-not-found" });
    expect(lint("somewhere")).toMatchObject({ code: "file-invalid" });
  });

  it("refuses a folder, a file that is no Dockerfile for its size, and one of a type that every object has", async () => {
    const { workplace } = await testProject({ ...files, "constructor/Dockerfile": "FROM scratch\n" });
    const lint = (file: string) =>
      thrownBy(() => lintRunners(workplace, [join(workplace.root, file)], { format: "table" }));
    expect(lint(folder).message).toBe(`${folder}: it is no plain file\n  got: a folder`);
    expect(lint("constructor/Dockerfile").message).toContain("has not the name of an accelerator type");
    await truncate(join(workplace.root, folder, "Dockerfile"), 5_000_000_000);
    expect(lint(`${folder}/Dockerfile`)).toMatchObject({ code: "file-too-large" });
  });

  it.each([
    ["backends/runners", "backends/runners: a file is where a folder is expected"],
    ["backends/runners/cuda.yaml/x", "backends/runners/cuda.yaml: it is no plain file\n  got: a folder"],
  ])("refuses what is no folder and what is no file: %s", async (file, problem) => {
    const { workplace } = await testProject({ [file]: "" });
    for (const act of [
      () => lintRunners(workplace, [], { format: "table" }),
      () => readRunners(workplace.root, packageRoot),
    ])
      expect(thrownBy(act)).toMatchObject({ code: "file-invalid", message: problem });
  });
});

describe("the files of a build", () => {
  it("are those beside the Dockerfile, without the matrix and other Dockerfiles", async () => {
    const { workplace } = await testProject({
      ...files,
      [`${folder}/a/b.txt`]: "b",
      [`${folder}/Dockerfile.sglang`]: "",
    });
    const found = readContext(workplace.root, join(workplace.root, folder));
    expect(found.map(({ name }) => name)).toEqual(["a/b.txt"]);
  });

  it("count by name, content and whether they can be run, and by nothing else", async () => {
    const { workplace } = await testProject({ ...files, [`${folder}/tool`]: "x" });
    const tool = join(workplace.root, folder, "tool");
    const digest = () =>
      readBuildContent(workplace.root, readRecipes(workplace.root, packageRoot, "corex")).contexts.corex;
    const pack = async () =>
      (await packContext(workplace.root, join(workplace.root, folder), "Dockerfile")).toString("hex");
    const [first, archive] = [digest(), await pack()];
    await writeFile(tool, "x");
    expect([digest(), await pack()]).toEqual([first, archive]);
    await chmod(tool, 0o755);
    const executable = digest();
    expect(executable).not.toBe(first);
    await writeFile(tool, "y");
    expect(digest()).not.toBe(executable);
  });

  it("are not larger than an engine is sent in one piece", async () => {
    const { workplace } = await testProject({ ...files, [`${folder}/model.bin`]: "" });
    await truncate(join(workplace.root, folder, "model.bin"), 5_000_000_000);
    const read = () => readBuildContent(workplace.root, readRecipes(workplace.root, packageRoot, "corex"));
    const error = thrownBy(read);
    expect(error.code).toBe("file-too-large");
    expect(error.message).toContain(`${folder}/model.bin: with it, what builds are given of the folder is too large`);
    expect(error.message).toContain(`expected: at most 1000000000 bytes in ${folder}`);
  });

  it("are no links", async () => {
    const { workplace } = await testProject(files);
    await symlink("/etc/passwd", join(workplace.root, folder, "link"));
    const read = () => readContext(workplace.root, join(workplace.root, folder));
    expect(String(thrownBy(read))).toContain(`${folder}/link: builds take files alone`);
  });
});
