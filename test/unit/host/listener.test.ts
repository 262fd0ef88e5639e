import { describe, expect, it } from "vitest";

import { findListener, parseLsof, parseSs } from "../../../src/host/listener.js";
import { ToolHost } from "../support/tool-host.js";

describe("findListener", () => {
  const ss = 'LISTEN 0      128    0.0.0.0:8080 0.0.0.0:*    users:(("my engine",pid=4711,fd=6),("x",pid=5,fd=6))\n';
  const unnamed = "LISTEN 0      128    0.0.0.0:8080 0.0.0.0:*\n";

  it.each([
    ["ss", { "ss -Hltnp sport = :8080": ss }, "my engine (pid 4711)"],
    [
      "lsof, where ss is not there or does not tell",
      { "ss -Hltnp sport = :8080": unnamed, "lsof -nP -iTCP:8080 -sTCP:LISTEN -Fpc": "p4711\ncpython3.11\nf6\n" },
      "python3.11 (pid 4711)",
    ],
    ["nothing", { "ss -Hltnp sport = :8080": unnamed }, undefined],
    ["no tool", {}, undefined],
  ])("names who listens on a port by %s", async (_, tools, found) => {
    expect(await findListener(new ToolHost(tools as Record<string, string>), 8080)).toBe(found);
  });

  it.each(["", "garbage", 'users:(("', 'users:(("a",pid=', "p\nc\n", "pX\ncname\n", "c1\np2\n"])(
    "makes nothing of %j",
    (text) => {
      expect([parseSs(text), parseLsof(text)]).toEqual([undefined, undefined]);
    },
  );
});
