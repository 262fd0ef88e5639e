import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { describe, expect, it } from "vitest";

import { createContent, keptFile, keptFolder } from "../../../src/install/content.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { assertFiles, describeMissing, findUnneeded, keepFiles, neededFiles } from "../../../src/lock/kept-files.js";
import type { LockedInstall, Promotable } from "../../../src/schema/lock.js";
import { bundleOf, RecordedEnvironment } from "../support/bundles.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

const requirements = "six==1.17.0 --hash=sha256:00\n";
const launchers = { old: "# the launcher of 1\n", later: "# the launcher of 2\n" };

function pipx(launcher: keyof typeof launchers): LockedInstall {
  return {
    method: "pipx",
    package: "engine",
    requirements: { file: "engine/1.txt", sha256: sha256(requirements) },
    launcher: { file: "engine/launcher.py", sha256: sha256(launchers[launcher]) },
  };
}

const releaseOf = (...installs: LockedInstall[]): Promotable => ({
  release: Object.fromEntries(
    installs.map((install, index) => [`chat-${index}`, bundleOf(String(index), { install })]),
  ),
});

async function put(root: string, file: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, file)), { recursive: true });
  await writeFile(join(root, file), text);
}

async function projectWith(launcher: keyof typeof launchers) {
  const root = await temporaryFolder();
  await put(root, "backends/engine/1.txt", requirements);
  await put(root, "backends/engine/launcher.py", launchers[launcher]);
  return { root, content: createContent("/nowhere", root) };
}

const kept = async (root: string) => (await readdir(join(root, keptFolder))).sort();

describe("files beside backend files", () => {
  it("are kept by their content, each once, and read when the folder of backends has later ones", async () => {
    const { root, content } = await projectWith("old");
    const old = releaseOf(pipx("old"), pipx("old"));
    expect(await keepFiles(root, old, content.backendFile)).toEqual([]);
    const names = [sha256(requirements), sha256(launchers.old)].map((digest) => `sha256-${digest}`);
    expect(await kept(root)).toEqual(names.sort());

    await rm(join(root, "backends"), { recursive: true });
    await put(root, "backends/engine/launcher.py", launchers.later);
    for (const file of neededFiles(old)) expect(sha256(await content.backendFile(file))).toBe(file.sha256);
    await expect(assertFiles(old, content.backendFile)).resolves.toBeUndefined();
  });

  it("are not taken from a kept file that was changed, which is written again where the right one is there", async () => {
    const { root, content } = await projectWith("old");
    const old = releaseOf(pipx("old"));
    await keepFiles(root, old, content.backendFile);
    const path = keptFile(sha256(launchers.old));
    await put(root, path, "another");
    await put(root, "backends/engine/launcher.py", launchers.later);
    const refused = await rejectionOf(
      content.backendFile({ file: "engine/launcher.py", sha256: sha256(launchers.old) }),
    );
    expect([refused.code, refused.message]).toEqual(["checksum-mismatch", expect.stringContaining(path)]);

    await put(root, "backends/engine/launcher.py", launchers.old);
    expect(await keepFiles(root, old, content.backendFile)).toEqual([]);
    expect(await readFile(join(root, path), "utf8")).toBe(launchers.old);
  });

  it("that are nowhere are told with the version that needs them, and refused where a release would go on", async () => {
    const { root, content } = await projectWith("later");
    const missing = await keepFiles(root, releaseOf(pipx("old")), content.backendFile);
    expect(describeMissing(missing)).toEqual([
      expect.stringMatching(/^engine 0: its engine\/launcher\.py of sha256 [0-9a-f]{12} is nowhere, /),
    ]);
    const refused = await rejectionOf(assertFiles(releaseOf(pipx("old")), content.backendFile));
    expect([refused.code, refused.message]).toEqual(["artifact-gone", expect.stringContaining("engine/launcher.py")]);
  });

  it("are the keys of signers too; what a lock resolved stays where it is", () => {
    const key = { file: "engine/key.pem", sha256: sha256("key") };
    const signature = { key, value: "AA==" };
    const file = { os: "linux", arch: "x64", url: "https://x/y", sha256: sha256("y"), unpackedBytes: 1, signature };
    const digest = `sha256:${sha256("image")}`;
    const needed = neededFiles(
      releaseOf(
        { method: "binary", artifacts: [file, { ...file, arch: "arm64" }] },
        {
          ...{ method: "image", reference: "team/engine", digest },
          signature: { ...signature, format: "simpleSigning", payload: "{}" },
        },
        {
          ...{ method: "pipx", package: "engine", request: sha256("request") },
          requirements: { file: "requirements/engine_1.txt", sha256: sha256("resolved") },
        },
        { method: "manual" },
      ),
    );
    expect(needed.map(({ file: name, isResolved }) => [name, isResolved])).toEqual([
      ["engine/key.pem", false],
      ["requirements/engine_1.txt", true],
    ]);
  });

  it("are not needed any more when no lock has them, and no promotion has had them", async () => {
    const { root, content } = await projectWith("old");
    await keepFiles(root, releaseOf(pipx("old")), content.backendFile);
    await put(root, "backends/engine/launcher.py", launchers.later);
    await keepFiles(root, releaseOf(pipx("later")), content.backendFile);
    await put(root, `${keptFolder}/README.md`, "somebody's own");

    const prod = new RecordedEnvironment(releaseOf(pipx("old")));
    prod.move(releaseOf(pipx("later")));
    const locks = [releaseOf(pipx("later"))];
    expect(await findUnneeded(root, locks, prod.records)).toEqual([]);
    expect(await findUnneeded(root, locks, [])).toMatchObject([
      { path: keptFile(sha256(launchers.old)), sizeBytes: launchers.old.length },
    ]);
  });
});
