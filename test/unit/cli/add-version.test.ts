import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { describe, expect, it } from "vitest";

import { addVersion, type AddVersionOptions } from "../../../src/cli/add-version.js";
import type { Workplace } from "../../../src/cli/workplace.js";
import { BerthError } from "../../../src/lib/errors.js";
import type { PinEdges } from "../../../src/lock/pin-edges.js";
import type { LockRequest } from "../../../src/lock/python-lock-request.js";
import type { ReleaseRequest } from "../../../src/lock/release-file.js";
import { backendFile } from "../../../src/schema/backend.js";
import { parseYaml } from "../../../src/schema/document.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

const digest = `sha256:${"d".repeat(64)}`;
const sha256 = "a".repeat(64);

/** A project with a backend `engine` of its own, and edges that answer and remember what they were asked. */
async function project(edges: Partial<PinEdges> = {}) {
  const root = await temporaryFolder();
  const notes: string[] = [];
  const asked: (string | LockRequest)[] = [];
  const remember = (what: string | LockRequest) => void asked.push(what);
  const workplace: Workplace = {
    environment: {},
    root,
    print: (text) => notes.push(text),
    note: (text) => notes.push(text),
  };
  const whole: PinEdges = {
    lockPackages: (request) => Promise.resolve(`${request.package}==${request.version} --hash=sha256:${sha256}\n`),
    fetchReleaseFile: () => Promise.resolve({ sha256, sizeBytes: 7 }),
    askImageDigest: () => Promise.resolve({ kind: "found", digest }),
    ...edges,
  };
  const recorded: PinEdges = {
    lockPackages: (request) => (remember(request), whole.lockPackages(request)),
    fetchReleaseFile: (request) => (remember(request.url), whole.fetchReleaseFile(request)),
    askImageDigest: (reference) => (remember(reference), whole.askImageDigest(reference)),
  };
  const write = async (file: string, text: string) => {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), text);
  };
  await write("backends/engine.yaml", engine);
  const add = (name: string, version: string, options: AddVersionOptions = {}) =>
    addVersion(workplace, name, version, options, recorded);
  const read = async (name: string) => {
    const text = await readFile(join(root, "backends", `${name}.yaml`), "utf8");
    return { text, backend: parseYaml(text, name, backendFile) };
  };
  return { root, notes, asked, add, read, write };
}

const engine = `# An engine of the project.
schemaVersion: 1
name: engine
runCommand: "{{model_path}} --port {{port}}"
versions:
  v1.8.0:
    env: { MODE: quick }
    runCommand: "old {{model_path}} --port {{port}}"
    knownFlags: [--old]
    install:
      binary:
        - { os: linux, arch: x64, url: "https://files.example/v1.8.0/engine-1.8.0-cuda-11.8.tar.gz", executable: engine-1.8.0/run }
        - { os: linux, arch: arm64, url: "https://files.example/v1.8.0/engine-1.8.0-arm64.zip", executable: run, unpackedBytes: 5 }
      pipx: { package: engine-py, extras: [audio], pins: [tokens==2], python: ">=3.11", os: [linux], acceleratorTypes: [cuda] }
      image: { reference: "example/engine:v1.8.0-cuda11.8", digest: "sha256:${"0".repeat(64)}", acceleratorTypes: [cuda] }
      manual: { sha256: "${"1".repeat(64)}" }
`;

