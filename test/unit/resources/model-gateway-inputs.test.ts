import { describe, expect, it } from "vitest";

import { assertDistinctKeys } from "../../../src/resources/model-gateway-inputs.js";
import { thrownBy } from "../support/thrown.js";

const host = { name: "gw", connection: "local", dataDir: "/d" } as const;

describe("the keys of a gateway", () => {
  it("are each of one name, which is told without any key", () => {
    const clientKeys = { ci: "the-key", web: "another", all: "the-key" };
    const { code, message } = thrownBy(() => assertDistinctKeys({ host, clientKeys }));
    expect([code, message]).toEqual(["stack-inconsistent", expect.stringContaining("got: all and ci")]);
    expect(message).not.toContain("the-key");
  });

  it("may be as many as there are keys", () => {
    expect(() => assertDistinctKeys({ host, clientKeys: { ci: "a", web: "b" } })).not.toThrow();
    expect(() => assertDistinctKeys({ host, clientKeys: {} })).not.toThrow();
  });
});
