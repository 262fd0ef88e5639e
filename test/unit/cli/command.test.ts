import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { repository } from "../../support/toolchain.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const { bin } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as {
  bin: { berth: string };
};

describe("the command that npm links", () => {
  it("is in the repository, and may be executed", () => {
    expect(statSync(join(repository, bin.berth)).mode & 0o111).toBe(0o111);
    expect(execFileSync("git", ["ls-files", bin.berth], { cwd: repository, encoding: "utf8" })).not.toBe("");
  });

  it("says what to do where nothing is built yet", async () => {
    const folder = await temporaryFolder();
    mkdirSync(join(folder, "tools"));
    cpSync(join(repository, bin.berth), join(folder, "tools", "berth.mjs"));
    const { status, stderr } = spawnSync(join(folder, "tools", "berth.mjs"), ["doctor"], { encoding: "utf8" });
    expect(stderr).toContain("to do: run `npm ci && npm run build`");
    expect(status).toBe(1);
  });
});
