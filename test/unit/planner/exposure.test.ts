import { describe, expect, it } from "vitest";

import { allowAddress, keyVariable } from "../../../src/planner/exposure.js";
import { problemOf, chat, stackOf } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

describe("allowAddress", () => {
  const anybody = ["0.0.0.0", "::", "192.168.1.5", "2001:db8::1"];
  const nobody = ["127.0.0.1", "::1"];

  it.each(nobody)("allows %s, which only this machine reaches, without a key", (bindAddress) => {
    expect(allowAddress({ bindAddress, insecure: false }, false, "deployment chat")).toBe(bindAddress);
  });

  it.each(anybody)("allows %s with a key, or when none is wanted", (bindAddress) => {
    expect(allowAddress({ bindAddress, insecure: false }, true, "deployment chat")).toBe(bindAddress);
    expect(allowAddress({ bindAddress, insecure: true }, false, "deployment chat")).toBe(bindAddress);
  });

  it.each(anybody)("refuses %s without either", (bindAddress) => {
    const error = thrownBy(() => allowAddress({ bindAddress, insecure: false }, false, "deployment chat"));
    expect([error.code, error.message]).toEqual([
      "stack-inconsistent",
      [
        "deployment chat: an address that others can reach needs a key",
        `  got: ${bindAddress}`,
        "  expected: `apiKey`, or `insecure: true`",
        "  to do: add `apiKey: { secret: NAME }`; with `insecure: true` anybody who reaches the address can use the model",
      ].join("\n"),
    ]);
  });
});

describe("keyVariable", () => {
  const { chat: release } = problemOf(stackOf({ chat: chat() })).release;
  if (release === undefined) throw new Error("the sample has a deployment");

  it("is the variable through which the engine takes its key", () => {
    expect(keyVariable(release, "deployment chat")).toBe("ENGINE_KEY");
  });

  it("is missing, and told, when the engine takes none", () => {
    const { apiKeyVariable: _, ...without } = release;
    expect(thrownBy(() => keyVariable(without, "deployment chat")).message).toBe(
      [
        "deployment chat: the backend takes no API key from its environment",
        "  got: engine",
        "  expected: a backend file with apiKeyVariable",
        "  to do: remove `apiKey`, or add apiKeyVariable to the backend file",
      ].join("\n"),
    );
  });
});
