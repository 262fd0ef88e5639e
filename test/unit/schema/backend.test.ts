import { describe, expect, it } from "vitest";

import { backendFile, backendOverlay } from "../../../src/schema/backend.js";
import { parseYaml } from "../../../src/schema/document.js";
import { thrownBy } from "../support/thrown.js";

const written = (defaultVersion: string) => `schemaVersion: 1
name: engine
defaultVersion: ${defaultVersion}
runCommand: serve --port {{port}}
versions:
  "0.10":
    install: { pipx: { package: engine, requirements: engine/0.10.txt } }
`;
const read = (text: string) => parseYaml(text, "backends/engine.yaml", backendFile);

describe("backendFile", () => {
  it("completes a backend with its defaults", () => {
    expect(read(written('"0.10"'))).toEqual({
      schemaVersion: 1,
      name: "engine",
      description: "",
      defaultVersion: "0.10",
      healthPath: "/v1/models",
      env: {},
      runCommand: "serve --port {{port}}",
      defaultParameters: [],
      contextLengthAliases: [],
      flags: { host: [], port: [], servedModel: [], tensorParallelSize: [], pipelineParallelSize: [] },
      ownedFlags: [],
      installOrder: ["binary", "pipx", "image", "manual"],
      images: [],
      hostSelector: {},
      versions: {
        "0.10": {
          install: {
            pipx: {
              package: "engine",
              requirements: "engine/0.10.txt",
              python: ">=3.10",
              extras: [],
              pins: [],
              constraints: [],
              os: ["linux", "darwin"],
              arch: ["x64", "arm64"],
            },
          },
          env: {},
        },
      },
    });
  });

  it.each([
    ['"0.1"', '3:17: "defaultVersion": expected one of the versions below; got "0.1"'],
    ["toString", '3:17: "defaultVersion": expected one of the versions below; got "toString"'],
    [
      "0.10",
      '3:17: "defaultVersion": expected a string; put the version in quotes, because 0.10 without them is the number 0.1; got 0.10',
    ],
  ])("refuses the default version %s when only 0.10 is there", (version, problem) => {
    expect(thrownBy(() => read(written(version))).message).toBe(`backends/engine.yaml:${problem}`);
  });

  it("takes a default version that is written with another v than the version", () => {
    expect(read(written("v0.10")).defaultVersion).toBe("v0.10");
  });

  it("refuses one version twice, with a v and without", () => {
    const text = `${written('"0.10"')}  v0.10: { install: { manual: {} } }\n`;
    const problem = '8:10: "versions.v0.10": expected each version once, and 0.10 is the same; got { install:';
    for (const schema of [backendFile, backendOverlay]) {
      const error = thrownBy(() => parseYaml(text, "backends/engine.yaml", schema));
      expect(error.message).toContain(`backends/engine.yaml:${problem}`);
    }
  });

  it.each([
    ['buildNumber: "("', '8:14: "buildNumber": expected a regular expression; got "("'],
    [
      'images: [{ repository: e, entrypoint: e, versions: ">==1" }]',
      '8:52: "images.0.versions": expected one version, such as',
    ],
    [
      'images: [{ repository: e, entrypoint: e, versions: "1.0 2.0" }]',
      '8:52: "images.0.versions": expected one version',
    ],
  ])("refuses %s with its place", (line, problem) => {
    const text = `${written('"0.10"')}${line}\n`;
    expect(thrownBy(() => read(text)).message).toContain(`backends/engine.yaml:${problem}`);
  });

  it("refuses a version without quotes, which YAML reads as another", () => {
    const text = written('"0.10"').replace('"0.10":', "0.10:");
    expect(thrownBy(() => read(text)).message).toBe(
      "backends/engine.yaml:6:3: the key 0.10 is the number 0.1; expected it in quotes",
    );
  });

  it.each(["../engine.txt", "/etc/passwd", "a/../b", "a//b", "./a", "a/", "", "a b", "a\\b"])(
    "refuses %j for a file beside it",
    (file) => {
      const text = written('"0.10"').replace("engine/0.10.txt", JSON.stringify(file));
      expect(thrownBy(() => read(text)).message).toContain("expected a path below the folder of the backend file");
    },
  );
});
