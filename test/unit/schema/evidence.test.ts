import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { formatEvidence, parseEvidence, sealEvidence, type EvidenceBody } from "../../../src/schema/evidence.js";
import { thrownBy } from "../support/thrown.js";

const digest = "0123456789abcdef".repeat(4);
const body: EvidenceBody = {
  ...{ evidenceVersion: 1, environment: "staging", lock: digest, gates: digest, at: "2026-11-22T12:00:00.000Z" },
  commit: "0123456789".repeat(4),
  deployments: {
    chat: {
      ...{ bundle: digest, applied: true, healthy: true, soakSeconds: 3600.5, accelerators: ["NVIDIA H100"] },
      verify: [{ command: "chat-0.verify.smoke", passed: true }],
      smoke: [{ instance: "chat-0", what: '"2 + 3"', passed: false, got: "six" }],
      performance: [{ instance: "chat-0", passed: true, requests: 4, failures: 0, seconds: 1, tokensPerSecond: 2.5 }],
      failed: ["smoke: chat-0"],
    },
  },
};
const text = formatEvidence(sealEvidence(body));
const read = (written: string) => parseEvidence(written, "evidence.json");
const changed = (change: (evidence: ReturnType<typeof sealEvidence>) => object) =>
  JSON.stringify(change(JSON.parse(text) as ReturnType<typeof sealEvidence>));

describe("evidence", () => {
  it("is read as it was written, however its fields are ordered and spaced", () => {
    expect(read(text)).toEqual({ ...body, digest: sealEvidence(body).digest });
    expect(read(changed((all) => Object.fromEntries(Object.entries(all).reverse())))).toEqual(read(text));
  });

  it("is read as it was written, whatever it says", () => {
    const chat = fc.record(
      {
        bundle: fc.constant(digest),
        applied: fc.boolean(),
        healthy: fc.boolean(),
        soakSeconds: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
        accelerators: fc.array(fc.string()),
        verify: fc.array(fc.record({ command: fc.string(), passed: fc.boolean() })),
        smoke: fc.array(
          fc.record({ instance: fc.string(), what: fc.string(), passed: fc.boolean(), got: fc.string() }),
        ),
        performance: fc.array(
          fc.record({
            instance: fc.string(),
            passed: fc.boolean(),
            requests: fc.nat(),
            failures: fc.nat(),
            seconds: fc.nat(),
          }),
        ),
        failed: fc.array(fc.string()),
      },
      { requiredKeys: ["bundle", "applied", "healthy", "accelerators", "verify", "smoke", "performance", "failed"] },
    );
    fc.assert(
      fc.property(chat, (found) => {
        const sealed = sealEvidence({ ...body, deployments: { chat: found } });
        expect(read(formatEvidence(sealed))).toEqual(sealed);
      }),
    );
  });

  it.each<[string, string]>([
    ["a failure that was taken out", text.replace(/"failed": \[[^\]]*\]/, '"failed": []')],
    ["another time", text.replace("12:00", "13:00")],
    ["another bundle", text.replace(`"bundle": "0`, `"bundle": "1`)],
    ["another figure", text.replace("2.5", "25")],
    ["a commit that was taken out", changed(({ commit: _, ...rest }) => rest)],
    ["another digest", changed((all) => ({ ...all, digest }))],
  ])("is refused with %s", (_, written) => {
    expect(written).not.toBe(text);
    const error = thrownBy(() => read(written));
    expect(error).toMatchObject({ code: "evidence-invalid", parts: { where: "evidence.json" } });
    expect(error.message).toContain("the evidence was changed after it was written");
  });

  it.each<[string, string]>([
    ["no JSON", "{"],
    ["nothing", ""],
    ["no map", "[]"],
    ["another version", changed((all) => ({ ...all, evidenceVersion: 2 }))],
    ["fields that nobody knows", changed((all) => ({ ...all, more: 1 }))],
    ["no digest", changed(({ digest: _, ...rest }) => rest)],
  ])("is refused when it is %s", (_, written) => {
    expect(thrownBy(() => read(written))).toMatchObject({ code: "evidence-invalid" });
  });
});
