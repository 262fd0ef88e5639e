import { cp, mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { BundleFolder } from "../../src/bundle/folder.js";
import { findGaps, loadHost } from "../../src/bundle/load.js";
import { wheelsOf } from "../../src/bundle/wheel-gaps.js";
import { baseEnvironment } from "../../src/host/environment.js";
import { gatherPython } from "../../src/host/facts.js";
import { LocalHost } from "../../src/host/local.js";
import { createContent } from "../../src/install/content.js";
import { installEnvironment, prepareInstallation, probeVersion } from "../../src/install/pipx.js";
import { pythonTag } from "../../src/install/python.js";
import { sha256 } from "../../src/lib/canonical.js";
import { Serial } from "../../src/lib/serial.js";
import type { PackagesNeed } from "../../src/lock/needs.js";
import { readPins } from "../../src/lock/requirement-pins.js";
import type { BundleFile } from "../../src/schema/bundle.js";
import { bundleFolder, here, makeBundle, needing, removeBundle } from "../support/bundles.js";
import { repository } from "../support/toolchain.js";

const fake = join(repository, "test", "support", "fake-backend");
const nobody = "http://127.0.0.1:9/simple";

describe("packages of a bundle", () => {
  const host = new LocalHost("local", baseEnvironment({ PATH: process.env.PATH, HOME: process.env.HOME }));
  let root: string;
  let folder: BundleFolder;
  let packages: PackagesNeed[];
  let contents: BundleFile;
  let python: { path: string; version: string };

  beforeAll(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), "berth-wheels-")));
    await cp(fake, join(root, "backends"), { recursive: true });
    folder = await bundleFolder();
    const found = (await gatherPython(host)).python;
    if (found === undefined) throw new Error("it needs a Python");
    python = found;
    packages = [
      await needOf("pip", join(repository, "tools", "python", "pip.txt")),
      await needOf("pipx", join(repository, "tools", "python", "pipx.txt")),
      await needOf(undefined, join(fake, "fake", "requirements.txt")),
    ];
    ({ contents } = await makeBundle(folder, { packages }, { defaultIndex: process.env.PIP_INDEX_URL }));
  });
  afterAll(async () => {
    await removeBundle(folder);
    await rm(root, { recursive: true, force: true });
  });

  async function needOf(tool: PackagesNeed["tool"], path: string): Promise<PackagesNeed> {
    const text = await readFile(path, "utf8");
    const requirements = {
      file: tool === undefined ? "fake/requirements.txt" : `tools/python/${tool}.txt`,
      sha256: sha256(text),
    };
    const hosts = [{ ...here, python: python.version }];
    return {
      of: tool ?? "fake 1",
      hosts,
      tool,
      requirements,
      launcher: undefined,
      pins: readPins(text),
      indexUrl: undefined,
    };
  }

  it("are wheels by their pinned hashes, and asked for once", async () => {
    for (const need of packages) expect(wheelsOf(need, contents.files).length).toBeGreaterThan(0);
    expect(findGaps(contents, needing({ packages }))).toEqual([]);
    const { contents: again } = await makeBundle(folder, { packages }, { defaultIndex: nobody });
    expect(again.files).toEqual(contents.files);
  });

  it("install an engine on a host that reaches no index", async () => {
    const dataDir = join(root, "host");
    const refuse = () => Promise.reject(new Error("no engine is asked for packages"));
    const tag = await pythonTag(host, python.path);
    const load = () =>
      loadHost({
        ...{ folder, contents, needs: needing({ packages }), place: { host, dataDir }, engine: refuse },
        ...{ store: { listLayers: refuse, load: refuse, forget: refuse }, tell: () => undefined },
        findTag: () => Promise.resolve(tag),
      });
    expect((await load()).files.length).toBeGreaterThan(0);
    expect((await load()).files).toEqual([]);

    const context = {
      ...{ host, dataDir, python: python.path, pythonTag: tag, indexUrl: nobody },
      ...{ content: createContent(repository, root), serial: new Serial() },
    };
    const requirements = { file: "fake/requirements.txt", sha256: packages[2]?.requirements.sha256 ?? "" };
    const launcherText = await readFile(join(fake, "fake", "launcher.py"), "utf8");
    const launcher = { file: "fake/launcher.py", sha256: sha256(launcherText) };
    const artifact = { backend: "fake", version: "1", package: "six", requirements, launcher };
    await prepareInstallation(context, artifact, join(dataDir, "environment"));
    const environment = await installEnvironment(context, artifact, join(dataDir, "environment"));
    await probeVersion(context, artifact, environment);
  });
});
