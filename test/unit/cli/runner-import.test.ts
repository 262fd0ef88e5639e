import { lstatSync, readFileSync } from "node:fs";
import { symlink } from "node:fs/promises";
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
    expect(noted).toEqual(["nothing is written; --write writes this: 15 added, 7 changed"]);
    expect(readRunners(workplace.root, repository)).toEqual(readRunners(repository, repository));
  });

  it("writes into the project's own files, which then have all of it", async () => {
    const { workplace, noted } = await testProject();
    await importRunners(workplace, release, { write: true });
    expect(noted).toEqual([
      ...["cann", "cuda", "dtk"].map((type) => `backends/runners/${type}.yaml is written`),
      "15 added, 7 changed; for 1 new runtime it is still to be told which devices there is code for",
    ]);
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

  it("changes no line but those of what is added and changed", async () => {
    const own = readFileSync(join(repository, "backends/runners/cuda.yaml"), "utf8")
      .replaceAll("\n", "\r\n")
      .replace("name: NVIDIA CUDA", `name:   'NVIDIA CUDA' # ${"long ".repeat(40)}`);
    const { workplace } = await testProject({ "backends/runners/cuda.yaml": own });
    await importRunners(workplace, release, { write: true });
    const text = readFileSync(join(workplace.root, "backends/runners/cuda.yaml"), "utf8");
    const [before, after] = [own.split("\r\n"), text.split("\r\n")];
    expect(text.replaceAll("\r\n", "")).not.toContain("\n");
    const gone = before.filter((line) => !after.includes(line));
    expect(gone).toHaveLength(7);
    for (const line of gone) expect(line).toMatch(/version: "0\.\d+\.\d+", runtimeVersion: "12\.6\.3"/);
  });

  it("writes into the file of the project that a link leads to", async () => {
    const own = readFileSync(join(repository, "backends/runners/cuda.yaml"), "utf8");
    const { workplace } = await testProject({ "shared/cuda.yaml": own, "backends/runners/README.md": "" });
    const [file, link] = ["shared/cuda.yaml", "backends/runners/cuda.yaml"].map((name) => join(workplace.root, name));
    await symlink("../../shared/cuda.yaml", link ?? "");
    await importRunners(workplace, release, { write: true });
    expect(lstatSync(link ?? "").isSymbolicLink()).toBe(true);
    expect(readFileSync(file ?? "", "utf8")).toContain('"13.0"');
  });

  it("leaves images of the same names from another place as they are, and says so", async () => {
    const [, first] = /"docker_image": "gpustack\/runner:(cuda[^"]*)"/.exec(readFileSync(release, "utf8")) ?? [];
    const own = readFileSync(join(repository, "backends/runners/cuda.yaml"), "utf8").replace(
      "schemaVersion: 1\n",
      "schemaVersion: 1\nrepository: registry.example.net/team/runner\n",
    );
    const { workplace, printed, noted } = await testProject({ "backends/runners/cuda.yaml": own });
    await importRunners(workplace, release, { write: true });
    const images = readRunners(workplace.root, repository).images.filter(({ tag }) => tag.startsWith("cuda12.6-"));
    expect(
      images.filter(
        ({ tag, repository: from }) => tag === "cuda12.6-vllm0.15.1" && from === "registry.example.net/team/runner",
      ),
    ).toMatchObject([{ deprecated: false }]);
    expect(printed.join("\n")).toContain(
      "left out, because there is an image of this name from registry.example.net/team/runner, which stays: gpustack/runner:cuda12.6-vllm0.15.1",
    );
    expect(noted.at(-1)).toMatch(/added, 0 changed; \d+ of the release are left out, as told above/);
    const added = readRunners(workplace.root, repository).images.find(({ tag }) => tag === first);
    expect(added).toMatchObject({ repository: "gpustack/runner" });
  });

  it("says nothing that a terminal or a person would take for its own words", async () => {
    const [entry] = JSON.parse(readFileSync(release, "utf8")) as [Record<string, unknown>];
    const named = (changes: Record<string, unknown>) => ({ ...entry, ...changes });
    const entries = [
      named({ backend: "x; rm -rf ~", docker_image: "a\nthe catalogue has all of it already" }),
      named({ service: "\u001b[2Jengine" }),
      named({ platform: "linux/\u202earm" }),
      named({ backend: "constructor" }),
      named({ service: "constructor" }),
    ];
    const { workplace, printed, noted } = await testProject({ "release.json": JSON.stringify(entries) });
    await importRunners(workplace, join(workplace.root, "release.json"), { write: true });
    expect(printed.filter((line) => line.startsWith("left out"))).toEqual([
      "left out, because there is no accelerator type x; rm -rf ~: a?the catalogue has all of it already",
      expect.stringMatching(/^left out, because there is no service \?\[2Jengine: /),
      expect.stringMatching(/^left out, because there is no platform linux\/\?arm: /),
      expect.stringMatching(/^left out, because there is no accelerator type constructor; to do: berth runner ingest/),
      expect.stringMatching(/^left out, because there is no service constructor; to do: berth runner ingest/),
    ]);
    expect(noted).toEqual(["nothing is there to be added or changed; 5 of the release are left out, as told above"]);
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
