import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { readPins } from "../../../src/lock/requirement-pins.js";
import { parseRequirements } from "../../support/requirements.js";
import { repository } from "../../support/toolchain.js";

const hash = (letter: string) => letter.repeat(64);

describe("the packages of a requirements file", () => {
  it("are names, versions and hashes, over lines that end in a backslash", () => {
    const text = [
      "# made by uv",
      "torch==2.8.0+cu128 ; sys_platform == 'linux' \\",
      `    --hash=sha256:${hash("a")} \\`,
      `    --hash=sha256:${hash("b")}`,
      "",
      `uvicorn[standard]==0.30 --hash=sha256:${hash("c")}`,
    ].join("\n");
    expect(readPins(text)).toEqual([
      { name: "torch", version: "2.8.0+cu128", sha256s: [hash("a"), hash("b")] },
      { name: "uvicorn", version: "0.30", sha256s: [hash("c")] },
    ]);
  });

  it.each(["pip", "pipx", "supervisor", "uv"])("of Berth's own %s are all found", (tool) => {
    const text = readFileSync(join(repository, "tools", "python", `${tool}.txt`), "utf8");
    const expected = parseRequirements(text).map(({ name, version, hashes }) => ({ name, version, sha256s: hashes }));
    expect(readPins(text)).toEqual(expected);
  });

  it("are not what has no version of its own", () => {
    expect(readPins(`--index-url https://example.net\nsix>=1\n./six.whl\n-r other.txt\n`)).toEqual([]);
  });
});
