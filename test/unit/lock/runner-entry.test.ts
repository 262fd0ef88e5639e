import fc from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

import { writeRunnerEntry, type RunnerEntry } from "../../../src/lock/runner-entry.js";
import { assembleRunners } from "../../../src/catalog/runner-catalogue.js";
import { parseYaml } from "../../../src/schema/document.js";
import { runnerFile } from "../../../src/schema/runner.js";
import { repository } from "../../support/toolchain.js";

const digest = `sha256:${"ab".repeat(32)}`;
const head = `# What this file is.
schemaVersion: 1
acceleratorType: tiny
name: Tiny
vendor: nvidia
device: Tiny device
hostRuntime: { comparable: false, source: nothing }
services: { fake: Fake, other: Other }
variants: { a3: { label: A3, socs: [a] } }
`;
const body = `versions:
  # The newest.
  - version: "2.1"
    variant: a3
    images:
      fake:
        # The second.
        - { version: "0.2.0", runtimeVersion: "2.1.0", platforms: [linux/amd64] } # tried
        - version: "0.1.0"
          platforms: [linux/amd64] # one
          deprecated: true
  - version: "1.9"
    variant: a3
    images:
      fake:
        - { version: "0.1.0", platforms: [linux/amd64] }
`;
const file = head + body;

const entry = (more: Partial<RunnerEntry>): RunnerEntry => ({
  ...{ acceleratorVersion: "2.1", variant: "a3", service: "fake", serviceVersion: "0.2.0", runtimeVersion: "2.1.3" },
  ...{ platforms: ["linux/amd64", "linux/arm64"], digest, polished: false },
  repository: "gpustack/runner",
  ...more,
});
const write = (more: Partial<RunnerEntry>, text = file) => writeRunnerEntry(text, "tiny.yaml", entry(more));

/** The lines that only one of two texts has. */
function changes(before: string, after: string): string[] {
  const [old, now] = [before.split("\n"), after.split("\n")];
  return [
    ...old.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
    ...now.filter((line) => !old.includes(line)).map((line) => `+ ${line}`),
  ];
}

