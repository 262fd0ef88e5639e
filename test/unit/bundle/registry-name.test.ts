import { describe, expect, it } from "vitest";

import { assertRegistry } from "../../../src/bundle/registry-name.js";
import { thrownBy } from "../support/thrown.js";

describe("a registry that is pushed to", () => {
  it.each(["ghcr.io", "localhost:5000", "registry.example.net:5000/hub/team"])("may be %s", (name) => {
    expect(() => assertRegistry(name)).not.toThrow();
  });

  it.each(["", "hub", "https://ghcr.io", "ghcr.io/../hub", "ghcr.io/hub/", "ghcr.io/a\nb"])("is not %j", (name) => {
    expect(thrownBy(() => assertRegistry(name))).toMatchObject({ code: "usage", parts: { got: name } });
  });

  it.each([
    "ann:canary-1f@ghcr.io",
    "https://ann:canary-1f@ghcr.io/hub",
    "ann:canary-1f@with-at@ghcr.io",
    "ann:canary-1f\n@ghcr.io",
  ])("with a login is refused, and nothing tells the password", (name) => {
    const error = thrownBy(() => assertRegistry(name));
    expect(error).toMatchObject({ code: "usage", parts: { what: "a registry is named without a login" } });
    expect(String(error)).toContain("docker login");
    expect(JSON.stringify([String(error), error])).not.toContain("canary-1f");
  });
});
