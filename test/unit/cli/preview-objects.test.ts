import { describe, expect, it } from "vitest";

import type { PreviewStep } from "../../../src/cli/preview.js";
import { previewObjects } from "../../../src/cli/preview-objects.js";
import { unknownValue } from "../../../src/resources/difference.js";
import { instanceOf } from "../support/instances.js";

const inputs = instanceOf({ strategy: { kind: "create", downtime: "none: nothing runs yet" } });
const outputs = { ...inputs, schemaVersion: 1, identity: "i", reachable: true, drift: [], health: "answered" };
const type = "pulumi-nodejs:dynamic/berth:Instance";
const urn = `urn:pulumi:dev::shop::berth:index:Stack$${type}::chat-0`;
const old = { type, inputs, outputs };

const recreate = { kind: "recreate", downtime: "from the old runner's stop on" } as const;

function step(op: string, states: Pick<PreviewStep, "oldState" | "newState">): PreviewStep {
  return { op, urn, ...states };
}

const refreshed = step("refresh", { oldState: old, newState: old });

function only(...steps: PreviewStep[]) {
  const [object, ...others] = previewObjects(steps);
  expect(others).toEqual([]);
  return object;
}

describe("the objects of a preview", () => {
  it("that are only looked at stay the same", () => {
    const object = only(refreshed);
    expect(object).toMatchObject({ kind: "Instance", name: "chat-0", host: "local", change: "same", reasons: [] });
    expect(object?.instance?.before).toEqual(object?.instance?.after);
    expect(object?.instance?.after).toMatchObject({ deployment: "chat", version: "engine 1.0", ports: [14_000] });
    expect(object?.instance?.strategy).toBeUndefined();
  });

  it("that change tell in which fields, what that means, and how it goes", () => {
    const news = { ...inputs, argv: ["/x"], installation: unknownValue, servedModel: "other", strategy: recreate };
    const object = only(refreshed, step("update", { oldState: old, newState: { type, inputs: news } }));
    expect(object).toMatchObject({
      change: "update",
      reasons: [
        "the runner is started again: installation, argv",
        "the runner is verified again, and not touched: servedModel",
      ],
      instance: {
        strategy: { ...recreate, downtimeSeconds: 300 },
        before: { argv: inputs.argv },
        after: { argv: ["/x"] },
      },
    });
  });

  it("that have drifted alone are repaired, whatever strategy they had at last", () => {
    const drifted = { ...old, outputs: { ...outputs, drift: ["its runner is stopped"] } };
    const object = only(refreshed, step("update", { oldState: drifted, newState: { type, inputs } }));
    expect(object).toMatchObject({
      ...{ change: "update", reasons: [], fields: [], drift: ["its runner is stopped"] },
      instance: { strategy: { kind: "repair", downtimeSeconds: 300 } },
    });
  });

  it("that change in a secret alone say that it is not shown", () => {
    const masked = { ...inputs, secretEnv: "[secret]" };
    const before = { type, inputs: masked, outputs: { ...outputs, secretEnv: "[secret]" } };
    const object = only(
      step("update", { oldState: before, newState: { type, inputs: { ...masked, strategy: recreate } } }),
    );
    expect(object?.reasons).toEqual(["differs in what a preview does not show, such as a secret"]);
    expect(object?.instance?.strategy?.kind).toBe("recreate");
  });

  it("that are replaced are one object, with the downtime of a replacement", () => {
    const next = { type, inputs: { ...inputs, host: { ...inputs.host, name: "other" } } };
    const object = only(
      refreshed,
      step("delete-replaced", { oldState: old }),
      step("replace", { oldState: old, newState: next }),
      step("create-replacement", { oldState: old, newState: next }),
    );
    expect(object).toMatchObject({
      ...{ change: "replace", host: "other" },
      instance: {
        ...{ before: { host: "local" }, after: { host: "other" } },
        strategy: { kind: "replace", downtimeSeconds: 300 },
      },
    });
  });

  it("that are new have nothing before, and those that go nothing after", () => {
    expect(only(step("create", { newState: { type, inputs } }))?.instance?.before).toBeUndefined();
    const gone = only(refreshed, step("delete", { oldState: old }));
    expect(gone).toMatchObject({ change: "delete", reasons: ["the lock does not want it any more"] });
    expect(gone?.instance?.after).toBeUndefined();
  });

  it("of Pulumi's own that hold others are told of only when they change", () => {
    const frame = {
      urn: "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev",
      newState: { type: "pulumi:pulumi:Stack" },
    };
    expect(previewObjects([{ op: "same", ...frame }])).toEqual([]);
    expect(previewObjects([{ op: "create", ...frame }])).toMatchObject([{ kind: "Stack", change: "create" }]);
  });

  it("of other packages tell by their fields why they change", () => {
    const command = { type: "command:local:Command", inputs: {}, outputs: {} };
    const steps = [
      {
        ...{ op: "update", urn: "urn:pulumi:dev::shop::command:local:Command::a.setup.b" },
        ...{ oldState: command, newState: command, diffReasons: ["create"] },
      },
    ];
    expect(previewObjects(steps)).toMatchObject([
      { kind: "Command", name: "a.setup.b", change: "update", reasons: ["differs in create"] },
    ]);
  });
});