describe("an image in a catalogue file", () => {
  it("is one that there is, though it was written down before it was built", () => {
    const before = file.replace('runtimeVersion: "2.1.0", platforms: [linux/amd64] }', "published: false }");
    const images = parseYaml(write({}, before), "tiny.yaml", runnerFile).versions[0]?.images;
    expect(images?.fake?.[0]).toMatchObject({ published: true, platforms: ["linux/amd64", "linux/arm64"], digest });
  });

  it("gets what is known of it, in lines of its own, and comments stay", () => {
    expect(changes(file, write({}))).toEqual([
      '-         - { version: "0.2.0", runtimeVersion: "2.1.0", platforms: [linux/amd64] } # tried',
      '+         - version: "0.2.0"',
      '+           runtimeVersion: "2.1.3"',
      "+           platforms: [linux/amd64, linux/arm64]",
      `+           digest: ${digest} # tried`,
    ]);
  });

  it("gets it where it has lines of its own", () => {
    expect(changes(file, write({ serviceVersion: "0.1.0", platforms: ["linux/amd64"], polished: true }))).toEqual([
      '+           runtimeVersion: "2.1.3"',
      "+           polished: true",
      `+           digest: ${digest}`,
    ]);
  });

  it("tells where it is when that is not where the file's other images are, and is published then", () => {
    const planned = file.replace(
      '        - version: "0.1.0"\n',
      '        - version: "0.1.0"\n          published: false\n',
    );
    const mine = {
      serviceVersion: "0.1.0",
      platforms: ["linux/amd64"],
      repository: "registry.example.net:5000/team/runner",
    };
    expect(changes(planned, write(mine, planned))).toEqual([
      "-           published: false",
      "+           published: true",
      '+           runtimeVersion: "2.1.3"',
      "+           repository: registry.example.net:5000/team/runner",
      `+           digest: ${digest}`,
    ]);
    const { images } = assembleRunners([{ file: parseYaml(write(mine, planned), "tiny.yaml", runnerFile), where: "" }]);
    expect(images.map(({ serviceVersion, repository: from }) => [serviceVersion, from])).toContainEqual([
      "0.1.0",
      mine.repository,
    ]);
  });

  it("is the same when it is written twice", () => {
    expect(write({}, write({}))).toBe(write({}));
  });

  it("stands before the older ones, above their comments", () => {
    const text = write({ serviceVersion: "0.2.1" });
    expect(text).toContain(`      fake:
        - version: "0.2.1"
          runtimeVersion: "2.1.3"
          platforms: [linux/amd64, linux/arm64]
          digest: ${digest}
        # The second.
        - { version: "0.2.0"`);
    expect(changes(file, text).filter((line) => line.startsWith("-"))).toEqual([]);
  });

  it("stands behind the newer ones", () => {
    expect(write({ serviceVersion: "0.0.9" })).toContain(`          deprecated: true
        - version: "0.0.9"`);
  });

  it("brings its service and its runtime's version where they are missing", () => {
    expect(write({ service: "other" })).toContain(`          deprecated: true
      other:
        - version: "0.2.0"
          runtimeVersion: "2.1.3"`);
    expect(write({ acceleratorVersion: "2.0" })).toContain(`          deprecated: true
  - version: "2.0"
    variant: a3
    images:
      fake:
        - version: "0.2.0"`);
    expect(write({ acceleratorVersion: "2.2" })).toContain(`versions:
  - version: "2.2"
    variant: a3
    images:
      fake:
        - version: "0.2.0"
          runtimeVersion: "2.1.3"
          platforms: [linux/amd64, linux/arm64]
          digest: ${digest}
  # The newest.
  - version: "2.1"`);
  });

  it("is the first of a file without any", () => {
    const text = write({}, `${head}versions: []\n`);
    expect(text).toContain(`# What this file is.`);
    expect(text).toContain(`versions:
  - version: "2.1"
    variant: a3
    images:
      fake:
        - version: "0.2.0"`);
  });

  it("is refused for a variant that the file has not", () => {
    expect(() => write({ variant: "b1", acceleratorVersion: "3.0" })).toThrow("expected one of a3");
  });

  it("is what the file says afterwards beside all that it said before, whatever is written", () => {
    const text = readFileSync(join(repository, "backends", "runners", "cuda.yaml"), "utf8");
    const part = fc.integer({ min: 0, max: 20 });
    const some = fc.record({
      acceleratorVersion: fc.oneof(
        fc.constantFrom("12.9", "12.8", "12.6"),
        fc.tuple(part, part).map((all) => all.join(".")),
      ),
      service: fc.constantFrom("vllm", "sglang", "voxbox"),
      serviceVersion: fc.oneof(
        fc.constantFrom("0.15.1", "0.11.0", "0.5.9"),
        fc.tuple(part, part, part).map((all) => all.join(".")),
      ),
      polished: fc.boolean(),
    });
    const flat = (all: string) =>
      parseYaml(all, "cuda.yaml", runnerFile).versions.flatMap(({ version, images }) =>
        Object.entries(images).flatMap(([service, list]) =>
          list.map((one) => ({ key: `${version} ${service} ${one.version}`, one })),
        ),
      );
    fc.assert(
      fc.property(some, (more) => {
        const after = flat(writeRunnerEntry(text, "cuda.yaml", entry({ ...more, variant: undefined })));
        const key = `${more.acceleratorVersion} ${more.service} ${more.serviceVersion}`;
        const before = flat(text);
        expect(after.filter((each) => each.key !== key)).toEqual(before.filter((each) => each.key !== key));
        expect(after.find((each) => each.key === key)?.one).toMatchObject({
          ...{ digest, runtimeVersion: "2.1.3", platforms: ["linux/amd64", "linux/arm64"] },
        });
      }),
    );
  });
});
