import { describe, expect, it } from "vitest";

import { defaultDataDir } from "../../../src/host/facts.js";

describe("defaultDataDir", () => {
  it("is where the system keeps such things, for root and for others", () => {
    expect(defaultDataDir({ user: "root", home: "/root" })).toBe("/var/lib/berth");
    expect(defaultDataDir({ user: "ada", home: "/home/ada" })).toBe("/home/ada/.local/share/berth");
  });
});
