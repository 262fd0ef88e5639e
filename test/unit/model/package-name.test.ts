import { describe, expect, it } from "vitest";

import { normalizeName } from "../../../src/model/package-name.js";

describe("normalizeName", () => {
  it.each([
    ["Gemma3_270m.GGUF", "gemma3-270m-gguf"],
    ["a-._-b", "a-b"],
    ["plain", "plain"],
  ])("of %s is %s", (name, normal) => {
    expect(normalizeName(name)).toBe(normal);
    expect(normalizeName(normal)).toBe(normal);
  });
});
