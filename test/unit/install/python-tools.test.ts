import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { repository } from "../support/repository.js";

describe("Berth's own Python tools", () => {
  const tools = join(repository, "tools/python");

  it.each(readdirSync(tools).filter((file) => file.endsWith(".txt")))("%s has a hash for every package", (file) => {
    const lines = readFileSync(join(tools, file), "utf8").replaceAll("\\\n", " ").split("\n");
    const requirements = lines.filter((line) => !/^\s*(?:#|$)/.test(line));
    expect(requirements.length).toBeGreaterThan(0);
    for (const line of requirements)
      expect(line).toMatch(/^[\w.-]+==[\w.+!-]+(?:\s*;[^#]+?)?(?:\s+--hash=sha256:[0-9a-f]{64})+(?:\s+#.*)?\s*$/);
  });
});
