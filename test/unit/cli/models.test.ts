import { describe, expect, it } from "vitest";

import { formatModels } from "../../../src/cli/models.js";

describe("formatModels", () => {
  const row = { host: "gpu1", sha256: "a".repeat(64), place: "in place", source: "acme/tiny@0123456" } as const;
  const files = [{ path: "m", sizeBytes: 2_500_000_000 }];
  const size = { files, sizeBytes: 2_500_000_000, incomplete: false, digests: [] };

  it("is a table with the total", () => {
    const lastUsed = new Date("2026-11-21T19:45:00Z");
    const cached = { ...row, ...size, place: "cache", source: "", users: [], lastUsed, incomplete: true } as const;
    const text = formatModels([{ ...row, ...size, users: ["chat", "code"], lastUsed: undefined }, cached]);
    const lines = text.split("\n").map((line) => line.trim().split(/ {2,}/));
    expect(lines).toEqual([
      ["HOST", "MODEL", "SOURCE", "FILES", "SIZE", "PLACE", "USERS", "LAST USE"],
      ["gpu1", "aaaaaaaaaaaa", "acme/tiny@0123456", "1", "2.5 GB", "in place", "chat", "now"],
      ["code"],
      ["gpu1", "aaaaaaaaaaaa", "m", "1", "2.5 GB", "cache, incomplete", "none", "2026-11-21 19:45"],
      ["5.0 GB in all; `berth models evict` removes 2.5 GB that nobody wants"],
    ]);
  });

  it("says when there are none", () => {
    expect(formatModels([])).toBe("no models");
  });
});
