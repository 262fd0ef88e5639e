import { describe, expect, it } from "vitest";

import { fillVariables, parseDockerfile, stagesOf } from "../../../src/catalog/dockerfile.js";

const text = `# syntax=docker/dockerfile:1
# What it makes.
#
# 1. All.
ARG TOOL_VERSION=1.2
ARG BASE
ARG QUOTED="a b" SECOND=2
FROM example/devel:\${TOOL_VERSION} AS runtime
ARG TARGETARCH
RUN <<EOF
FROM here on it is text
# and no comment
EOF
FROM runtime AS made
FROM \${BASE:-runtime} AS service
COPY --from=made /a /b
RUN --mount=type=bind,from=runtime,target=/x ls
ENTRYPOINT [ "tini", "--" ]
FROM scratch
`;
const dockerfile = parseDockerfile(text, "Dockerfile");

describe("a Dockerfile", () => {
  it("is read with its head, without directives", () => {
    expect(dockerfile.header.map(({ line, text: comment }) => `${line} ${comment}`)).toEqual([
      ...["2 What it makes.", "3 ", "4 1. All."],
    ]);
  });

  it("has arguments before its first stage", () => {
    expect(dockerfile.arguments).toEqual([
      { line: 5, column: 1, name: "TOOL_VERSION", value: "1.2" },
      { line: 6, column: 1, name: "BASE", value: undefined },
      { line: 7, column: 5, name: "QUOTED", value: "a b" },
      { line: 7, column: 18, name: "SECOND", value: "2" },
    ]);
  });

  it("has stages, and no instructions in a here-document", () => {
    expect(dockerfile.stages.map(({ name, base, line }) => [name, base, line])).toEqual([
      ["runtime", "example/devel:${TOOL_VERSION}", 8],
      ["made", "runtime", 14],
      ["service", "${BASE:-runtime}", 15],
      [undefined, "scratch", 19],
    ]);
    expect(dockerfile.stages[0]?.instructions.map(({ keyword, isHeredoc }) => [keyword, isHeredoc])).toEqual([
      ["ARG", false],
      ["RUN", true],
    ]);
    expect(dockerfile.stages[2]?.instructions.at(-1)).toMatchObject({ keyword: "ENTRYPOINT", words: ["tini", "--"] });
  });

  it("is built by the stages that a target is made from, copies from and mounts", () => {
    const names = (target: string, values: Record<string, string>) =>
      stagesOf(dockerfile, target, values).map(({ name }) => name);
    expect(names("service", {})).toEqual(["runtime", "made", "service"]);
    expect(names("made", {})).toEqual(["runtime", "made"]);
    expect(names("absent", {})).toEqual([]);
  });

  it.each([
    ["a/b:${X}", "a/b:1"],
    ["a/b:$X-c", "a/b:1-c"],
    ["${Y:-${X}", "${X"],
    ["${Y:-2}${X:+yes}${Y:+no}", "2yes"],
    ["${constructor}", ""],
  ])("fills the variables of %s", (before, after) => {
    expect(fillVariables(before, { X: "1", Y: "" })).toBe(after);
  });
});
