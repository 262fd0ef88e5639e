import { describe, expect, it } from "vitest";

import { readBackendDocument } from "../../../src/lock/backend-document.js";
import { backendFile } from "../../../src/schema/backend.js";
import { referenceBackend } from "../support/reference-files.js";
import { thrownBy } from "../support/thrown.js";

describe("readBackendDocument", () => {
  const own = 'schemaVersion: 1\nname: engine\nrunCommand: serve\nversions:\n  "1":\n    install: {}\n';

  it("reads Berth's own format as its schema has it", () => {
    const { value, written, format, notes, locate } = readBackendDocument(own, "engine.yaml");
    expect({ value, format, notes }).toEqual({
      value: backendFile.parse({
        schemaVersion: 1,
        name: "engine",
        runCommand: "serve",
        versions: { "1": { install: {} } },
      }),
      format: "berth",
      notes: [],
    });
    expect(written).toEqual({
      schemaVersion: 1,
      name: "engine",
      runCommand: "serve",
      versions: { "1": { install: {} } },
    });
    expect(locate(["versions", "1", "install"])).toMatchObject({ line: 6, column: 14 });
  });

  it("refuses an unknown key of Berth's own format", () => {
    expect(thrownBy(() => readBackendDocument(`${own}colour: blue\n`, "engine.yaml")).message).toMatch(
      /^engine\.yaml:7:1: unknown key "colour"; expected one of schemaVersion, /,
    );
  });

  it("reads GPUStack's format, unchanged, and tells what becomes of each part by its place", () => {
    const { value, format, notes } = referenceBackend("synthetic-every-key");
    expect(format).toBe("reference");
    expect(value).toEqual(
      backendFile.parse({
        schemaVersion: 1,
        name: "made-up-engine-custom",
        description: "An engine that does not exist",
        defaultVersion: "1.0-custom",
        healthPath: "/ready",
        entrypoint: "/opt/engine/run --verbose",
        runCommand: "serve {{model_path}} --port {{port}} --greeting {{GREETING}}",
        env: { GREETING: "hello" },
        defaultParameters: ["--batch", "8", '--json={"a": "b c"}', "--name", "two words"],
        versions: {
          "1.0-custom": {
            install: {
              image: {
                reference: "registry.example.net:5000/team/engine:1.0",
                digest: "sha256:3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea",
                acceleratorTypes: ["rocm"],
              },
            },
            env: { GREETING: "good day" },
          },
          "1.1-custom": {
            install: {
              image: { reference: "team/engine:1.1-aarch64", platforms: ["linux/arm64"], acceleratorTypes: ["cann"] },
            },
            runCommand: "serve-all {{model_path}}",
          },
          "0.9": { install: { image: { reference: "team/engine:0.9", acceleratorTypes: ["cuda", "musa"] } } },
        },
      }),
    );
    expect(notes.map((note) => note.replace("synthetic-every-key.yaml:", "").split(";")[0])).toEqual([
      "4:1: Made.Up_Engine-custom is made-up-engine-custom here",
      "15:1: ready is /ready here",
      "16:1: parameter_format is left out: parameters are passed as they are given",
      "17:1: common_parameters is left out: hints of its forms",
      "18:1: allowed_proxy_uris is left out: its gateway's, of version 2.0",
      "20:1: left out, as only GPUStack needs it: backend_source, enabled, icon, owner_principal_id, framework_index_map, id, created_at, updated_at",
      '28:1: unknown key "colour", left out',
      '35:5: unknown key "priority", left out',
      "38:5: by its tag this is an image for linux/arm64",
      "43:5: no accelerator type is called npu, so this version is left out",
      "44:3: no image, so this version is left out: only a file in Berth's own format can say how to install it",
      "47:1: 1 of its own versions, whose images it does not name here",
    ]);
  });

  it("finds the place in GPUStack's format of what Berth calls otherwise", () => {
    const { locate } = referenceBackend("synthetic-every-key");
    expect(locate(["runCommand"])).toMatchObject({ line: 7, column: 22 });
    expect(locate(["versions", "1.1-custom", "runCommand"])).toMatchObject({ line: 40, column: 18 });
    expect(locate(["versions", "1.1-custom", "install", "image", "reference"])).toMatchObject({ line: 38, column: 17 });
    expect(locate(["versions", "0.9", "install"])).toMatchObject({ line: 49, column: 17 });
    expect(locate(["versions", "1.0-custom"])).toMatchObject({ line: 30, column: 3 });
    expect(locate(["versions", "1.0-custom", "env", "GREETING"])).toMatchObject({ line: 36, column: 22 });
  });

  it.each([
    ["backend_name: 1\n", '1:15: "backend_name": expected a string; got 1'],
    [
      "backend_name: ...\n",
      '1:15: "backend_name": expected a name with a letter or digit, of at most 63 characters; got "..."',
    ],
    [
      "backend_name: e\nversion_configs: { v: { image_name: 'UPPER image' } }\n",
      '2:37: "version_configs.v.image_name": expected an image reference; got "UPPER image"',
    ],
    [
      "backend_name: e\nversion_configs: { 'a b': {} }\n",
      '2:20: key "a b" in "version_configs": expected 1 to 64 characters of letters, digits and . _ + -, without ..',
    ],
    ["backend_name: e\nversion_configs:\n  0.10: {}\n", "3:3: the key 0.10 is the number 0.1; expected it in quotes"],
    [
      "backend_name: e\ndefault_env: { PORT: 80 }\n",
      '2:22: "default_env.PORT": expected a string; put numbers and booleans in quotes; got 80',
    ],
    [
      "backend_name: e\ndefault_version: 0.10\n",
      '2:18: "default_version": expected a string; put the version in quotes, because 0.10 without them is the number 0.1; got 0.10',
    ],
    [
      'schemaVersion: 1\nname: e\nversions:\n  "1": { install: { manual: { acceleratorTypes: [cpu, cudda] } } }\n',
      "4:55: no accelerator type is called cudda; expected one of cann, corex, cpu, cuda, dtk, hggc, maca, metal, musa, neuware, rocm; did you mean cuda?",
    ],
    ["- backend_name: e\n", "1:1: the document: expected a map; got - backend_name: e"],
  ])("refuses %j with the place and what is expected", (text, problem) => {
    expect(thrownBy(() => readBackendDocument(text, "e.yaml")).message).toBe(`e.yaml:${problem}`);
  });
});
