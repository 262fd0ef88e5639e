import { describe, expect, it } from "vitest";

import { findApplied, type Applied, type RecordedResource, type Updater } from "../../../src/lock/applied.js";
import { desiredStack } from "../../../src/planner/desired.js";
import { place } from "../../../src/planner/placement.js";
import { instanceDifferences } from "../../../src/resources/instance-inputs.js";
import { chat, problemOf, stackOf } from "../support/problems.js";
import { changedResources, owner, recordedResources } from "../support/recorded-state.js";
import { thrownBy } from "../support/thrown.js";

const problem = problemOf(
  stackOf({
    chat: chat({ apiKey: { secret: "team-key" }, replicas: 2, env: { LEVEL: "info" } }),
    code: chat({ backendVersion: "1.0" }),
  }),
);
const desired = desiredStack({ release: problem.release, placement: place(problem) }, "/project");
const resources = recordedResources(desired);
const [instance] = desired.instances;
const { backendVersion: engine = "", model = "" } = instance ?? {};
const outputsOf = (name: string) => resources.find(({ outputs }) => outputs.name === name)?.outputs ?? {};

const nobody: Updater = { kind: "none" };
const look = (recorded: readonly RecordedResource[], pendingOperations = 0, updater: Updater = nobody) => {
  const state = { resources: recorded, pendingOperations, updater };
  return findApplied({ deployments: ["chat", "code"], desired, owner, state });
};
const applied: Applied = { applied: true };
const because = (...reasons: string[]): Applied => ({ applied: false, reasons });

