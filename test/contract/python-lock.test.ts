import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { baseEnvironment } from "../../src/host/environment.js";
import { gatherPython } from "../../src/host/facts.js";
import { LocalHost } from "../../src/host/local.js";
import { createContent } from "../../src/install/content.js";
import type { PythonContext } from "../../src/install/python.js";
import { BerthError } from "../../src/lib/errors.js";
import { Serial } from "../../src/lib/serial.js";
import { lockRequirements } from "../../src/lock/python-lock.js";
import type { LockRequest } from "../../src/lock/python-lock-request.js";
import { servePackages, type IndexOptions, type TinyWheel } from "../support/package-index.js";
import { parseRequirements } from "../support/requirements.js";
import { repository } from "../support/toolchain.js";

const folder = mkdtempSync(join(tmpdir(), "berth python lock "));
const host = new LocalHost("here", baseEnvironment(process.env));
let context: PythonContext;

beforeAll(async () => {
  const { python } = await gatherPython(host);
  if (python === undefined) throw new Error("there is no Python");
  context = {
    host,
    dataDir: join(folder, "data"),
    python: python.path,
    content: createContent(repository, repository),
    serial: new Serial(),
    indexUrl: process.env.PIP_INDEX_URL,
  };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const request: LockRequest = {
  package: "engine",
  version: "1.0",
  extras: [],
  pins: [],
  constraints: [],
  python: ">=3.10,<3.14",
  platforms: [{ os: "linux", arch: "x64" }],
  indexUrl: undefined,
};

async function index(wheels: readonly TinyWheel[], options?: IndexOptions) {
  const server = await servePackages(mkdtempSync(join(folder, "index-")), wheels, options);
  onTestFinished(() => server.close());
  return server;
}

async function refusal(wheels: readonly TinyWheel[], changes: Partial<LockRequest> = {}, options?: IndexOptions) {
  const { address } = await index(wheels, options);
  const error: unknown = await lockRequirements(context, { ...request, indexUrl: address, ...changes }).then(
    (text) => new Error(`no error but ${text}`),
    (caught: unknown) => caught,
  );
  if (error instanceof BerthError) return error;
  throw error;
}

const names = (text: string) => parseRequirements(text).map(({ name, version }) => `${name}==${version}`);

describe("a lock of Python packages", () => {
  it("holds the package and all it needs, each with every hash of its files on the index", async () => {
    const { address, hashes } = await index([
      { name: "engine", version: "1.0", requires: ["tokens>=2"] },
      { name: "tokens", version: "2.1", tag: "cp310-abi3-manylinux_2_28_x86_64", requires: ["base"] },
      { name: "tokens", version: "2.1", tag: "cp310-abi3-manylinux_2_28_aarch64", requires: ["base"] },
      { name: "tokens", version: "1.0" },
      { name: "base", version: "0.1" },
      { name: "unrelated", version: "9" },
    ]);
    const text = await lockRequirements(context, { ...request, indexUrl: address });
    const entries = parseRequirements(text);
    expect(entries.map(({ name, version }) => `${name}==${version}`)).toEqual([
      "base==0.1",
      "engine==1.0",
      "tokens==2.1",
    ]);
    expect(entries.map((entry) => [...entry.hashes].sort())).toEqual([
      [hashes["base-0.1-py3-none-any.whl"]],
      [hashes["engine-1.0-py3-none-any.whl"]],
      [
        hashes["tokens-2.1-cp310-abi3-manylinux_2_28_aarch64.whl"],
        hashes["tokens-2.1-cp310-abi3-manylinux_2_28_x86_64.whl"],
      ].sort(),
    ]);
  });

  it("is the same, byte for byte, as long as the index is the same", async () => {
    const { address } = await index([
      { name: "engine", version: "1.0", requires: ["tokens", "base"] },
      { name: "tokens", version: "2.1" },
      { name: "base", version: "0.1" },
    ]);
    const lock = () => lockRequirements(context, { ...request, indexUrl: address });
    const [first, ...others] = [await lock(), await lock(), ...(await Promise.all([lock(), lock()]))];
    expect(others).toEqual([first, first, first]);
    expect(readdirSync(join(context.dataDir, "cache", "locks"))).toEqual([]);
  });

  it("is accepted by pip with --require-hashes, which then needs nothing else", async () => {
    const { address } = await index([
      {
        name: "engine",
        version: "1.0",
        requires: ["tokens ; python_version >= '3'", "winonly ; sys_platform == 'win32'"],
      },
      { name: "tokens", version: "2.1" },
      { name: "winonly", version: "1" },
    ]);
    const file = join(folder, "accepted.txt");
    writeFileSync(file, await lockRequirements(context, { ...request, python: ">=3.10", indexUrl: address }));
    const target = mkdtempSync(join(folder, "wheels-"));
    const hashed = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", file];
    const pip = ["-m", "pip", "download", "--quiet", "--isolated", "--index-url", address, "--dest", target];
    await execa(context.python, [...pip, ...hashed]);
    const here = process.platform === "linux" ? ["engine-1.0-py3-none-any.whl", "tokens-2.1-py3-none-any.whl"] : [];
    expect(readdirSync(target).sort()).toEqual(here);
  });

  it("takes extras, pins and constraints as they are asked for", async () => {
    const { address } = await index([
      { name: "engine", version: "1.0", extras: ["audio"], requires: ["tokens", "sound ; extra == 'audio'"] },
      { name: "tokens", version: "3.0" },
      { name: "tokens", version: "2.1" },
      { name: "sound", version: "1.2" },
      { name: "extra", version: "4.0" },
      { name: "extra", version: "3.9" },
    ]);
    const wanted = { extras: ["audio"], pins: ["extra==3.9"], constraints: ["tokens<3"], indexUrl: address };
    expect(names(await lockRequirements(context, { ...request, ...wanted }))).toEqual([
      ...["engine==1.0", "extra==3.9", "sound==1.2", "tokens==2.1"],
    ]);
  });

  it("chooses for each Python what has a wheel for it", async () => {
    const { address } = await index([
      { name: "engine", version: "1.0", requires: ["tokens"] },
      { name: "tokens", version: "2.0", python: ">=3.12" },
      { name: "tokens", version: "1.0" },
    ]);
    const text = await lockRequirements(context, { ...request, indexUrl: address });
    expect(names(text)).toEqual(["engine==1.0", "tokens==1.0", "tokens==2.0"]);
  });

  it("has hashes too where the index gives none: those of the files", async () => {
    const { address, hashes } = await index([{ name: "engine", version: "1.0" }], { withoutHashes: true });
    const [entry] = parseRequirements(await lockRequirements(context, { ...request, indexUrl: address }));
    expect(entry?.hashes).toEqual([hashes["engine-1.0-py3-none-any.whl"]]);
  });

  it("is made with the user and password of the index's address", async () => {
    const authorization = `Basic ${Buffer.from("ann:hun/ter2").toString("base64")}`;
    const { address } = await index([{ name: "engine", version: "1.0" }], { authorization });
    const indexUrl = address.replace("//", "//ann:hun%2Fter2@");
    const text = await lockRequirements(context, { ...request, indexUrl });
    expect(names(text)).toEqual(["engine==1.0"]);
    expect(text).not.toMatch(/hun|127\.0\.0\.1/);
  });
});

describe("a lock that cannot be", () => {
  it("names a package that has no wheel", async () => {
    const error = await refusal(
      [{ name: "engine", version: "1.0", requires: ["sourced==2.0"] }],
      {},
      { listed: [{ name: "sourced", file: "sourced-2.0.tar.gz" }] },
    );
    expect(error.code).toBe("packages-unsolvable");
    expect(error.message).toContain("no wheel of a package, and Berth installs only wheels");
    expect(error.parts.got).toBe("sourced==2.0");
  });

  it("names a package that has no wheel for one of the platforms", async () => {
    const error = await refusal(
      [
        { name: "engine", version: "1.0", requires: ["tokens==2.1"] },
        { name: "tokens", version: "2.1", tag: "cp310-abi3-manylinux_2_28_x86_64" },
      ],
      { platforms: [...request.platforms, { os: "linux", arch: "arm64" }] },
    );
    expect(error.code).toBe("packages-unsolvable");
    expect(error.parts.got).toBe("tokens==2.1");
    expect(error.parts.expected).toBe("a wheel for linux x64, linux arm64, Python >=3.10,<3.14");
  });

  it("names a package that has no wheel for one of the Python versions", async () => {
    const error = await refusal([
      { name: "engine", version: "1.0", requires: ["tokens==2.1"] },
      { name: "tokens", version: "2.1", tag: "cp312-cp312-manylinux_2_28_x86_64" },
    ]);
    expect(error.code).toBe("packages-unsolvable");
    expect(error.parts.got).toBe("tokens==2.1");
  });

  it("shows uv's explanation of versions that do not fit together", async () => {
    const error = await refusal([
      { name: "engine", version: "1.0", requires: ["tokens>=2", "other"] },
      { name: "other", version: "1.0", requires: ["tokens<2"] },
      { name: "tokens", version: "2.1" },
      { name: "tokens", version: "1.0" },
    ]);
    expect(error.code).toBe("packages-unsolvable");
    expect(error.message).toContain("no versions of the packages fit together");
    expect(error.parts.detail).toMatch(/other depend on tokens<2/);
    expect(error.parts.detail?.split("\n").length).toBeLessThanOrEqual(15);
  });

  it("says which Python the package needs", async () => {
    const error = await refusal([{ name: "engine", version: "1.0", python: ">=3.12" }]);
    expect(error.code).toBe("packages-unsolvable");
    expect(error.parts).toMatchObject({ what: "a package needs another Python", got: ">=3.10,<3.14" });
    expect(error.parts.expected).toBe(">=3.12");
  });

  it("says what the index does not have", async () => {
    const version = await refusal([{ name: "engine", version: "2.0" }]);
    expect(version.code).toBe("index-unreachable");
    expect(version.parts.got).toBe("engine==1.0");
    const needed = await refusal([{ name: "engine", version: "1.0", requires: ["nowhere"] }]);
    expect(needed.code).toBe("index-unreachable");
    expect(needed.parts.got).toBe("nowhere");
  });

  it("says that an index does not answer, and shows no password of it", async () => {
    const server = await servePackages(mkdtempSync(join(folder, "index-")), []);
    await server.close();
    const indexUrl = server.address.replace("//", "//ann:hunter2@");
    const error = await refusal([], { indexUrl });
    expect(error.code).toBe("index-unreachable");
    expect(error.message).toContain("the package index did not answer");
    expect(error.message).not.toMatch(/hunter2|ann:/);
  });

  it("says that an index refuses the password, and does not show it", async () => {
    const { address } = await index([{ name: "engine", version: "1.0" }], { authorization: "Basic other" });
    const error = await refusal([], { indexUrl: address.replace("//", "//ann:hunter2@") });
    expect(error.code).toBe("index-unreachable");
    expect(error.message).not.toContain("hunter2");
  });

  it("shows nothing of what is no address", async () => {
    const error = await refusal([], { indexUrl: "ftp://ann:hunter2@files" });
    expect(error.code).toBe("index-unreachable");
    expect(error.message).not.toContain("hunter2");
  });
});
