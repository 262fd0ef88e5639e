import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { probeVersion, type PipxArtifact } from "../../../src/install/pipx.js";
import { temporaryFolder } from "../support/temporary-folder.js";

describe("probeVersion", () => {
  const artifact: PipxArtifact = {
    backend: "engine",
    version: "1",
    package: "engine",
    requirements: { file: "engine/1.txt", sha256: "a".repeat(64) },
  };
  const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });

  async function probe(script: string): Promise<string> {
    const engine = join(await temporaryFolder(), "engine");
    await writeFile(engine, `#!/bin/sh\n${script}\n`);
    await chmod(engine, 0o755);
    return probeVersion({ host }, artifact, engine);
  }

  it("takes the version as a word of what the engine tells", async () => {
    expect(await probe("echo engine 1")).toBe("1");
  });

  it.each([
    { what: "another version", script: "echo engine 1.1", got: "engine 1.1" },
    { what: "nothing but an exit code, even one that reads like the version", script: "exit 1", got: "exit code 1" },
  ])("refuses $what", async ({ script, got }) => {
    await expect(probe(script)).rejects.toMatchObject({ code: "install-failed", parts: { got } });
  });
});
