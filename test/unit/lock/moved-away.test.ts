import { describe, expect, it } from "vitest";

import { findUnsettled } from "../../../src/lock/moved-away.js";
import type { BundleChange } from "../../../src/lock/promotion.js";

const removed: BundleChange = { part: "release", name: "chat", change: "removed", bundle: null, previous: "a" };
const ready: BundleChange = { part: "preload", name: "next", change: "added", bundle: "b", previous: null };
const desired = { backendVersions: [{ name: "h.fake_1" }], models: [{ name: "h.abc" }] } as unknown as Parameters<
  typeof findUnsettled
>[1];
const instance = { kind: "Instance", outputs: { name: "chat-0", deployment: "chat" } };
const engine = { kind: "BackendVersion", outputs: { name: "h.fake_1" } };
const model = { kind: "ModelFiles", outputs: { name: "h.abc" } };

describe("what is no bundle that comes", () => {
  it.each([
    ["what is taken away and still runs", [removed], [instance], ["chat: is taken away, and still runs there"]],
    ["what is taken away and is gone", [removed], [engine], []],
    ["what is taken away and waits to be deleted", [removed], [{ ...instance, leaving: true }], []],
    ["what lies ready and is there", [ready], [engine, model], []],
    [
      "what lies ready and is not",
      [ready],
      [],
      ["preload: BackendVersion h.fake_1 is not in the state", "preload: ModelFiles h.abc is not in the state"],
    ],
    ["what stays as it is", [{ ...ready, change: "same" as const }], [], []],
  ])("is settled where it comes from, or tells why not: %s", (_, changes, resources, reasons) => {
    expect(findUnsettled(changes, desired, { resources })).toEqual(reasons);
  });
});
