import { describe, expect, it } from "vitest";

import { compareFields, unknownValue } from "../../../src/resources/difference.js";
import {
  deriveStrategy,
  instanceDifferences,
  instanceInputs,
  type InstanceInputs,
} from "../../../src/resources/instance-inputs.js";
import { specOf } from "../support/container-specs.js";
import { instanceOf } from "../support/instances.js";

const host = { name: "local", connection: "local", dataDir: "/data" } as const;
const restarts: Partial<InstanceInputs>[] = [
  { backend: "other" },
  { backendVersion: "2.0" },
  { installation: "installation-2" },
  { modelSha256: "b".repeat(64) },
  { modelPath: "/other" },
  { placement: "placement-2" },
  { subordinates: [{ name: "chat-0.other.14003", backendVersion: "1.0", start: "start-2" }] },
  { argv: ["/data/bin/engine_1.0"] },
  { container: specOf().settings },
  { env: {} },
  { secretEnv: { ENGINE_KEY: "other" } },
  { bindAddress: "0.0.0.0" },
  { port: 14_001 },
  { slots: [14_001, 14_002] },
];
const settings: Partial<InstanceInputs>[] = [
  { devices: ["GPU-1"] },
  { memory: { option: "cpu", basis: "estimate", devices: [], hostBytes: 1 } },
  { deployment: "other" },
  { servedModel: "other" },
  { apiKeyVariable: "OTHER" },
  { healthPath: "/up" },
  { healthRequest: { method: "GET", path: "/ready", contentType: "application/json" } },
  { category: "embedding" },
  { minHealthySeconds: 5 },
  { healthyDeadlineSeconds: 60 },
  { stopSeconds: 5 },
  { drainSeconds: 5 },
];
const unfelt: Partial<InstanceInputs>[] = [
  { maxSurge: 2 },
  { maxUnavailable: 2 },
  { rollout: { wave: 1, waves: 2, later: 3, pauseSeconds: 60, maxFailures: 0 } },
];
const created = deriveStrategy(undefined, instanceOf()) as InstanceInputs;
const changesOf = (change: Partial<InstanceInputs>) =>
  compareFields(instanceDifferences, instanceOf(), instanceOf(change)).map(({ field, change: what }) => [field, what]);

describe("instanceInputs", () => {
  it("has a rule and a description for every field", () => {
    expect(Object.keys(instanceDifferences).sort()).toEqual(Object.keys(instanceInputs.shape).sort());
    const undescribed = Object.entries(instanceInputs.shape).filter(([, field]) => !field.description);
    expect(undescribed.map(([field]) => field)).toEqual([]);
  });

  it("has every field but adopt and the strategy of a change in the tables below", () => {
    const tested = [...restarts, ...settings, ...unfelt].flatMap((change) => Object.keys(change));
    expect([...tested, "name", "owner", "host", "runtime", "adopt", "strategy"].sort()).toEqual(
      Object.keys(instanceInputs.shape).sort(),
    );
  });
});

describe("what a changed input does", () => {
  it.each([...restarts, ...settings])("updates for %j", (change) => {
    expect(changesOf(change)).toEqual([[Object.keys(change)[0], "update"]]);
  });

  it.each(unfelt)("changes nothing for %j, which is about others beside it", (change) => {
    expect(changesOf(change)).toEqual([]);
  });

  it.each<[Partial<InstanceInputs>, string]>([
    [{ name: "chat-1" }, "replaceDeletingFirst"],
    [{ owner: "shop/prod" }, "replaceDeletingFirst"],
    [{ runtime: "systemd" }, "replaceDeletingFirst"],
    [{ host: { ...host, dataDir: "/other" } }, "replaceDeletingFirst"],
    [{ host: { ...host, name: "renamed" } }, "replaceDeletingFirst"],
  ])("replaces for %j", (change, what) => {
    expect(changesOf(change)).toEqual([[Object.keys(change)[0], what]]);
  });

  it("makes no difference when it is the strategy alone", () => {
    expect(changesOf({ strategy: { kind: "verify", downtime: "" } })).toEqual([]);
  });
});

describe("deriveStrategy", () => {
  it("has both runners at once where both inputs have slots", () => {
    const slots: [number, number] = [14_001, 14_002];
    const kindOf = (olds: Partial<InstanceInputs>, news: Partial<InstanceInputs>) =>
      deriveStrategy(instanceOf(olds), instanceOf({ env: {}, ...news })).strategy?.kind;
    expect(kindOf({ slots }, { slots })).toBe("blueGreen");
    expect(kindOf({}, { slots })).toBe("recreate");
    expect(kindOf({ slots }, {})).toBe("recreate");
  });

  it("tells how many replicas change at a time, where that is limited and a runner goes or comes", () => {
    const slots: [number, number] = [14_001, 14_002];
    const paceOf = (olds: Partial<InstanceInputs>, news: Partial<InstanceInputs>) => {
      const limits = { maxSurge: 2, maxUnavailable: 1 };
      return deriveStrategy(instanceOf(olds), instanceOf({ ...limits, ...news })).strategy?.pace;
    };
    expect(paceOf({ slots }, { slots, env: {} })).toBe("2 at a time");
    expect(paceOf({}, { env: {} })).toBe("1 at a time");
    expect(paceOf({}, { stopSeconds: 5 })).toBeUndefined();
    expect(paceOf({}, { env: {}, maxSurge: undefined, maxUnavailable: undefined })).toBeUndefined();
    expect(created.strategy?.pace).toBeUndefined();
  });

  it("creates what is not there", () => {
    expect(created.strategy).toEqual({
      kind: "create",
      downtime: "none: nothing runs yet; an instance that this replaces is deleted first",
    });
  });

  it.each(restarts)("starts the runner again for %j", (change) => {
    expect(deriveStrategy(created, instanceOf(change)).strategy?.kind).toBe("recreate");
  });

  it.each(settings)("does not touch the runner for %j", (change) => {
    expect(deriveStrategy(created, instanceOf(change)).strategy?.kind).toBe("verify");
  });

  it("starts the runner again when one of several changes needs it", () => {
    expect(deriveStrategy(created, instanceOf({ port: 14_001, healthPath: "/up" })).strategy?.kind).toBe("recreate");
  });

  it("tells how long nothing answers at most, by the new deadline", () => {
    const { strategy } = deriveStrategy(created, instanceOf({ port: 14_001, healthyDeadlineSeconds: 60 }));
    expect(strategy?.downtime).toContain("at most 60 s");
  });

  it("stays as it was when nothing changes, so that it is no change by itself", () => {
    const updated = deriveStrategy(created, instanceOf({ port: 14_001 })) as InstanceInputs;
    for (const olds of [created, updated]) {
      const { strategy: _, ...news } = olds;
      expect(deriveStrategy(olds, news).strategy).toEqual(olds.strategy);
      expect(compareFields(instanceDifferences, olds, deriveStrategy(olds, news))).toEqual([]);
    }
  });

  it("does not take what a program gives for it", () => {
    const { strategy } = deriveStrategy(undefined, instanceOf({ strategy: { kind: "verify", downtime: "0 s" } }));
    expect(strategy?.kind).toBe("create");
  });

  it("supposes that what is not known yet changes", () => {
    const { strategy } = deriveStrategy(created, instanceOf({ installation: unknownValue }));
    expect(strategy?.kind).toBe("recreate");
  });

  it("leaves the other inputs as they are", () => {
    const { strategy: _, ...rest } = deriveStrategy(created, instanceOf({ port: 14_001 }));
    expect(rest).toEqual(instanceOf({ port: 14_001 }));
  });
});
