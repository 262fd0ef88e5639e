import { describe, expect, it } from "vitest";

import { findSecretPlaces, withoutSecrets } from "../../../src/catalog/backend-secrets.js";
import type { Json } from "../../../src/lib/canonical.js";

const good = {
  schemaVersion: 1,
  name: "engine",
  description: "An engine",
  env: { LEVEL: "1", TOKENIZERS_PARALLELISM: "false" },
  runCommand: "serve {{model_path}}  --port {{port}}",
  defaultParameters: ["--fast", "--max-tokens", "5"],
  images: [{ repository: "e", entrypoint: "serve" }],
  versions: { "1": { install: { manual: {} }, env: { A: "b" }, entrypoint: "run" } },
};

describe("a backend file's secrets", () => {
  it("are none in a good file, which stays as it is", () => {
    expect(findSecretPlaces(good)).toEqual([]);
    expect(withoutSecrets(good, [])).toEqual(good);
  });

  it.each<[string, Json, Json]>([
    ["a variable", { env: { HF_TOKEN: "hunter2", A: "b" } }, { env: { A: "b" } }],
    ["a variable by its value", { env: { HTTPS_PROXY: "http://u:hunter2@p" } }, { env: {} }],
    ["a command", { runCommand: "serve --api-key hunter2 -x" }, { runCommand: "serve -x" }],
    ["a command in quotes", { runCommand: "sh -c 'serve --api-key hunter2'" }, {}],
    ["an entrypoint", { entrypoint: "env TOKEN=hunter2 serve" }, { entrypoint: "env serve" }],
    ["parameters", { defaultParameters: ["--api-key=hunter2", "--x"] }, { defaultParameters: ["--x"] }],
    ["a pasted parameter", { defaultParameters: ["--api-key hunter2", "--x"] }, { defaultParameters: ["--x"] }],
    ["the description", { description: "use http://u:hunter2@h" }, {}],
    [
      "an image's rule",
      { images: [{ repository: "a" }, { entrypoint: "e", runCommand: "--token hunter2" }] },
      { images: [{ repository: "a" }, { entrypoint: "e", runCommand: "" }] },
    ],
    [
      "a version",
      { versions: { "1.0": { env: { DB_PASS: "hunter2" }, runCommand: "a --token hunter2 {{port}}" } } },
      { versions: { "1.0": { env: {}, runCommand: "a {{port}}" } } },
    ],
  ])("are found and left out of %s", (_, written, left) => {
    const places = findSecretPlaces(written);
    expect(withoutSecrets(written, places)).toEqual(left);
    expect(places.length).toBeGreaterThan(0);
    expect(places.map(({ text }) => text).join()).not.toContain("hunter2");
  });

  it("are told by what they are, and what to do", () => {
    const parameters = { defaultParameters: ["--api-key=x", "--token=x"] };
    const written = { env: { HF_TOKEN: "x" }, ...parameters, versions: { "1.0": { runCommand: "--api-key x" } } };
    expect(findSecretPlaces(written).map(({ text }) => text)).toEqual([
      "HF_TOKEN is left out, because its value is likely a secret: give it as secretEnv of the deployments",
      "--api-key, --token of defaultParameters are left out, because their values are likely secrets: use apiKey or secretEnv",
      "version 1.0: --api-key of runCommand is left out, because its value is likely a secret: use apiKey or secretEnv",
    ]);
  });

  it.each([null, 1, "x", [], { env: [1], versions: "x", images: {}, defaultParameters: { a: 1 } }])(
    "are none in %j, which is no backend file",
    (written) => {
      expect(findSecretPlaces(written)).toEqual([]);
    },
  );
});
