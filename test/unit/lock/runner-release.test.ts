import fc from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

import { BerthError } from "../../../src/lib/errors.js";
import { releasedRunnerText, type ReleasedEntry } from "../../../src/lock/runner-release.js";
import { assembleRunners } from "../../../src/catalog/runner-catalogue.js";
import { parseYaml } from "../../../src/schema/document.js";
import { runnerFile } from "../../../src/schema/runner.js";
import { repository } from "../../support/toolchain.js";
import { thrownBy } from "../support/thrown.js";

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

const entry = (more: Partial<ReleasedEntry>): ReleasedEntry => ({
  ...{ acceleratorVersion: "2.1", variant: "a3", service: "fake", serviceVersion: "0.2.0", runtimeVersion: "2.1.3" },
  ...{ platforms: ["linux/amd64", "linux/arm64"], digest, polished: false },
  repository: "gpustack/runner",
  ...more,
});
const write = (more: Partial<ReleasedEntry>, text = file) => releasedRunnerText(text, "tiny.yaml", entry(more));

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

  it("was changed in place where the file has another digest of it, whoever gave the tag to another image", () => {
    const before = write({ digest: `sha256:${"cd".repeat(32)}` });
    expect(changes(before, write({}, before))).toEqual([
      `-           digest: sha256:${"cd".repeat(32)} # tried`,
      `+           digest: ${digest} # tried`,
      "+           polished: true",
    ]);
    expect(write({}, write({}, before))).toBe(write({}, before));
    // Where it was released to another place, no tag was changed.
    expect(write({ repository: "registry.example.net/team/runner" }, before)).not.toContain("polished");
  });

  it.each<[string, string, string]>([
    [
      "lists in brackets",
      'versions: [{ version: "2.1", variant: a3, images: { fake: [{ version: "0.1.0", platforms: [linux/amd64] }] } }] # all\n',
      `versions: [{ version: "2.1", variant: a3, images: { fake: [{ version: "0.2.0", runtimeVersion: "2.1.3", platforms: [linux/amd64, linux/arm64], digest: ${digest} }, { version: "0.1.0", platforms: [linux/amd64] }] } }] # all\n`,
    ],
    [
      "images in brackets",
      'versions:\n  - version: "2.1"\n    variant: a3\n    images: { other: [{ version: "0.1.0", platforms: [linux/amd64] }] }\n',
      `versions:\n  - version: "2.1"\n    variant: a3\n    images: { fake: [{ version: "0.2.0", runtimeVersion: "2.1.3", platforms: [linux/amd64, linux/arm64], digest: ${digest} }], other: [{ version: "0.1.0", platforms: [linux/amd64] }] }\n`,
    ],
    [
      "platforms in lines",
      'versions:\n- version: "2.1"\n  variant: a3\n  images:\n    fake:\n    - version: "0.2.0"\n      platforms: # both\n      - linux/arm64 # one\n',
      `versions:\n- version: "2.1"\n  variant: a3\n  images:\n    fake:\n    - version: "0.2.0"\n      platforms: # both\n      - linux/arm64 # one\n      - linux/amd64\n      runtimeVersion: "2.1.3"\n      digest: ${digest}\n`,
    ],
  ])("is written into %s", (_, text, expected) => {
    expect(write({}, head + text)).toBe(head + expected);
  });

  it("is written in lines that end as the others do", () => {
    const windows = file.replaceAll("\n", "\r\n");
    expect(write({}, windows)).toBe(write({}).replaceAll("\n", "\r\n"));
    expect(write({ acceleratorVersion: "2.2" }, windows)).toBe(
      write({ acceleratorVersion: "2.2" }).replaceAll("\n", "\r\n"),
    );
  });

  it.each<[string, (text: string) => string, Partial<ReleasedEntry>, string]>([
    [
      "another runtime has the same images",
      (text) =>
        text
          .replace("    images:\n      fake:\n        # The", "    images: &all\n      fake:\n        # The")
          .replace(/images:\n {6}fake:\n {8}- \{ version: "0.1.0".*\n/, "images: *all\n"),
      {},
      "tiny.yaml:14:13: what is to be changed is in &all, so that other parts of the file would change with it",
    ],
    [
      "its runtime has the images of another",
      (text) =>
        text
          .replace("    images:\n      fake:\n        # The", "    images: &all\n      fake:\n        # The")
          .replace(/images:\n {6}fake:\n {8}- \{ version: "0.1.0".*\n/, "images: *all\n"),
      { acceleratorVersion: "1.9", serviceVersion: "0.1.0" },
      "tiny.yaml:23:13: *all stands in the place of what is to be changed",
    ],
    [
      "its service has the name of another by an alias",
      (text) =>
        text
          .replace("services: { fake:", "services: { &name fake:")
          .replace("      fake:\n        # The", "      *name :\n        # The"),
      {},
      "tiny.yaml:15:7: *name stands in the place of what is to be changed",
    ],
    [
      "its platforms are those of others",
      (text) => text.replace("[linux/amd64] }", "&both [linux/amd64] }").replace("[linux/amd64] # one", "*both"),
      {},
      "&both",
    ],
    [
      "its version of the runtime is that of others",
      (text) => text.replace('"2.1.0"', '&runtime "2.1.0"').replace("deprecated: true", "runtimeVersion: *runtime"),
      { serviceVersion: "0.1.0" },
      "*runtime stands in the place of what is to be changed",
    ],
  ])("is refused with the place where %s", (_, change, more, problem) => {
    const error = thrownBy(() => write(more, change(file)));
    expect([error.code, error.message]).toEqual(["file-invalid", expect.stringContaining(problem)]);
    expect(error.message).toMatch(/^tiny.yaml:\d+:\d+: /);
    expect(error.message).toContain("to do: write it out in each place, without the anchor and its aliases");
  });

  it("is written where anchors are in other parts of the file", () => {
    const text = file.replace("name: Tiny", "name: &name Tiny").replace("device: Tiny device", "device: *name");
    expect(changes(text, write({}, text))).toEqual(changes(file, write({})));
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
        const after = flat(releasedRunnerText(text, "cuda.yaml", entry({ ...more, variant: undefined })));
        const key = `${more.acceleratorVersion} ${more.service} ${more.serviceVersion}`;
        const before = flat(text);
        expect(after.filter((each) => each.key !== key)).toEqual(before.filter((each) => each.key !== key));
        expect(after.find((each) => each.key === key)?.one).toMatchObject({
          ...{ digest, runtimeVersion: "2.1.3", platforms: ["linux/amd64", "linux/arm64"] },
        });
      }),
    );
  });

  const signs = fc.constantFrom(
    ...[
      "&x ",
      "*x",
      "*all",
      "? ",
      "!!str ",
      "\t",
      "|\n",
      "# spoilt\n",
      "\r\n",
      "\n",
      "  ",
      "- ",
      ": ",
      "{",
      "}",
      "[",
      "]",
    ],
    ...[",", "'", '"', "---\n", "\uFEFF", "null", "{}", "[]", ""],
  );
  const spoilt = fc.array(fc.record({ place: fc.nat(file.length), cut: fc.nat(4), sign: signs }), { maxLength: 2 });

  it("changes no other image and loses no comment, however a file is written, or is refused", () => {
    const shared = file
      .replace("    images:\n      fake:\n        # The", "    images: &all\n      fake:\n        # The")
      .replace("# The newest.", "# The newest, and more.\n  - { version: '2.2', variant: a3, images: {} }");
    const imagesIn = (text: string) =>
      parseYaml(text, "tiny.yaml", runnerFile).versions.flatMap(({ version, variant, images }) =>
        Object.entries(images).flatMap(([service, list]) => list.map((one) => ({ version, variant, service, one }))),
      );
    const others = (text: string, { acceleratorVersion, serviceVersion }: Partial<ReleasedEntry>) =>
      imagesIn(text).filter(({ version, service, one }) => {
        return version !== acceleratorVersion || service !== "fake" || one.version !== serviceVersion;
      });
    const comments = (text: string) => (text.match(/#[^\r\n]*/g) ?? []).map((one) => one.trim()).sort();
    const names = fc.record({
      acceleratorVersion: fc.constantFrom("2.1", "1.9", "2.2"),
      serviceVersion: fc.constantFrom("0.1.0", "0.2.0", "0.1.5"),
    });
    fc.assert(
      fc.property(fc.constantFrom(file, shared), spoilt, names, (whole, changes, more) => {
        const text = changes.reduce(
          (all, { place, cut, sign }) => all.slice(0, place) + sign + all.slice(place + cut),
          whole,
        );
        const after = unlessRefused(() => write(more, text));
        if (after === undefined) return;
        expect(others(after, more)).toEqual(others(text, more));
        expect(comments(after)).toEqual(comments(text));
        expect(imagesIn(after)).toHaveLength(others(text, more).length + 1);
      }),
      { numRuns: 500 },
    );
  });
});

function unlessRefused(action: () => string): string | undefined {
  try {
    return action();
  } catch (error) {
    expect(error).toBeInstanceOf(BerthError);
    return undefined;
  }
}
