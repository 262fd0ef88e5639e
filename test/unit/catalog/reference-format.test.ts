import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { fromReference, referenceBackend, type ReferenceBackend } from "../../../src/catalog/reference-format.js";
import { berthName } from "../../../src/catalog/reference-name.js";
import { BerthError } from "../../../src/lib/errors.js";
import { backendFile } from "../../../src/schema/backend.js";
import { nativeTypes } from "../../../src/schema/accelerator-type.js";
import { thrownBy } from "../support/thrown.js";

const convert = (document: object) =>
  fromReference(referenceBackend.parse(document), (path) => `x.yaml ${path.join(".")}`, nativeTypes);
const image = { image_name: "team/engine:1" };

describe("fromReference", () => {
  it("says one to one what Berth has too", () => {
    const { file, notes } = convert({
      backend_name: "engine-custom",
      description: "An engine",
      default_version: "2-custom",
      default_run_command: "serve {{model_path}}",
      default_entrypoint: "/run engine",
      default_env: { A: "1" },
      default_backend_param: ["--fast", "--batch 8"],
      health_check_path: "/health",
      version_configs: {
        "1": { ...image, custom_framework: "cuda", entrypoint: "/run", run_command: "one", env: { A: "2" } },
        "2-custom": { ...image, custom_framework: "cpu" },
      },
    });
    expect(file).toEqual({
      schemaVersion: 1,
      name: "engine-custom",
      description: "An engine",
      defaultVersion: "2-custom",
      runCommand: "serve {{model_path}}",
      entrypoint: "/run engine",
      env: { A: "1" },
      defaultParameters: ["--fast", "--batch", "8"],
      healthPath: "/health",
      versions: {
        "1": {
          install: { image: { reference: "team/engine:1", acceleratorTypes: ["cuda"] } },
          entrypoint: "/run",
          runCommand: "one",
          env: { A: "2" },
        },
        "2-custom": { install: { image: { reference: "team/engine:1", acceleratorTypes: ["cpu"] } } },
      },
    });
    expect(notes).toEqual([]);
  });

  it("takes one of two names of the same version, and says so", () => {
    const { file, notes } = convert({ backend_name: "e", version_configs: { "1.0": image, "v1.0": image } });
    expect(Object.keys(file.versions)).toEqual(["1.0"]);
    expect(notes).toEqual([
      { path: ["version_configs", "v1.0"], kind: "refused", text: "the same version as 1.0, so this one is left out" },
    ]);
  });

  it("leaves out what is empty, so that Berth's defaults and the backend's fields count", () => {
    const empty = { description: "", default_run_command: "", default_entrypoint: " ", health_check_path: null };
    const { file } = convert({
      backend_name: "e-custom",
      ...empty,
      default_env: {},
      version_configs: { "1": { ...image, run_command: "", entrypoint: null, env: {}, custom_framework: "" } },
    });
    expect(file).toEqual({
      schemaVersion: 1,
      name: "e-custom",
      defaultVersion: "1",
      versions: { "1": { install: { image: { reference: "team/engine:1" } } } },
    });
    expect(backendFile.parse(file).healthPath).toBe("/v1/models");
  });

  it.each([
    ["vLLM", "vllm"],
    ["llama.cpp-custom", "llama-cpp-custom"],
    ["Text_Embeddings Inference", "text-embeddings-inference"],
    ["my-backend-custom", "my-backend-custom"],
    ["--x--", "x"],
    ["VoxBox", "vox-box"],
    ["ascend-mindie", "mindie"],
  ])("calls %s %s", (given, name) => {
    const { file, notes } = convert({ backend_name: given, version_configs: { "1": image } });
    expect(file.name).toBe(name);
    expect(notes.map(({ text }) => text)).toEqual(given === name ? [] : [`${given} is ${name} here`]);
  });

  it.each(nativeTypes)("takes %s as an accelerator type, in capitals too", (type) => {
    for (const framework of [type, type.toUpperCase()]) {
      const { file } = convert({
        backend_name: "e",
        version_configs: { "1": { ...image, custom_framework: framework } },
      });
      expect(file.versions["1"]?.install.image?.acceleratorTypes).toEqual([type]);
    }
  });

  it.each(["npu", "vulkan", "constructor"])(
    "leaves a version of the framework %s out: a filter is not guessed",
    (framework) => {
      const { file, notes } = convert({
        backend_name: "e",
        default_version: "1",
        version_configs: { "1": { ...image, custom_framework: framework }, "2": image },
      });
      expect(Object.keys(file.versions)).toEqual(["2"]);
      expect(file.defaultVersion).toBeUndefined();
      expect(notes).toMatchObject([
        { kind: "refused", path: ["version_configs", "1", "custom_framework"] },
        { kind: "refused", path: ["default_version"] },
      ]);
    },
  );

  it("refuses a backend of which no version can be taken, and says why", () => {
    const error = thrownBy(() =>
      convert({ backend_name: "e", version_configs: { "1": { ...image, custom_framework: "npu" } } }),
    );
    expect(error.code).toBe("file-invalid");
    expect(error.message).toContain("version_configs.1.custom_framework: no accelerator type is called npu");
    expect(error.message).toContain("Ascend NPUs are cann");
    expect(thrownBy(() => convert({ backend_name: "e" })).message).toContain(
      "x.yaml version_configs: the backend e has no version",
    );
  });

  it("leaves a version without an image out: nothing could install it", () => {
    const { file, notes } = convert({ backend_name: "e", version_configs: { "1": { run_command: "x" }, "2": image } });
    expect(Object.keys(file.versions)).toEqual(["2"]);
    expect(notes).toMatchObject([{ kind: "refused", path: ["version_configs", "1"] }]);
  });

  it("splits a digest from its image", () => {
    const digest = `sha256:${"a".repeat(64)}`;
    const { file } = convert({
      backend_name: "e",
      version_configs: { "1": { image_name: `r.example.net:5000/e:1@${digest}` }, "2": { image_name: `e@${digest}` } },
    });
    expect(file.versions["1"]?.install.image).toEqual({ reference: "r.example.net:5000/e:1", digest });
    expect(file.versions["2"]?.install.image).toEqual({ reference: "e", digest });
  });

  it("takes the platform that a tag names", () => {
    const { file, notes } = convert({ backend_name: "e", version_configs: { "1": { image_name: "e:1-A2-aarch64" } } });
    expect(file.versions["1"]?.install.image?.platforms).toEqual(["linux/arm64"]);
    expect(notes).toMatchObject([{ kind: "changed", path: ["version_configs", "1", "image_name"] }]);
  });

  it("takes the versions that the API returns apart for its community backends, but not its runners", () => {
    const { file, notes } = convert({
      backend_name: "e",
      version_configs: { "1": image },
      built_in_version_configs: {
        "1": { image_name: "other:1", built_in_frameworks: [] },
        "2": { image_name: "e:2", built_in_frameworks: ["cuda", "musa"] },
        "3": { built_in_frameworks: ["cuda"] },
      },
    });
    expect(file.versions).toEqual({
      "1": { install: { image: { reference: "team/engine:1" } } },
      "2": { install: { image: { reference: "e:2", acceleratorTypes: ["cuda", "musa"] } } },
    });
    expect(notes).toMatchObject([{ kind: "dropped", path: ["built_in_version_configs"] }]);
  });

  it("chooses the only version as the default, but not of a backend that Berth has too", () => {
    const defaultOf = (backend_name: string, versions: string[]) =>
      convert({ backend_name, version_configs: Object.fromEntries(versions.map((name) => [name, image])) }).file
        .defaultVersion;
    expect(defaultOf("e-custom", ["1"])).toBe("1");
    expect(defaultOf("e-custom", ["1", "2"])).toBeUndefined();
    expect(defaultOf("vLLM", ["0.19.0-custom"])).toBeUndefined();
  });

  it("tells unknown keys from those that are left out knowingly, wherever they stand", () => {
    const { notes } = convert({
      backend_name: "e",
      icon: "x",
      enabled: false,
      colour: "blue",
      version_configs: { "1": { ...image, priority: 1 } },
    });
    expect(notes.map(({ kind, path }) => [kind, path.join(".")])).toEqual([
      ["unknown", "version_configs.1.priority"],
      ["dropped", "icon"],
      ["unknown", "colour"],
    ]);
  });

  it("makes a valid backend file of any document that it takes", () => {
    const text = fc.option(fc.string(), { nil: null });
    const env = fc.option(fc.dictionary(fc.stringMatching(/^[A-Za-z_]\w{0,5}$/), fc.string()), { nil: null });
    const versions = fc.dictionary(
      fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_+-]{0,8}$/),
      fc.record(
        {
          image_name: fc.constantFrom("a:1", "r.example.net/b/c", "", null),
          custom_framework: fc.oneof(fc.constantFrom(...nativeTypes, "npu"), text),
          env,
          entrypoint: text,
          run_command: text,
          other: fc.anything(),
        },
        { requiredKeys: [] },
      ),
    );
    const documents = fc.record(
      {
        backend_name: fc.string({ minLength: 1, maxLength: 60 }).filter((name) => berthName(name) !== ""),
        default_version: fc.oneof(text, fc.constant("1")),
        default_run_command: text,
        default_entrypoint: text,
        default_env: env,
        health_check_path: text,
        version_configs: versions,
        built_in_version_configs: versions,
        anything: fc.anything(),
      },
      { requiredKeys: ["backend_name"] },
    );
    fc.assert(
      fc.property(documents, (document) => {
        const parsed: ReferenceBackend = referenceBackend.parse(document);
        try {
          expect(backendFile.safeParse(fromReference(parsed, () => "x.yaml", nativeTypes).file).error).toBeUndefined();
        } catch (error) {
          if (!(error instanceof BerthError)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});
