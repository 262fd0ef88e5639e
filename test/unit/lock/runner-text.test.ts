import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { assembleRunners, type RunnerCatalogue } from "../../../src/catalog/runner-catalogue.js";
import { changesAnything, mergeUpstream } from "../../../src/catalog/runner-upstream.js";
import { mergedRunnerText } from "../../../src/lock/runner-text.js";
import { parseYaml } from "../../../src/schema/document.js";
import { runnerFile } from "../../../src/schema/runner.js";
import { upstreamRelease, type UpstreamEntry } from "../../../src/schema/runner-upstream.js";
import { repository } from "../support/repository.js";
import { thrownBy } from "../support/thrown.js";

const folder = join(repository, "backends", "runners");
const textOf = (type: string) => readFileSync(join(folder, `${type}.yaml`), "utf8");
const release = upstreamRelease.parse(
  JSON.parse(readFileSync(join(repository, "test/fixtures/runner-upstream/gpustack-runner-0.1.27.post4.json"), "utf8")),
);

function catalogueOf(text: string): RunnerCatalogue {
  return assembleRunners([{ file: parseYaml(text, "x.yaml", runnerFile), where: "x.yaml" }]);
}

function mergeInto(text: string, entries: readonly UpstreamEntry[]): string {
  const catalogue = catalogueOf(text);
  const { services } = catalogue;
  return mergedRunnerText(text, "x.yaml", { ...mergeUpstream(catalogue, entries), services });
}

const linesOf = (before: string, after: string) => {
  const old = before.split("\n");
  return after.split("\n").filter((line) => !old.includes(line));
};

/** The lines that differ, each with its number. */
function changesOf(before: string, after: string): string[] {
  const [old, now] = [before.split("\n"), after.split("\n")];
  return [
    ...old.flatMap((line, at) => (now.includes(line) ? [] : [`- ${at + 1}: ${line}`])),
    ...now.flatMap((line, at) => (old.includes(line) ? [] : [`+ ${at + 1}: ${line}`])),
  ];
}

