import { describe, expect, it } from "vitest";

import { planBackendVersion } from "../../../src/resources/backend-version.js";

describe("planBackendVersion", () => {
  it.each([
    [{ installed: true, remains: true, drift: [] }, []],
    [{ installed: false, remains: false, drift: [] }, ["download", "install", "verify", "link"]],
    [{ installed: false, remains: true, drift: [] }, ["download", "remove", "install", "verify", "link"]],
    [{ installed: true, remains: true, drift: ["x was changed"] }, ["download", "remove", "install", "verify", "link"]],
  ])("of %j is %j", (seen, steps) => {
    expect(planBackendVersion(seen)).toEqual(steps);
  });
});
