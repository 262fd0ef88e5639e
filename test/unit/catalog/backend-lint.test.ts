import { describe, expect, it } from "vitest";
import type { z } from "zod";

import { lintBackend } from "../../../src/catalog/backend-lint.js";
import { backendFile } from "../../../src/schema/backend.js";

type Written = z.input<typeof backendFile>;

const digest = `sha256:${"0".repeat(64)}`;
const image = { reference: "team/engine:1", digest };
const good: Written = {
  schemaVersion: 1,
  name: "engine",
  defaultVersion: "1",
  versions: { "1": { install: { image } } },
};

function findingsOf(changes: Partial<Written>, below: { defaultVersion?: string } = {}) {
  const file = backendFile.parse({ ...good, ...changes });
  const merged = { ...file, ...below };
  return lintBackend(merged, Object.keys(file.versions), () => true).map(
    ({ path, severity, text }) => `${severity} ${path.join(".")}: ${text}`,
  );
}

describe("lintBackend", () => {
  it("finds nothing in a good file", () => {
    expect(findingsOf({ runCommand: "serve {{model_path}} {{A}}", env: { A: "x y" } })).toEqual([]);
  });

  it.each<[string, Partial<Written>, string[]]>([
    [
      "an unknown placeholder, once for all versions that have it",
      {
        runCommand: "serve {{WHAT}}",
        versions: { "1": { install: { image } }, "2": { install: { image, manual: {} } } },
      },
      [
        "problem runCommand: the command names an unknown placeholder {{WHAT}}; expected one of model_path, mmproj_path, model_name, port, worker_ip, gpu_count, gpu_ids (of version 1, 2)",
      ],
    ],
    [
      "an operator in a version's command, and one in its entrypoint",
      { versions: { "1": { install: { image }, runCommand: "a | b", entrypoint: "c > d" } } },
      [
        "problem versions.1.entrypoint: the command holds the shell operator > at column 3 (of version 1)",
        "problem versions.1.runCommand: the command holds the shell operator | at column 3 (of version 1)",
      ],
    ],
    [
      "what a rule for images says",
      {
        images: [
          { repository: "other", entrypoint: "'" },
          { repository: "team/engine", entrypoint: "'" },
        ],
      },
      ["problem images.1.entrypoint: the command has a quote ' that stays open at column 1 (of version 1)"],
    ],
    [
      "a version that nothing installs, and its command all the same",
      { runCommand: "{{x}}", versions: { "1": { install: {} } } },
      [
        "problem versions.1.install: version 1 has no way to be installed",
        "problem runCommand: the command names an unknown placeholder {{x}}; expected one of model_path, mmproj_path, model_name, port, worker_ip, gpu_count, gpu_ids (of version 1)",
      ],
    ],
    [
      "no default version",
      { defaultVersion: undefined },
      ["problem name: no defaultVersion: each deployment must name a version"],
    ],
    [
      "what is not pinned, as notes",
      {
        versions: {
          "1": {
            install: {
              binary: [{ os: "linux", arch: "x64", url: "https://example.net/e" }],
              pipx: { package: "e" },
              image: { reference: "e:1" },
              manual: {},
            },
          },
        },
      },
      [
        "note versions.1.install.binary.0: the file for linux x64 has no sha256; `lock` resolves it",
        "note versions.1.install.pipx: there are no requirements; `lock` resolves it",
        "note versions.1.install.image: the image has no digest; `lock` resolves it",
      ],
    ],
  ])("finds %s", (_, changes, findings) => {
    expect(findingsOf(changes)).toEqual(findings);
  });

  it("looks at the commands of the versions below that the file changes, and at nothing else of them", () => {
    const versions = { "1": { install: { image } }, "2": { install: {}, runCommand: "{{GONE}}" } };
    const merged = backendFile.parse({ ...good, versions });
    expect(lintBackend(merged, ["1"], () => true)).toEqual([]);
    expect(lintBackend(merged, ["1"], () => true, ["1", "2"]).map(({ path }) => path.join("."))).toEqual([
      "versions.2.runCommand",
    ]);
  });

  it("is content with the default version of the backend below", () => {
    expect(findingsOf({ defaultVersion: undefined }, { defaultVersion: "0" })).toEqual([]);
  });
});
