import { describe, expect, it } from "vitest";

import { judgeTools } from "../../../../src/cli/examinations/tools.js";
import { survey, without } from "./surveys.js";

describe("judgeTools", () => {
  it("is content with what Debian has", () => {
    expect(judgeTools(survey(), "ssh").map(({ state, found }) => [state, found])).toEqual([
      ["good", "all that Berth uses"],
      ["good", "curl"],
    ]);
  });

  it.each<[string, Partial<ReturnType<typeof survey>>, string, string]>([
    [
      "no mktemp and no ps",
      { tools: without("mktemp", "ps") },
      "missing: ps, mktemp",
      "apt-get install coreutils procps",
    ],
    ["no setsid", { tools: without("setsid") }, "missing: setsid", "apt-get install util-linux"],
    ["busybox' stat", { gnu: new Set(["grep"]) }, "not GNU's: stat", "apt-get install coreutils"],
    ["no digests", { tools: without("sha256sum", "shasum") }, "missing: sha256sum", "apt-get install coreutils"],
    ["nothing to download by", { tools: without("curl"), gnu: new Set(["stat", "grep"]) }, "neither curl", "curl"],
  ])("tells of a host with %s what to install", (_, changes, found, mend) => {
    const [finding, ...others] = judgeTools(survey(changes), "ssh").filter(({ state }) => state === "bad");
    expect(others).toEqual([]);
    expect(finding?.found).toContain(found);
    expect(finding?.mend).toContain(mend);
  });

  it("says of a host that has only wget what it cannot do", () => {
    const [, downloads] = judgeTools(survey({ tools: without("curl") }), "ssh");
    expect(downloads).toMatchObject({ state: "note", found: "GNU wget; models that need a token need curl" });
  });

  it("asks little of this machine, and perl of macOS by ssh", () => {
    const few = survey({ tools: without("curl", "dd", "setsid", "mktemp"), gnu: new Set() });
    expect(judgeTools(few, "local")).toMatchObject([{ state: "good" }]);
    const mac = survey({ os: "Darwin", gnu: new Set(), tools: without("setsid", "sha256sum", "perl") });
    expect(judgeTools(mac, "ssh")[0]?.found).toBe("missing: perl");
  });
});
