import { describe, expect, it } from "vitest";

import * as berth from "../../src/index.js";

describe("the package", () => {
  it("gives programs its resources and components", () => {
    expect(Object.keys(berth)).toEqual(
      expect.arrayContaining([
        "BackendVersion",
        "Gateway",
        "Host",
        "Instance",
        "ModelDeployment",
        "ModelFiles",
        "Stack",
      ]),
    );
  });
});
