import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { backendVersionInputs } from "../../../src/resources/backend-version-inputs.js";
import { backendVersionKind } from "../../../src/resources/backend-version.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { rejectionOf } from "../support/thrown.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const script = "#!/bin/sh\necho engine version 1.0\n";

/** A host on which an administrator may put executables, and a version that he installs. */
async function setUp(changes: Record<string, unknown> = {}) {
  const folder = await temporaryFolder();
  const dataDir = join(folder, "data dir");
  const reference = { name: "local", connection: "local" as const, dataDir };
  const inputs = backendVersionInputs.parse({
    name: "local.engine_1.0",
    owner: "shop/dev",
    host: reference,
    backend: "engine",
    version: "1.0",
    method: "manual",
    versionProbe: { pattern: "version {{version}}" },
    ...changes,
  });
  let ids = 0;
  const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });
  const context = { ...contextOf(host), reference, newId: () => `id-${(ids += 1)}` };
  const path = join(dataDir, "bin", "engine_1.0");
  await mkdir(join(dataDir, "bin"), { recursive: true });
  const observe = () => backendVersionKind.observe(context, inputs, undefined);
  async function converge() {
    const { operation, steps } = operationOf();
    await backendVersionKind.converge(context, operation, inputs);
    return steps;
  }
  async function put(text = script, mode = 0o755) {
    await rm(path, { force: true });
    await writeFile(path, text);
    await chmod(path, mode);
  }
  const remove = () =>
    backendVersionKind.remove(context, operationOf().operation, {
      owner: "shop/dev",
      name: inputs.name,
      uses: "backends/engine_1.0",
    });
  return { path, folder, observe, converge, put, remove };
}

describe("an administrator's executable", () => {
  it("is verified and adopted where it is, and left there when nobody wants it any more", async () => {
    const { path, observe, converge, put, remove } = await setUp({ sha256: sha256(script) });
    await put();
    expect((await observe()).drift).toEqual(["is not installed"]);
    expect(await converge()).toEqual(["verify the administrator's executable"]);
    expect(await observe()).toEqual({ executable: path, installation: "id-1", drift: [] });
    expect(await converge()).toEqual([]);
    await remove();
    expect(await readFile(path, "utf8")).toBe(script);
  });

  it("may be a link of his to where it truly is", async () => {
    const { path, folder, observe, converge } = await setUp();
    await writeFile(join(folder, "engine"), script);
    await chmod(join(folder, "engine"), 0o755);
    await symlink(join(folder, "engine"), path);
    await converge();
    expect((await observe()).drift).toEqual([]);
  });

  it("is drift when it was replaced by hand, and the next up verifies what is there then", async () => {
    const { path, observe, converge, put } = await setUp();
    await put();
    await converge();
    await put(`${script}# newer\n`);
    const { drift } = await observe();
    expect(drift).toEqual([expect.stringMatching(new RegExp(`${path} has \\d+ bytes, expected \\d+`))]);
    await converge();
    expect(await observe()).toMatchObject({ installation: "id-2", drift: [] });
  });

  it.each([
    ["is not there", undefined, 0o755, {}, "file-not-found"],
    ["has no executable bit", script, 0o644, {}, "host-unsuitable"],
    ["is not the one that is pinned", script, 0o755, { sha256: "0".repeat(64) }, "checksum-mismatch"],
    ["tells another version", "#!/bin/sh\necho engine version 1.1\n", 0o755, {}, "install-failed"],
  ] as const)("is refused when it %s, and nothing is remembered", async (_, text, mode, changes, code) => {
    const { observe, converge, put } = await setUp(changes);
    if (text !== undefined) await put(text, mode);
    expect((await rejectionOf(converge())).code).toBe(code);
    expect((await observe()).drift).toEqual(["is not installed"]);
  });

  it("is not replaced by an installation of Berth's", async () => {
    const { path, put, converge } = await setUp({
      method: "pipx",
      package: "engine",
      requirements: { file: "engine/1.0.txt", sha256: "a".repeat(64) },
    });
    await put();
    const error = await rejectionOf(converge());
    expect([error.code, error.parts.hint]).toEqual(["host-foreign", "use it with `install: manual`, or move it away"]);
    expect((await stat(path)).size).toBe(script.length);
  });
});
