import { existsSync } from "node:fs";
import { chmod, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { baseEnvironment } from "../../src/host/environment.js";
import { gatherPython } from "../../src/host/facts.js";
import { LocalHost } from "../../src/host/local.js";
import { createContent } from "../../src/install/content.js";
import {
  downloadWheels,
  installEnvironment,
  probeVersion,
  type PipxEnvironment,
  type PipxArtifact,
  type PipxContext,
} from "../../src/install/pipx.js";
import { assertPython, ensurePythonTool, pythonTag } from "../../src/install/python.js";
import { sha256 } from "../../src/lib/canonical.js";
import { Serial } from "../../src/lib/serial.js";
import { serveFiles, type Answer, type FileServer } from "../support/file-server.js";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const packageName = "berth-test-engine";
const wheelName = "berth_test_engine-1.0-py3-none-any.whl";

const page: Answer = (_, response) =>
  response.writeHead(200, { "content-type": "text/html" }).end(`<a href="/${wheelName}">${wheelName}</a>`);

/** A wheel whose command `engine` tells a version. */
async function makeWheel(folder: string, told: string): Promise<Buffer> {
  const output = join(folder, wheelName);
  const source = `def main():\n    print("engine ${told}")\n`;
  const module = packageName.replaceAll("-", "_");
  const request = { name: packageName, version: "1.0", module, command: "engine", source, output };
  const script = join(repository, "tools", "python", "launcher_wheel.py");
  await execa("python3", ["-I", script], { input: JSON.stringify(request) });
  return readFile(output);
}

describe("installing by pipx where things go wrong", () => {
  let root: string;
  let wheel: Buffer;
  let otherWheel: Buffer;
  let files: Record<string, Answer>;
  let index: FileServer;
  let context: PipxContext;
  let artifact: PipxArtifact;
  let folder: string;
  let count = 0;

  beforeAll(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), "berth pipx ")));
    otherWheel = await makeWheel(root, "of somebody else");
    wheel = await makeWheel(root, "1.0");
    const requirements = `${packageName}==1.0 --hash=sha256:${sha256(wheel)}\n`;
    const base = baseEnvironment(process.env);
    const direct = `127.0.0.1,${base.no_proxy ?? base.NO_PROXY ?? ""}`;
    const host = new LocalHost("local", { ...base, NO_PROXY: direct, no_proxy: direct });
    const { python } = await gatherPython(host);
    if (python === undefined) throw new Error("this machine has no suitable Python");
    context = {
      host,
      dataDir: join(root, "host"),
      python: python.path,
      pythonTag: await pythonTag(host, python.path),
      content: { ...createContent(repository, repository), backendFile: () => Promise.resolve(requirements) },
      serial: new Serial(),
    };
    const reference = { file: "engine/requirements.txt", sha256: sha256(requirements) };
    artifact = { backend: "engine", version: "1.0", package: packageName, requirements: reference };
    await ensurePythonTool(context, "pip");
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  beforeEach(async () => {
    files = { [`/simple/${packageName}/`]: page, [`/${wheelName}`]: wheel };
    index = await serveFiles(files);
    count += 1;
    folder = join(root, "host", "backends", "engine_1.0", `id-${count}`);
    await rm(join(root, "host", "cache"), { recursive: true, force: true });
  });
  afterEach(() => index.close());

  /** The index of the tests, which has the engine and nothing else. */
  const fromIndex = () => ({ ...context, indexUrl: index.url("/simple") });

  async function expectInstalled(made: Promise<PipxEnvironment>): Promise<void> {
    await expect(probeVersion(context, artifact, await made)).resolves.toBeUndefined();
  }

  it("a wheel that is not the one that is pinned: refused by its hash, and the right one works", async () => {
    files[`/${wheelName}`] = otherWheel;
    await expect(downloadWheels(fromIndex(), artifact)).rejects.toMatchObject({
      code: "checksum-mismatch",
      parts: {
        where: "host local: engine 1.0",
        got: `sha256 ${sha256(otherWheel)}`,
        expected: `sha256 ${sha256(wheel)}`,
      },
    });
    expect(existsSync(folder)).toBe(false);
    files[`/${wheelName}`] = wheel;
    await downloadWheels(fromIndex(), artifact);
  });

  it("an index that does not have the wheel: says which, and works when it has", async () => {
    files[`/simple/${packageName}/`] = (_, response) => response.writeHead(404).end();
    await expect(downloadWheels(fromIndex(), artifact)).rejects.toMatchObject({
      code: "index-unreachable",
      parts: {
        got: expect.stringContaining(`${packageName}==1.0`) as string,
        expected: `the packages, from ${index.url("/simple")}`,
      },
    });
    files[`/simple/${packageName}/`] = page;
    await downloadWheels(fromIndex(), artifact);
  });

  it("no pipx, and an index that does not have it: says so, installs nothing, and works when it can be had", async () => {
    await downloadWheels(fromIndex(), artifact);
    await expect(installEnvironment(fromIndex(), artifact, folder)).rejects.toMatchObject({
      code: "index-unreachable",
      parts: {
        where: "host local: Berth's own pipx",
        got: expect.stringMatching(/^Could not find a version that satisfies the requirement \S+==/) as string,
        expected: `the packages, from ${index.url("/simple")}`,
      },
    });
    expect(existsSync(folder)).toBe(false);
    await expectInstalled(installEnvironment(context, artifact, folder));
  });

  it("a configured pipx that does not work: refused, no other one is taken, and a right one works", async () => {
    const bootstrapped = join(await ensurePythonTool(context, "pipx"), "pipx");
    const asked = join(root, "asked");
    const hostPipx = join(root, "host-pipx");
    await writeFile(hostPipx, `#!/bin/sh\necho "$@" >> "${asked}"\nexec "${bootstrapped}" "$@"\n`);
    await chmod(hostPipx, 0o755);
    await downloadWheels(fromIndex(), artifact);
    const wrong = { ...artifact, pipxPath: join(root, "no", "pipx") };
    await expect(installEnvironment({ ...fromIndex(), hostPipx }, wrong, folder)).rejects.toMatchObject({
      code: "host-unsuitable",
      parts: { got: `${wrong.pipxPath}: exit code 127`, expected: "a pipx that answers --version" },
    });
    expect(existsSync(folder)).toBe(false);
    expect(existsSync(asked)).toBe(false);
    await expectInstalled(installEnvironment(fromIndex(), { ...artifact, pipxPath: hostPipx }, folder));
    expect(existsSync(asked)).toBe(true);
  });

  it("a Python that is too old, or too new: refused with both versions, and a wider constraint works", async () => {
    const { python } = await gatherPython(context.host);
    const found = python ?? { path: "", version: "" };
    for (const wanted of [">=3.99", ">=3.2 <3.10"]) {
      expect(() => assertPython(found, wanted, "host local: engine 1.0")).toThrow(
        expect.objectContaining({
          code: "host-unsuitable",
          parts: expect.objectContaining({
            got: `Python ${found.version} (${found.path})`,
            expected: `Python ${wanted}`,
          }) as unknown,
        }),
      );
    }
    assertPython(found, ">=3.10 <4", "host local: engine 1.0");
  });
});