describe("berth backend add-version", () => {
  it("writes every way to install that the version it is like has, pinned", async () => {
    const { add, read, asked, root } = await project();
    await add("engine", "v1.9.1");
    const { text, backend } = await read("engine");
    expect(text.startsWith(engine.trimEnd())).toBe(true);
    expect(text.slice(engine.trimEnd().length)).not.toMatch(/1\.8\.0|unpackedBytes: 8/);
    expect(backend.versions["v1.9.1"]).toMatchObject({
      env: { MODE: "quick" },
      runCommand: "old {{model_path}} --port {{port}}",
      install: {
        binary: [
          {
            url: "https://files.example/v1.9.1/engine-1.9.1-cuda-11.8.tar.gz",
            executable: "engine-1.9.1/run",
            sha256,
            sizeBytes: 7,
          },
          { url: "https://files.example/v1.9.1/engine-1.9.1-arm64.zip", unpackedBytes: 5 },
        ],
        pipx: { package: "engine-py", extras: ["audio"], requirements: "engine/v1.9.1.txt" },
        image: { reference: "example/engine:v1.9.1-cuda11.8", digest },
      },
    });
    // Neither the flags nor the administrator's file of one version are known of another.
    expect(backend.versions["v1.9.1"]?.knownFlags).toBeUndefined();
    expect(backend.versions["v1.9.1"]?.install.manual).toEqual({});
    expect(await readFile(join(root, "backends/engine/v1.9.1.txt"), "utf8")).toBe(
      `engine-py==1.9.1 --hash=sha256:${sha256}\n`,
    );
    expect(asked.find((one) => typeof one === "object")).toEqual({
      package: "engine-py",
      version: "1.9.1",
      extras: ["audio"],
      pins: ["tokens==2"],
      constraints: [],
      python: ">=3.11",
      platforms: [
        { os: "linux", arch: "x64" },
        { os: "linux", arch: "arm64" },
      ],
      indexUrl: undefined,
    });
  });

  it("asks for the same signer, whose signature is where the new version has it", async () => {
    const { add, read, write } = await project();
    const signature = 'signature: { key: keys/a.pub, url: "https://files.example/v1.8.0/engine.sigstore.json" }';
    await write("backends/engine.yaml", engine.replace("executable: run,", `executable: run, ${signature},`));
    await add("engine", "v1.9.1");
    const [, file] = (await read("engine")).backend.versions["v1.9.1"]?.install.binary ?? [];
    const url = "https://files.example/v1.9.1/engine.sigstore.json";
    expect(file?.signature).toEqual({ key: "keys/a.pub", url });
  });

  it("writes one method alone when asked to", async () => {
    const { add, read, asked } = await project();
    await add("engine", "v2.0.0", { method: "image" });
    const install = (await read("engine")).backend.versions["v2.0.0"]?.install;
    expect(Object.keys(install ?? {})).toEqual(["image"]);
    expect(asked).toEqual(["example/engine:v2.0.0-cuda11.8"]);
  });

  it("makes an overlay of a built-in backend, which says nothing but the version", async () => {
    const { add, read, asked } = await project();
    await add("llama-cpp", "b11500");
    const { text, backend } = await read("llama-cpp");
    expect(text).toMatch(
      /^# Versions of llama-cpp besides.*\nschemaVersion: 1\nname: llama-cpp\nversions:\n {2}b11500:\n/,
    );
    expect(Object.keys(backend.versions)).toEqual(["b11500"]);
    expect(asked[0]).toBe(
      "https://github.com/ggml-org/llama.cpp/releases/download/b11500/llama-b11500-bin-ubuntu-x64.tar.gz",
    );
    expect(asked.at(-1)).toBe("ghcr.io/ggml-org/llama.cpp:server-cuda-b11500");
  });

  it("is like a version that is named in the same manner, or like the one that is named", async () => {
    const { add, asked, notes } = await project();
    await add("llama-cpp", "2026.11.11600");
    expect(asked).toEqual([expect.objectContaining({ package: "xllamacpp", version: "2026.11.11600" })]);
    await add("llama-cpp", "b7000", { like: "b6987", method: "binary" });
    expect(asked[1]).toBe(
      "https://github.com/ggml-org/llama.cpp/releases/download/b7000/llama-b7000-bin-ubuntu-x64.zip",
    );
    expect(notes.at(-1)).toBe("backends/llama-cpp.yaml: llama-cpp b7000 added, like b6987");
  });

  it("pins a version that the catalogue has unpinned", async () => {
    const { add, read } = await project();
    await add("vllm", "0.11.2", { method: "image" });
    expect((await read("vllm")).backend.versions["0.11.2"]?.install.image).toMatchObject({
      reference: "vllm/vllm-openai:v0.11.2",
      digest,
      platforms: ["linux/amd64", "linux/arm64"],
    });
  });

  it("leaves an image unpinned, and says so, when the registry does not tell its digest", async () => {
    const { add, read, notes } = await project({
      askImageDigest: () => Promise.resolve({ kind: "refused", reason: "HTTP status 401" }),
    });
    await add("engine", "v1.9.1", { method: "image" });
    expect((await read("engine")).backend.versions["v1.9.1"]?.install.image?.digest).toBeUndefined();
    expect(notes).toContain(
      "   unpinned, because the registry did not tell: example/engine:v1.9.1-cuda11.8 (HTTP status 401)",
    );
  });

  it("leaves out a file that the release does not have, and says so", async () => {
    const { add, read, notes } = await project({
      fetchReleaseFile: ({ url }) =>
        url.includes("arm64") ? Promise.reject(notFound(url)) : Promise.resolve({ sha256, sizeBytes: 7 }),
    });
    await add("engine", "v1.9.1", { method: "binary" });
    expect((await read("engine")).backend.versions["v1.9.1"]?.install.binary).toHaveLength(1);
    expect(notes.join("\n")).toContain("left out, because the release does not have it: https://files.example/v1.9.1");
  });

  it.each([
    [
      "a release with no file at all",
      { fetchReleaseFile: ({ url }: ReleaseRequest) => Promise.reject(notFound(url)) },
      "download-failed",
    ],
    [
      "an image that does not exist",
      { askImageDigest: () => Promise.resolve({ kind: "unknown" as const }) },
      "download-failed",
    ],
    ["packages without a solution", { lockPackages: () => Promise.reject(unsolvable()) }, "packages-unsolvable"],
  ])("writes nothing for %s", async (_, edges, code) => {
    const { add, read, root } = await project(edges);
    const error = await rejectionOf(add("engine", "v1.9.1"));
    expect(error.code).toBe(code);
    expect((await read("engine")).text).toBe(engine);
    expect(await readdir(join(root, "backends"))).toEqual(["engine.yaml"]);
  });

  it("refuses what is there, what is no version and what it does not know, before it asks anybody", async () => {
    const { add, asked, root } = await project();
    expect((await rejectionOf(add("engine", "v1.8.0"))).message).toContain("has this version already");
    expect((await rejectionOf(add("engine", "../v2"))).code).toBe("usage");
    expect((await rejectionOf(add("nothing", "v2"))).code).toBe("backend-unknown");
    expect((await rejectionOf(add("engine", "v2.0.0", { like: "v7" }))).code).toBe("backend-unknown");
    expect(
      (await rejectionOf(add("llama-cpp", "2026.11.11600", { method: "image", like: "2026.10.11549" }))).code,
    ).toBe("usage");
    expect(asked).toEqual([]);
    expect(existsSync(join(root, "backends/nothing.yaml"))).toBe(false);
  });

  it("takes a version for the one that is there, with a v or without", async () => {
    const { add, asked, write } = await project();
    expect((await rejectionOf(add("engine", "1.8.0"))).message).toContain("has this version already");
    await write(
      "backends/llama-box.yaml",
      'schemaVersion: 1\nname: llama-box\nversions: { "0.0.171": { install: { image: { reference: "e/box:0.0.171" } } } }\n',
    );
    await add("llama-box", "v0.0.172", { method: "image" });
    expect(asked).toEqual(["e/box:0.0.172"]);
  });

  it("has a runner image where the version that it is like has one, of which the lock is to ask", async () => {
    const { add, asked, write, read } = await project();
    const install = 'install: { runnerImage: { service: engine, serviceVersion: "1.8" } }';
    await write("backends/boxed.yaml", `schemaVersion: 1\nname: boxed\nversions:\n  "1.8": { ${install} }\n`);
    await add("boxed", "1.9", { method: "image" });
    expect((await read("boxed")).backend.versions["1.9"]?.install).toEqual({ runnerImage: { service: "engine" } });
    expect(asked).toEqual([]);
  });

  it("refuses to guess where nothing tells the version", async () => {
    const { add, write } = await project();
    await write(
      "backends/fixed.yaml",
      'schemaVersion: 1\nname: fixed\nversions:\n  "1.8": { install: { image: { reference: "example/fixed:cuda11.8" } } }\n',
    );
    const error = await rejectionOf(add("fixed", "1.9"));
    expect(error.code).toBe("usage");
    expect(error.parts.got).toBe("example/fixed:cuda11.8");
  });
});

function notFound(url: string): BerthError {
  return new BerthError("download-failed", {
    where: url,
    what: "the server refused the download",
    got: "HTTP status 404",
  });
}

function unsolvable(): BerthError {
  return new BerthError("packages-unsolvable", { what: "no versions of the packages fit together" });
}
