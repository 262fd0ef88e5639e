import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { lowestPython, projectFile, type LockRequest } from "../../../src/lock/python-lock-request.js";
import { thrownBy } from "../support/thrown.js";

const request: LockRequest = {
  package: "engine",
  version: "1.0",
  extras: ["audio", "server"],
  pins: ["extra==3.9"],
  constraints: ["tokens<3"],
  python: ">=3.12,<3.14",
  platforms: [
    { os: "linux", arch: "x64" },
    { os: "linux", arch: "arm64" },
    { os: "darwin", arch: "arm64" },
  ],
  indexUrl: "https://ann:hunter2@index.example/simple",
};

const pythons = (python: string) =>
  ["3.10", "3.11", "3.12", "3.13", "3.14"].filter((known) =>
    projectFile({ ...request, python }).includes(`and python_full_version >= '${known}' and python_full_version < '3.`),
  );

describe("what uv is asked for", () => {
  it("is the package with its extras, the pins, the constraints, and each platform with each Python", () => {
    const lines = projectFile(request).split("\n");
    expect(lines).toContain('dependencies = ["engine[audio,server]==1.0", "extra==3.9"]');
    expect(lines).toContain('constraint-dependencies = ["tokens<3"]');
    expect(lines).toContain('requires-python = ">=3.12"');
    expect(lines.find((line) => line.startsWith("environments"))).toBe(
      `environments = ["sys_platform == 'linux' and (platform_machine == 'x86_64' or platform_machine == 'aarch64') and ` +
        `python_full_version >= '3.12' and python_full_version < '3.14'", "sys_platform == 'darwin' and ` +
        `(platform_machine == 'arm64') and python_full_version >= '3.12' and python_full_version < '3.14'"]`,
    );
    const required = lines.find((line) => line.startsWith("required-environments")) ?? "";
    expect(required.match(/'linux' and platform_machine == 'x86_64'/g)).toHaveLength(2);
    expect(required.match(/'linux' and platform_machine == 'aarch64'/g)).toHaveLength(2);
    expect(required.match(/'darwin' and platform_machine == 'arm64'/g)).toHaveLength(2);
  });

  it("never holds the index, whose address may hold a password", () => {
    expect(projectFile(request)).not.toMatch(/hunter2|index\.example/);
  });

  it.each([
    [">=3.10", ["3.10", "3.11", "3.12", "3.13", "3.14"]],
    [">=3.9,<3.14", ["3.10", "3.11", "3.12", "3.13"]],
    [">=3.11, <=3.12", ["3.11", "3.12"]],
    [">3.10,<3.13.5", ["3.11", "3.12", "3.13"]],
    [">3.10.0,<3.13.5", ["3.10", "3.11", "3.12", "3.13"]],
    [">=3.10 <3.13", ["3.10", "3.11", "3.12"]],
    ["~=3.12", ["3.12", "3.13", "3.14"]],
    ["~=3.12.1", ["3.12"]],
    ["3.12.x", ["3.12"]],
    ["3.12", ["3.12"]],
    ["*", ["3.10", "3.11", "3.12", "3.13", "3.14"]],
    [">=3.10,<3.13.0", ["3.10", "3.11", "3.12"]],
    ["==3.12.*", ["3.12"]],
    [">=3.10,!=3.11.*,<3.13", ["3.10", "3.12"]],
    [">=3.10,!=3.11.2,<3.13", ["3.10", "3.11", "3.12"]],
    [">=3.10,<4", ["3.10", "3.11", "3.12", "3.13", "3.14"]],
  ])("for Python %s is solved for %j", (python, expected) => {
    expect(pythons(python)).toEqual(expected);
    expect(lowestPython(python)).toBe(expected[0]);
  });

  it.each(["", "3.10 or so", ">=3.10;<3.12", "~=", ">=three", '>=3.10"\nevil = "'])("refuses Python %j", (python) => {
    const error = thrownBy(() => projectFile({ ...request, python }));
    expect(error.code).toBe("packages-unsolvable");
    expect(error.message).toContain("cannot be read");
  });

  it.each([">=3.15", "<3.10", ">=4", "==2.7"])("refuses Python %s, with which Berth does not work", (python) => {
    const error = thrownBy(() => projectFile({ ...request, python }));
    expect(error.code).toBe("packages-unsolvable");
    expect(error.parts.got).toBe(python);
  });

  it("is the same for one range, whichever way it is written", () => {
    const texts = [">=3.11 <3.13", ">=3.11,<3.13", ">= 3.11, <=3.12", ">3.10 <3.13.0"];
    expect(new Set(texts.map((python) => projectFile({ ...request, python })))).toHaveLength(1);
  });

  it.each([
    ["<=3.12", "python_full_version < '3.13'"],
    ["3.12.4", "python_full_version == '3.12.4'"],
    [
      ">=3.10,!=3.11.*",
      "python_full_version >= '3.10' and (python_full_version < '3.11' or python_full_version >= '3.12')",
    ],
    [">=3.10,!=3.11.2", "python_full_version >= '3.10' and (python_full_version != '3.11.2')"],
    ["*", "python_full_version >= '3.10'"],
  ])("says of Python %s that %s", (python, marker) => {
    const platforms = [{ os: "linux", arch: "x64" }] as const;
    const file = projectFile({ ...request, platforms, python });
    expect(file).toContain(
      `environments = ["sys_platform == 'linux' and (platform_machine == 'x86_64') and ${marker}"]`,
    );
  });

  it("keeps every text inside its quotes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary-ascii" }), (text) => {
        const lines = projectFile({ ...request, extras: [], pins: [text], constraints: [] }).split("\n");
        expect(lines).toHaveLength(projectFile(request).split("\n").length);
        const line = lines.find((one) => one.startsWith("dependencies = ")) ?? "";
        expect(JSON.parse(line.replace("dependencies = ", ""))).toEqual(["engine==1.0", text]);
      }),
    );
  });
});
