import { readFileSync } from "node:fs";
import { join } from "node:path";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { dockerfileRules, type DockerfileRule } from "../../../src/catalog/dockerfile-finding.js";
import { lintDockerfile } from "../../../src/catalog/dockerfile-lint.js";
import { dockerfileSkeleton } from "../../../src/catalog/dockerfile-skeleton.js";
import { repository } from "../../support/toolchain.js";

const subject = { acceleratorType: "cuda", services: ["vllm", "sglang"] };
const good = dockerfileSkeleton({
  ...{ acceleratorType: "cuda", name: "NVIDIA CUDA", runtimeVersion: "12.9.1" },
  services: { vllm: "vLLM", sglang: "SGLang" },
});

const lint = (text: string) => lintDockerfile(text, "Dockerfile", subject);

/** The good file with one thing changed, which it must have. */
function changed(from: string | RegExp, to: string): string {
  const text = good.replace(from, to);
  expect(text).not.toBe(good);
  return text;
}

/** With what stands where the breach is told. */
type Breach = readonly [rule: DockerfileRule, name: string, text: () => string, there: string];

const breaches: readonly Breach[] = [
  ["header-steps", "no step in the comment", () => changed(/# \d\. .*\n/g, ""), "# Runner images"],
  ["header-steps", "no numbers before the steps", () => changed(/# \d\. /g, "# "), "# Runner images"],
  ["header-arguments", "no part on arguments", () => changed("# Argument usage:\n", ""), "# Runner images"],
  [
    "header-arguments",
    "an argument that it says nothing of",
    () => changed(/# - VLLM_VERSION: .*\n/, ""),
    "ARG VLLM_VERSION=",
  ],
  [
    "header-arguments",
    "an argument that there is not",
    () => changed("# - PYTHON_VERSION", "# - GONE: x\n# - PYTHON_VERSION"),
    "# - GONE",
  ],
  ["header-arguments", "an argument twice", () => changed(/(# - VLLM_VERSION: .*\n)/, "$1$1"), "# - VLLM_VERSION"],
  [
    "arg-single",
    "two arguments in one line",
    () => changed("ARG CUDA_VERSION=12.9.1\nARG CUDA_ARCHS=all", "ARG CUDA_VERSION=12.9.1 CUDA_ARCHS=all"),
    "CUDA_ARCHS=all",
  ],
  ["arg-required", "no value", () => changed("ARG CMAKE_MAX_JOBS=8", "ARG CMAKE_MAX_JOBS"), "ARG CMAKE_MAX_JOBS"],
  ["arg-required", "an empty value", () => changed("ARG CUDA_ARCHS=all", "ARG CUDA_ARCHS="), "ARG CUDA_ARCHS="],
  [
    "arg-required",
    "an argument of all that is not there",
    () => changed("ARG CMAKE_MAX_JOBS=8\n", "").replace(/# - CMAKE_MAX_JOBS.*\n/, ""),
    "ARG PYTHON_VERSION",
  ],
  ["arg-required", "no framework's version", () => changed(/.*VLLM_TORCH_VERSION.*\n/g, ""), "ARG PYTHON_VERSION"],
  [
    "arg-order",
    "an argument of all behind the type's",
    () => changed("ARG CMAKE_MAX_JOBS=8\nARG CUDA_VERSION=12.9.1", "ARG CUDA_VERSION=12.9.1\nARG CMAKE_MAX_JOBS=8"),
    "ARG CMAKE_MAX_JOBS",
  ],
  [
    "arg-order",
    "the archs before the version",
    () => changed("ARG CUDA_VERSION=12.9.1\nARG CUDA_ARCHS=all", "ARG CUDA_ARCHS=all\nARG CUDA_VERSION=12.9.1"),
    "ARG CUDA_VERSION",
  ],
  [
    "arg-order",
    "a service's version before its base image",
    () =>
      changed(
        "ARG VLLM_BASE_IMAGE=runtime\nARG VLLM_VERSION=0.0.0",
        "ARG VLLM_VERSION=0.0.0\nARG VLLM_BASE_IMAGE=runtime",
      ),
    "ARG VLLM_BASE_IMAGE",
  ],
  [
    "arg-order",
    "a service's argument among those of another",
    () => changed(/(ARG VLLM_TORCH_VERSION=.*\n)([^]*?ARG SGLANG_TORCH_VERSION=.*\n)/, "$2$1"),
    "ARG VLLM_TORCH_VERSION",
  ],
  [
    "arg-placeholder",
    "one that no stage takes",
    () => changed(/(CMAKE_MAX_JOBS: .*) \(PLACEHOLDER\)/, "$1"),
    "# - CMAKE_MAX_JOBS",
  ],
  [
    "arg-placeholder",
    "one that a stage takes",
    () => changed(/(# - PYTHON_VERSION: .*)/, "$1 (PLACEHOLDER)"),
    "# - PYTHON_VERSION",
  ],
  [
    "arg-unused",
    "one that is not required",
    () =>
      changed("ARG CUDA_VERSION=", "ARG CUDA_X=1\nARG CUDA_VERSION=")
        .replace("ARG CUDA_X=1\n", "")
        .replace("ARG CUDA_ARCHS=all", "ARG CUDA_ARCHS=all\nARG CUDA_X=1")
        .replace("# - CUDA_ARCHS", "# - CUDA_X: Nothing.\n# - CUDA_ARCHS"),
    "ARG CUDA_X=1",
  ],
  [
    "from-argument",
    "one that is declared nowhere",
    () => changed("FROM ubuntu:22.04", "FROM ubuntu:${UBUNTU}"),
    "FROM ubuntu",
  ],
  [
    "stage-name",
    "another name",
    () =>
      changed(
        "FROM ${VLLM_BASE_IMAGE} AS vllm",
        'FROM runtime AS base\nSHELL ["/bin/bash", "-eo", "pipefail", "-c"]\nARG TARGETPLATFORM\nARG TARGETOS\nARG TARGETARCH\nFROM ${VLLM_BASE_IMAGE} AS vllm',
      ),
    "FROM runtime AS base",
  ],
  ["stage-runtime", "it is not the first", () => changed("AS runtime", "AS vllm-build"), "FROM ubuntu"],
  ["stage-target", "a service has none", () => changed("AS sglang\n", "AS sglang-build\n"), "FROM ubuntu"],
  ["stage-shell", "none", () => changed(/SHELL .*\n/, ""), "FROM ubuntu"],
  ["stage-shell", "another", () => changed('"-eo", ', '"-e", '), "FROM ubuntu"],
  ["stage-shell", "too late", () => changed(/(SHELL .*\n)\n(ARG TARGETPLATFORM\n)/, "$2$1"), "FROM ubuntu"],
  ["stage-platform", "an argument is not declared", () => changed("ARG TARGETOS\n", ""), "FROM ubuntu"],
  ["run-heredoc", "a command in its line", () => changed("RUN <<EOF", "RUN true\nRUN <<EOF"), "RUN true"],
  ["workdir-root", "another folder", () => changed("WORKDIR /\n", "WORKDIR /opt\n"), "WORKDIR /opt"],
  ["workdir-root", "none", () => changed("WORKDIR /\n", ""), "FROM ${VLLM_BASE_IMAGE} AS vllm"],
  ["entrypoint-tini", "another", () => changed('"tini", "--"', '"sh"'), "ENTRYPOINT"],
  ["entrypoint-tini", "as a shell's text", () => changed('[ "tini", "--" ]', "tini --"), "ENTRYPOINT tini --"],
  ["entrypoint-tini", "none", () => changed(/ENTRYPOINT .*\n/, ""), "FROM ${VLLM_BASE_IMAGE} AS vllm"],
  ["lower-case", "an image", () => changed("FROM ubuntu:22.04", "FROM Ubuntu:22.04"), "FROM Ubuntu"],
  [
    "lower-case",
    "an image by an argument",
    () => changed("VLLM_BASE_IMAGE=runtime", "VLLM_BASE_IMAGE=team/Runtime:1"),
    "ARG VLLM_BASE_IMAGE",
  ],
  ["instruction", "no instruction", () => changed("WORKDIR /\n", "WORKDIR /\nINSTALL all\n"), "INSTALL all"],
  ["instruction", "before the first stage", () => changed("# Stage Bake Runtime", "ENV A=1"), "ENV A=1"],
];

describe("the convention of Dockerfiles", () => {
  it("is what a skeleton follows", () => {
    expect(lint(good)).toEqual([]);
  });

  it.each(breaches)("tells a breach of %s alone: %s", (rule, _name, breach, there) => {
    const text = breach();
    const found = lint(text);
    expect(found.map((one) => one.rule)).toEqual([rule]);
    const { line = 0, column = 0 } = found[0] ?? {};
    expect(text.split("\n")[line - 1]?.slice(column - 1, column - 1 + there.length)).toBe(there);
  });

  it("has a test for each of its rules", () => {
    expect(new Set(breaches.map(([rule]) => rule))).toEqual(new Set(Object.keys(dockerfileRules)));
  });

  it("is told in the docs, rule by rule", () => {
    const docs = readFileSync(join(repository, "docs", "runners.md"), "utf8").replace(/ +\|/g, " |");
    for (const [rule, text] of Object.entries(dockerfileRules))
      expect(docs.replace(/\| +/g, "| ")).toContain(`| \`${rule}\` | ${text} |`);
  });

  it("says what is wrong", () => {
    const [finding] = lint(changed("ARG TARGETOS\n", ""));
    expect(finding).toEqual({
      ...{ line: 32, column: 1, rule: "stage-platform" },
      text: "the stage runtime does not declare TARGETOS",
    });
  });

  it("finds nothing in any skeleton", () => {
    const word = fc.stringMatching(/^[a-z]{1,8}$/);
    const version = fc.stringMatching(/^\d{1,2}\.\d{1,2}\.\d{1,2}$/);
    const skeleton = fc.record({
      acceleratorType: word,
      name: fc.stringMatching(/^[A-Z][A-Za-z ]{1,12}[A-Za-z]$/),
      runtimeVersion: version,
      variant: fc.option(fc.constant("a3"), { nil: undefined }),
      services: fc.dictionary(word, fc.stringMatching(/^[A-Za-z]{1,8}$/), {
        minKeys: 1,
        maxKeys: 3,
        noNullPrototype: true,
      }),
    });
    fc.assert(
      fc.property(skeleton, (one) => {
        // What is called alike has arguments that are called alike.
        fc.pre(
          !Object.keys(one.services).some((service) =>
            ["runtime", "cmake", "python", one.acceleratorType].includes(service),
          ),
        );
        const services = Object.keys(one.services);
        const found = lintDockerfile(dockerfileSkeleton(one), "Dockerfile", {
          acceleratorType: one.acceleratorType,
          services,
        });
        expect(found).toEqual([]);
      }),
    );
  });

  it("reads any text without failing, and names places in it", () => {
    const lines = good.split("\n");
    fc.assert(
      fc.property(fc.shuffledSubarray(lines), fc.string({ unit: "binary" }), (some, more) => {
        const text = [...some, more].join("\n");
        const count = text.split(/\r\n|[\n\r]/).length;
        for (const { line, column } of lint(text)) {
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(count);
          expect(column).toBeGreaterThanOrEqual(1);
        }
      }),
      { numRuns: 300 },
    );
  });
});
