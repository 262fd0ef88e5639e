import { describe, expect, it } from "vitest";

import { partOf, pathsOf } from "../../../src/schema/ownership.js";
import { preloadEntry } from "../../../src/schema/preload.js";
import { deploymentEntry } from "../../../src/schema/stack.js";

/** Every field of a deployment, each with its owner: a new field that is not here fails. */
const owners = {
  backend: "release",
  backendVersion: "release",
  prefer: "release",
  install: "release",
  imageName: "release",
  runnerImage: "release",
  entrypoint: "release",
  runCommand: "release",
  category: "release",
  architecture: "release",
  model: "release",
  contextLength: "release",
  parameters: "release",
  extraParameters: "release",
  env: "release",
  secretEnv: "environment",
  replicas: "environment",
  host: "environment",
  hostSelector: "environment",
  port: "environment",
  bindAddress: "environment",
  apiKey: "environment",
  insecure: "environment",
  update: "environment",
  adopt: "environment",
  container: "environment",
  placement: "environment",
  resources: "environment",
  verify: "environment",
} as const;

const written = {
  backend: "vllm",
  env: { A: "1" },
  model: { source: "huggingface", repo: "o/m", token: { secret: "hub" } },
  container: { memory: "8GiB", cpus: 2, logs: { files: 1 }, networks: ["n"], shmSize: "1GiB", user: "1000" },
  replicas: 2,
  secretEnv: { KEY: { secret: "key" } },
};

describe("the owner of a deployment's fields", () => {
  it("is in the schema, for each", () => {
    const marked = Object.entries(deploymentEntry.shape).map(([field, schema]) => [
      field,
      schema.meta()?.["x-berth-scope"] ?? "environment",
    ]);
    expect(Object.fromEntries(marked)).toEqual(owners);
  });

  it("parts what is written into two that have nothing in common", () => {
    expect(partOf(deploymentEntry, written, "release")).toEqual({
      backend: "vllm",
      env: { A: "1" },
      model: { source: "huggingface", repo: "o/m" },
      container: { shmSize: "1GiB", user: "1000" },
    });
    expect(partOf(deploymentEntry, written, "environment")).toEqual({
      model: { token: { secret: "hub" } },
      container: { memory: "8GiB", cpus: 2, logs: { files: 1 }, networks: ["n"] },
      replicas: 2,
      secretEnv: { KEY: { secret: "key" } },
    });
  });

  it("is told by the shortest paths", () => {
    expect(pathsOf(deploymentEntry, written, "release").map((path) => path.join("."))).toEqual([
      "backend",
      "env",
      "model.source",
      "model.repo",
      "container.shmSize",
      "container.user",
    ]);
    expect(pathsOf(deploymentEntry, { model: { token: { secret: "hub" } } }, "release")).toEqual([]);
    expect(pathsOf(preloadEntry, { model: { source: "url" }, hosts: ["a"] }, "release")).toEqual([["model"]]);
  });
});