describe("a file of runner images with a release merged into it", () => {
  const small = `# About all of it.
schemaVersion: 1
acceleratorType: cuda
name: NVIDIA CUDA
vendor: nvidia
device: NVIDIA GPU
hostRuntime: { comparable: true, source: nvidia-smi }
services:
  vllm: vLLM
  voxbox: VoxBox # for speech
versions:
  # What this release is for.
  - version: "12.6"
    images:
      vllm:
        # The newest.
        - { version: "0.15.1", runtimeVersion: "12.6.3", platforms: [linux/amd64] } # tested
        - version: "0.14.1" # tried
          runtimeVersion: "12.6.3"
          platforms: [linux/amd64, linux/arm64]
          digest: sha256:${"1".repeat(64)} # looked up
`;
  const entry = (version: string, changes: Partial<UpstreamEntry> = {}): UpstreamEntry => ({
    ...{ backend: "cuda", backend_version: "12.6", original_backend_version: "12.6.3", backend_variant: "" },
    ...{ service: "vllm", service_version: version, platform: "linux/amd64", deprecated: false },
    docker_image: `gpustack/runner:cuda12.6-vllm${version}`,
    ...changes,
  });

  it("has what is new where its version belongs, and all that was there", () => {
    const after = mergeInto(small, [
      entry("0.15.1"),
      entry("0.14.2"),
      entry("0.14.2", { platform: "linux/arm64" }),
      entry("0.18.0", {
        ...{ backend_version: "13.0", original_backend_version: "13.0.1" },
        docker_image: "gpustack/runner:cuda13.0-vllm0.18.0",
      }),
    ]);
    expect(linesOf(small, after)).toEqual([
      '  - version: "13.0"',
      '        - { version: "0.18.0", runtimeVersion: "13.0.1", platforms: [linux/amd64], listed: false }',
      '        - { version: "0.14.2", runtimeVersion: "12.6.3", platforms: [linux/amd64, linux/arm64], listed: false }',
    ]);
    const { images } = catalogueOf(after);
    expect(images.map(({ tag }) => tag)).toEqual([
      ...["cuda13.0-vllm0.18.0", "cuda12.6-vllm0.15.1", "cuda12.6-vllm0.14.2", "cuda12.6-vllm0.14.1"],
    ]);
    for (const comment of [
      "# About all of it.",
      "# What this release is for.",
      "# The newest.",
      "# tested",
      "# tried",
      "# looked up",
    ])
      expect(after).toContain(comment);
  });

  it("has what is deprecated now, and an image that is another one without the old one's digest", () => {
    const after = mergeInto(small, [
      entry("0.15.1", { deprecated: true }),
      entry("0.14.1", { original_backend_version: "12.6.4" }),
    ]);
    expect(linesOf(small, after)).toEqual([
      '        - { version: "0.15.1", runtimeVersion: "12.6.3", platforms: [linux/amd64], deprecated: true } # tested',
      '          runtimeVersion: "12.6.4"',
      "          platforms: [linux/amd64]",
      "          # looked up",
    ]);
    expect(catalogueOf(after).images.map(({ digest }) => digest)).toEqual([undefined, undefined]);
  });

  it("has every other line as it was, also where lines end as in Windows, are long, and are not as Berth writes them", () => {
    const odd = small
      .replace(
        "hostRuntime: { comparable: true, source: nvidia-smi }",
        `hostRuntime: {comparable: true,   source: "${"long ".repeat(40)}"}`,
      )
      .replace("services:\n  vllm: vLLM", "services:\n    vllm:   'vLLM'")
      .replace("  voxbox:", "    voxbox:");
    const entries = [entry("0.14.2"), entry("0.15.1", { deprecated: true })];
    const after = mergeInto(odd, entries);
    expect(changesOf(odd, after)).toEqual([
      '- 17:         - { version: "0.15.1", runtimeVersion: "12.6.3", platforms: [linux/amd64] } # tested',
      '+ 17:         - { version: "0.15.1", runtimeVersion: "12.6.3", platforms: [linux/amd64], deprecated: true } # tested',
      '+ 18:         - { version: "0.14.2", runtimeVersion: "12.6.3", platforms: [linux/amd64], listed: false }',
    ]);
    expect(mergeInto(odd.replaceAll("\n", "\r\n"), entries)).toBe(after.replaceAll("\n", "\r\n"));
  });

  it("is refused with the place where what changes is there for other images too", () => {
    const text = small
      .replace("platforms: [linux/amd64] } # tested", "platforms: &one [linux/amd64] } # tested")
      .replace("platforms: [linux/amd64, linux/arm64]", "platforms: *one");
    for (const [version, place] of [
      ["0.15.1", "x.yaml:17:69: what is to be changed is in &one"],
      ["0.14.1", "x.yaml:20:22: *one stands in the place of what is to be changed"],
    ] as const) {
      const error = thrownBy(() => mergeInto(text, [entry(version, { platform: "linux/arm64" })]));
      expect([error.code, error.message]).toEqual(["file-invalid", expect.stringContaining(place)]);
    }
    expect(mergeInto(text, [entry("0.18.0")])).toContain("platforms: *one");
  });

  it("has nothing deprecated back", () => {
    const deprecated = mergeInto(small, [entry("0.15.1", { deprecated: true })]);
    expect(mergeInto(deprecated, [entry("0.15.1")])).toBe(deprecated);
  });

  it.each(readdirSync(folder).map((name) => name.replace(".yaml", "")))(
    "has every other line as it was: %s",
    (type) => {
      const text = textOf(type);
      const [variant] = Object.keys(catalogueOf(text).files[type]?.variants ?? {});
      const tag = [`${type}99.0`, variant, "vllm9.9"].filter((part) => part !== undefined).join("-");
      const changes = { backend: type, backend_version: "99.0", backend_variant: variant ?? "" };
      const file = parseYaml(text, type, runnerFile);
      const services = { ...file.services, vllm: "vLLM" };
      const catalogue = { ...catalogueOf(text), services };
      const merge = mergeUpstream(catalogue, [entry("9.9", { ...changes, docker_image: `gpustack/runner:${tag}` })]);
      const lines = mergedRunnerText(text, "x.yaml", { ...merge, services }).split("\n");
      expect(text.split("\n").filter((line) => !lines.includes(line))).toEqual([]);
      expect(lines).toContain('  - version: "99.0"');
    },
  );

  const types = fc.constantFrom("cann", "cuda", "dtk", "musa");
  const entries = fc
    .subarray(release)
    .chain((some) => fc.tuple(...some.map((each) => fc.record({ each: fc.constant(each), deprecated: fc.boolean() }))))
    .map((some) => some.map(({ each, deprecated }) => ({ ...each, deprecated })));

  it("loses no image, no deprecation and no comment, and is the same when it is merged again", () => {
    fc.assert(
      fc.property(types, entries, fc.infiniteStream(fc.nat(5)), (type, some, dice) => {
        const text = withComments(textOf(type), dice);
        const before = catalogueOf(text);
        const after = mergeInto(text, some);
        const found = catalogueOf(after);
        const tags = (images: RunnerCatalogue["images"]) => images.map(({ tag }) => tag);
        expect(tags(found.images)).toEqual(expect.arrayContaining(tags(before.images)));
        const deprecated = ({ images }: RunnerCatalogue) => tags(images.filter((image) => image.deprecated));
        expect(deprecated(found)).toEqual(expect.arrayContaining(deprecated(before)));
        expect(commentsOf(after)).toEqual(commentsOf(text));
        expect(changesAnything(mergeUpstream(found, some))).toBe(false);
        expect(mergeInto(after, some)).toBe(after);
      }),
      { numRuns: 60 },
    );
  });
});

