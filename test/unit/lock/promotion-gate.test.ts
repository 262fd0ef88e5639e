import { describe, expect, it } from "vitest";

import { digest } from "../../../src/lib/canonical.js";
import type { BundleChange } from "../../../src/lock/promotion.js";
import { assertShown } from "../../../src/lock/promotion-gate.js";
import { sealEvidence, type DeploymentEvidence, type EvidenceBody } from "../../../src/schema/evidence.js";
import type { Gates } from "../../../src/schema/gates.js";
import { thrownBy } from "../support/thrown.js";

const bundle = "a".repeat(64);
const gates: Gates = { soak: 60 };
const shown: DeploymentEvidence = {
  ...{ bundle, applied: true, healthy: true, accelerators: ["cpu"] },
  ...{ verify: [], smoke: [], performance: [], failed: [] },
};
const changed: BundleChange = { part: "release", name: "chat", change: "changed", bundle, previous: "b".repeat(64) };

const at = "2026-11-22T15:04:05.000Z";

interface Circumstances {
  readonly gates?: Gates;
  readonly now?: string;
}

function assert(
  body: Partial<EvidenceBody> = {},
  changes: readonly BundleChange[] = [changed],
  { gates: asked = gates, now = at }: Circumstances = {},
): void {
  const evidence = sealEvidence({
    ...{ evidenceVersion: 1, environment: "staging", lock: "c".repeat(64), gates: digest(asked) },
    ...{ at, deployments: { chat: shown } },
    ...body,
  });
  assertShown({ evidence, from: "staging", gates: asked, changes, lock: "c".repeat(64), now: new Date(now) });
}

describe("evidence of what would move", () => {
  it("is enough when each bundle that moves has shown all", () => {
    expect(() => assert()).not.toThrow();
  });

  it("need not be of what stays, of what is taken away, or of what lies ready", () => {
    const changes: BundleChange[] = [
      { ...changed, name: "same", change: "same" },
      { ...changed, name: "gone", change: "removed", bundle: null },
      { ...changed, name: "ready", part: "preload" },
    ];
    expect(() => assert({ deployments: {} }, changes)).not.toThrow();
  });

  it.each([
    ["another environment", { environment: "dev" }, "another environment"],
    ["other gates", { gates: digest({ soak: 1 }) }, "other gates"],
    ["another lock", { lock: "e".repeat(64) }, "another lock"],
    ["other deployments", { deployments: {} }, "other deployments than chat"],
    ["another bundle", { deployments: { chat: { ...shown, bundle: "d".repeat(64) } } }, "another bundle of chat"],
  ])("is refused when it is of %s", (_, body, told) => {
    const error = thrownBy(() => assert(body));
    expect([error.code, error.message]).toEqual(["evidence-foreign", expect.stringContaining(told)]);
  });

  it.each([
    ["a day, by default", {}, "2026-11-23T15:04:05.000Z", "2026-11-23T15:04:06.000Z"],
    ["what its gates say", { maxEvidenceAge: 60 }, "2026-11-22T15:05:05.000Z", "2026-11-22T15:05:06.000Z"],
    ["any time, when it is of a time to come", {}, "2026-11-22T15:00:00.000Z", "2026-11-22T14:59:00.000Z"],
  ])("is too old after %s", (_, own, young, old) => {
    expect(() => assert({}, [changed], { gates: own, now: young })).not.toThrow();
    const error = thrownBy(() => assert({}, [changed], { gates: own, now: old }));
    expect([error.code, error.message]).toEqual(["evidence-expired", expect.stringContaining("maxEvidenceAge")]);
  });

  it("fails with all that was not shown, of all that move", () => {
    const deployments = {
      chat: { ...shown, failed: ["soak: a", "smoke: b"] },
      code: { ...shown, failed: ["verify: c"] },
    };
    const error = thrownBy(() => assert({ deployments }, [changed, { ...changed, name: "code" }]));
    expect(error.code).toBe("gate-failed");
    for (const sentence of ["chat: soak: a", "chat: smoke: b", "code: verify: c"])
      expect(error.message).toContain(sentence);
  });
});