describe("whether bundles are applied", () => {
  it("is so when the state has all that the lock asks for", () => {
    expect(look(resources)).toEqual({ chat: applied, code: applied });
  });

  it("is not asked of what others of the stack lack", () => {
    const without = resources.filter(({ outputs }) => outputs.name !== "code-0");
    expect(look(without)).toEqual({ chat: applied, code: because("code-0 is not in the state") });
  });

  it.each<[string, readonly RecordedResource[], string[]]>([
    [
      "a replica that is missing",
      resources.filter(({ outputs }) => outputs.name !== "chat-1"),
      ["chat-1 is not in the state"],
    ],
    [
      "a backend version that is missing",
      resources.filter(({ outputs }) => outputs.name !== engine),
      [`BackendVersion ${engine} is not in the state`],
    ],
    [
      "a model that is missing",
      resources.filter(({ outputs }) => outputs.name !== model),
      [`ModelFiles ${model} is not in the state`],
    ],
    [
      "a model that is another",
      changedResources(resources, model, { sha256: "b".repeat(64) }),
      [`ModelFiles ${model} has another sha256 than the lock asks for`],
    ],
    [
      "a backend that was installed in another way",
      changedResources(resources, engine, { method: "manual", sha256: "b".repeat(64) }),
      [`BackendVersion ${engine} has another method, `],
    ],
    [
      "a backend that was installed anew since",
      changedResources(resources, engine, { installation: "another" }),
      [`chat-0 was not started again since BackendVersion ${engine} was put in place anew`],
    ],
    [
      "a model that was put in place anew since",
      changedResources(resources, model, { placement: "another" }),
      [`chat-0 was not started again since ModelFiles ${model} was put in place anew`],
    ],
    [
      "a runner that was never verified",
      changedResources(resources, "chat-0", { generation: "" }),
      ["chat-0 was never verified"],
    ],
    [
      "secrets of other names",
      changedResources(resources, "chat-0", { secretEnv: { OTHER: "hunter2" } }),
      ["chat-0 has another secretEnv than the lock asks for"],
    ],
    [
      "an operation that failed",
      resources.map((each) => (each.outputs.name === "chat-0" ? { ...each, failed: true } : each)),
      ["the last operation on chat-0 failed"],
    ],
    [
      "what waits to be deleted, which is as good as missing",
      resources.map((each) => (each.outputs.name === model ? { ...each, leaving: true } : each)),
      [`ModelFiles ${model} is not in the state`],
    ],
    [
      "a replica that is there still",
      [...resources, { kind: "Instance", outputs: { ...outputsOf("chat-1"), name: "chat-2" } }],
      ["chat-2 is in the state, and the lock does not want it"],
    ],
  ])("is denied by %s", (_, recorded, reasons) => {
    const { chat: found } = look(recorded);
    const told = found?.applied === false ? found.reasons : [];
    for (const reason of reasons) expect(told.join("\n")).toContain(reason);
    expect(JSON.stringify(found)).not.toContain("hunter2");
  });

  const deviations: Partial<Record<keyof typeof instanceDifferences, unknown>> = {
    host: { name: "local", connection: "local", dataDir: "/elsewhere" },
    deployment: "other",
    backend: "other",
    backendVersion: "9",
    modelSha256: "b".repeat(64),
    modelPath: "/elsewhere",
    runtime: "docker",
    argv: ["other"],
    container: { image: `engine@sha256:${"b".repeat(64)}`, containerPort: 1, mounts: [] },
    env: { LEVEL: "debug" },
    bindAddress: "0.0.0.0",
    port: 1,
    slots: [1, 2],
    devices: ["GPU-1"],
    memory: { option: "cpu", basis: "stated", devices: [], hostBytes: 1 },
    subordinates: [{ name: "chat-0.two.18400", backendVersion: "1", start: "generation-1" }],
    servedModel: "other",
    apiKeyVariable: undefined,
    healthPath: "/other",
    healthRequest: { method: "GET", path: "/up", contentType: "text/plain" },
    category: "embedding",
    minHealthySeconds: 1,
    healthyDeadlineSeconds: 1,
    stopSeconds: 1,
    drainSeconds: 1,
  };

  it.each(Object.entries(deviations))(
    "is denied by another %s, which is named, and its value is not",
    (field, value) => {
      const { chat: found } = look(changedResources(resources, "chat-0", { [field]: value }));
      expect(found).toEqual(because(`chat-0 has another ${field} than the lock asks for`));
    },
  );

  it("knows every field of an instance: each deviates, or comes from elsewhere, or changes nothing of what runs", () => {
    const elsewhere = ["name", "owner", "installation", "placement", "secretEnv"];
    const fields = Object.entries(instanceDifferences)
      .filter(([field, { change }]) => change !== "none" && !elsewhere.includes(field))
      .map(([field]) => field);
    expect(fields.filter((field) => !(field in deviations))).toEqual([]);
  });

  it.each(["adopt", "maxSurge", "strategy"])("is not denied by %s, which changes nothing of what runs", (field) => {
    const values: Record<string, unknown> = { adopt: "always", maxSurge: 7, strategy: undefined };
    expect(look(changedResources(resources, "chat-0", { [field]: values[field] })).chat).toEqual(applied);
  });

  it("is not so for a state of another owner", () => {
    const { chat: found } = findApplied({
      ...{ deployments: ["chat"], desired, owner: "shop/prod" },
      state: { resources, pendingOperations: 0, updater: nobody },
    });
    expect(JSON.stringify(found)).toContain("chat-0 has another owner than the lock asks for");
  });

  it("is so of none while operations are interrupted, and before anything was brought up", () => {
    const interrupted = because("2 operations were interrupted: run `berth recover`");
    expect(look(resources, 2)).toEqual({ chat: interrupted, code: interrupted });
    expect(look(resources, 1)).toMatchObject({ chat: because("an operation was interrupted: run `berth recover`") });
    const nothing = because("the stack was never brought up");
    const never = findApplied({ deployments: ["chat", "code"], desired, owner, state: undefined });
    expect(never).toEqual({ chat: nothing, code: nothing });
  });

  it.each<[string, Updater, number, RegExp | undefined]>([
    [
      "an update runs, even between two operations",
      { kind: "running", holder: "process 7" },
      0,
      /^an update runs now \(process 7\): wait/,
    ],
    [
      "one runs on another machine",
      { kind: "elsewhere", holder: "process 7" },
      1,
      /or was killed \(process 7\).*run `berth recover` there$/,
    ],
    ["nobody tells", { kind: "unknown" }, 1, /^an operation was interrupted, or an update runs now: wait/],
    ["nobody tells, and nothing is open", { kind: "unknown" }, 0, undefined],
  ])("tells an update that runs from one that was interrupted: %s", (_, updater, pendingOperations, told) => {
    const { chat } = look(resources, pendingOperations, updater);
    expect(chat).toEqual(told === undefined ? applied : because(expect.stringMatching(told) as string));
  });

  it("refuses a state that a later version wrote", () => {
    const later = changedResources(resources, "chat-0", { schemaVersion: 99 });
    expect(thrownBy(() => look(later))).toMatchObject({ code: "lock-incompatible" });
  });
});
