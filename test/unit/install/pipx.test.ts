import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { probeVersion, type PipxArtifact } from "../../../src/install/pipx.js";
import { temporaryFolder } from "../support/temporary-folder.js";

describe("probeVersion", () => {
  const artifact: PipxArtifact = {
    backend: "engine",
    version: "v1",
    package: "engine",
    requirements: { file: "engine/1.txt", sha256: "a".repeat(64) },
  };
  const launcher = { file: "engine/launcher.py", sha256: "b".repeat(64) };
  const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });

  /** An environment whose Python, and whose engine, do what the scripts say. */
  async function probe(scripts: { python?: string; engine?: string }, changes: Partial<PipxArtifact> = {}) {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "bin"));
    for (const name of ["python", "engine"] as const) {
      await writeFile(join(folder, "bin", name), `#!/bin/sh\n${scripts[name] ?? "exit 1"}\n`);
      await chmod(join(folder, "bin", name), 0o755);
    }
    return probeVersion({ host }, { ...artifact, ...changes }, { folder, executable: join(folder, "bin", "engine") });
  }

  it("takes what the environment says of the package, without the version's leading v", async () => {
    await expect(probe({ python: "echo 1" })).resolves.toBeUndefined();
  });

  it("takes the package's own version, where the backend's is another", async () => {
    await expect(probe({ python: "echo 0.5" }, { packageVersion: "0.5" })).resolves.toBeUndefined();
  });

  it("takes the version as a word of what a launcher tells", async () => {
    await expect(probe({ engine: "echo engine v1" }, { launcher })).resolves.toBeUndefined();
  });

  it.each([
    { what: "another version", script: "echo 1.1", got: "1.1" },
    { what: "nothing but an exit code, even one that reads like the version", script: "exit 1", got: "exit code 1" },
  ])("refuses $what", async ({ script, got }) => {
    const expected = { code: "install-failed", parts: { got } };
    await expect(probe({ python: script })).rejects.toMatchObject(expected);
    await expect(probe({ engine: script }, { launcher })).rejects.toMatchObject(expected);
  });
});
