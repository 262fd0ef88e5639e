import { describe, expect, it } from "vitest";

import { adviseCatalogue, adviseUpgrade, type AdvisedStack } from "../../../src/lock/outdated-advice.js";
import type { RunnerFinding, RunnerReport, RunnerUser } from "../../../src/lock/outdated-runners.js";
import { catalogueOf, engineBackend } from "../support/catalogues.js";

const digest = `sha256:${"d".repeat(64)}`;
const install = { runnerImage: { service: "engine" } };
const catalogue = catalogueOf([engineBackend({ versions: { "1.0": { install }, "2.0": { install } } })], []);
const dev: AdvisedStack = { name: "dev", project: { catalogue } };
const prod: AdvisedStack = {
  name: "prod",
  project: {
    catalogue,
    environment: { name: "prod", predecessor: "dev", entry: { rules: [] } },
  },
};

function user(name: string, part: RunnerUser["part"] = "deployment"): RunnerUser {
  const runnerImage = {
    ...{ acceleratorType: "cuda", acceleratorVersion: "12.6", service: "engine", serviceVersion: "1.0" },
    ...{ platforms: ["linux/amd64"], comparable: true },
  };
  return { part, name, backend: "engine", runnerImage, asked: undefined, hosts: {} };
}

function newer(changes: Partial<RunnerFinding & { kind: "newer" }>): RunnerFinding {
  return {
    ...{ kind: "newer", reference: "gpustack/runner:cuda12.8-engine2.0", acceleratorVersion: "12.8" },
    ...{ serviceVersion: "2.0", isSameService: false, isOutsideAsked: false, service: "engine" },
    ...{ part: "deployment", name: "chat", backend: "engine", ...changes },
  };
}

const report = (findings: readonly RunnerFinding[], users = [user("chat")]): RunnerReport => {
  return { reference: "gpustack/runner:cuda12.6-engine1.0", digest, users, findings };
};

describe("what to do about a runner image that is outdated", () => {
  const moved: RunnerFinding = { kind: "moved", by: "registry", digest };

  it.each<[string, readonly RunnerFinding[], string[]]>([
    ["nothing", [], []],
    ["its tag has moved", [moved], ["`berth lock dev --update chat`"]],
    ["a newer runtime", [newer({ isSameService: true, serviceVersion: "1.0" })], ["`berth lock dev --update chat`"]],
    ["a newer version", [newer({})], ['set `backendVersion: "2.0"` of chat']],
    [
      "a version that the backend's file has not",
      [newer({ serviceVersion: "3.0" })],
      ['add engine 3.0 to backends/engine.yaml, and set `backendVersion: "3.0"` of chat'],
    ],
    [
      "a runtime that the stack does not ask for",
      [newer({ isSameService: true, isOutsideAsked: true })],
      ['set `runnerImage: { acceleratorVersion: "12.8" }` of chat'],
    ],
    ["both", [moved, newer({})], ["`berth lock dev --update chat`", 'set `backendVersion: "2.0"` of chat']],
  ])("is told: %s", (_what, findings, advice) => {
    expect(adviseUpgrade(report(findings), dev)).toEqual(advice);
  });

  it("is a lock of all that have the image, and of all there is where something lies ready with it", () => {
    expect(adviseUpgrade(report([moved], [user("chat"), user("next")]), dev)).toEqual([
      "`berth lock dev --update chat next`",
    ]);
    expect(adviseUpgrade(report([moved], [user("chat"), user("soon", "preload")]), dev)).toEqual([
      "`berth lock dev --upgrade`",
    ]);
  });

  it("is done in the environment before, where releases come from there", () => {
    expect(adviseUpgrade(report([moved]), prod)).toEqual(["bring it up to date in dev, and `berth promote dev prod`"]);
  });

  it("is an edit of the catalogue, where its own digest is not the present one", () => {
    expect(adviseCatalogue(report([moved], []))).toEqual([
      `write ${digest} into its file, once it is known what has changed`,
    ]);
  });
});