/** Numbered comments behind lines and above them. */
function withComments(text: string, dice: fc.Stream<number>): string {
  let count = 0;
  const lines = text.split("\n").flatMap((line) => {
    const [side] = dice.take(1);
    if (line.trim() === "" || line.startsWith("#")) return [line];
    const indent = /^ */.exec(line)?.[0] ?? "";
    if (side === 0) return [`${line} # c${(count += 1)}.`];
    return side === 1 ? [`${indent}# c${(count += 1)}.`, line] : [line];
  });
  return lines.join("\n");
}

function commentsOf(text: string): string[] {
  return (text.match(/# c\d+\./g) ?? []).sort();
}

describe("mergeUpstream", () => {
  const files = ["cann", "corex", "cuda", "dtk", "musa"].map((type) => ({
    file: parseYaml(textOf(type), type, runnerFile),
    where: type,
  }));
  const catalogue = assembleRunners(files);

  it("tells what a release of GPUStack's adds, deprecates and does not have", () => {
    const { added, changed, missing, leftOut, keptDeprecated } = mergeUpstream(catalogue, release);
    expect(added.filter(({ acceleratorType }) => acceleratorType === "dtk").map(({ tag }) => tag)).toEqual([
      "dtk26.04-sglang0.5.10",
      "dtk26.04-vllm0.18.1",
    ]);
    expect(changed.map(({ image, deprecated }) => [image.tag, deprecated])).toEqual(
      ["vllm0.15.1", "vllm0.14.1", "vllm0.13.0", "vllm0.12.0", "vllm0.11.2", "vllm0.10.2", "voxbox0.0.21"].map(
        (end) => [`cuda12.6-${end}`, true],
      ),
    );
    expect(missing).toContain("cuda12.8-vllm0.17.1");
    expect([leftOut, keptDeprecated]).toEqual([[], []]);
  });

  it("leaves out what the catalogue has no words for, and says what to do", () => {
    const [entry] = release as [UpstreamEntry];
    const named = (changes: Partial<UpstreamEntry>) => ({ ...entry, ...changes });
    const { added, leftOut } = mergeUpstream(catalogue, [
      named({ backend: "neuware", docker_image: "gpustack/runner:neuware5.0-vllm0.1" }),
      named({ service: "engine" }),
      named({ backend_variant: "950" }),
      named({ platform: "linux/riscv64" }),
      named({ docker_image: "gpustack/other:x" }),
    ]);
    expect(added).toEqual([]);
    expect(leftOut.map(({ reason, hint }) => `${reason}: ${hint ?? ""}`)).toEqual([
      "there is no accelerator type neuware: berth runner ingest backend neuware",
      "there is no service engine: berth runner ingest service engine --backend cann",
      "Ascend CANN has no variant 950: add it to `variants` in backends/runners/cann.yaml, with the SoCs that it runs on",
      "there is no platform linux/riscv64: ",
      "their names are not what they are said to be: ",
    ]);
  });
});
