import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { DeployedEngine } from "../../../src/catalog/release-problem.js";
import { resolveRelease } from "../../../src/catalog/release.js";
import { digest, sha256 } from "../../../src/lib/canonical.js";
import type { LockedModel } from "../../../src/schema/model.js";
import { catalogueOf, engineBackend } from "../support/catalogues.js";
import { platform } from "../support/problems.js";
import { repositoryModel } from "../support/repository-models.js";
import { thrownBy } from "../support/thrown.js";

const model: LockedModel = { from: { source: "file", path: "/m.gguf" }, file: "m.gguf", sha256: "a".repeat(64) };
const chat: DeployedEngine = { backend: "engine", contextLength: 4096, extraParameters: [], env: {} };
const resolve = (deployment: Partial<DeployedEngine> = {}, catalogue = catalogueOf()) =>
  resolveRelease({ catalogue, deployment: { ...chat, ...deployment }, model, platform, where: "deployment chat" });

describe("resolveRelease", () => {
  it("is the backend version, its artifact by digests, the model and the command", () => {
    const resolved = resolve({ backendVersion: "1.0" });
    expect(resolved).toEqual({
      id: resolved.id,
      backend: "engine",
      backendVersion: "1.0",
      acceleratorType: "cpu",
      install: {
        method: "pipx",
        package: "engine",
        python: ">=3.10",
        requirements: { file: "engine/1.0.txt", sha256: sha256("engine/1.0.txt") },
        launcher: { file: "engine/launcher.py", sha256: sha256("engine/launcher.py") },
      },
      model,
      runCommand: "serve {{model_path}} --alias {{model_name}} --host {{worker_ip}} --port {{port}}",
      parameters: ["--ctx-size", "4096", "--fast"],
      env: { LEVEL: "backend", ONLY_BACKEND: "1" },
      apiKeyVariable: "ENGINE_KEY",
      healthPath: "/health",
    });
  });

  it("lets a version's environment override the backend's, and a deployment's override both", () => {
    expect(resolve().env).toEqual({ LEVEL: "version", ONLY_BACKEND: "1" });
    expect(resolve({ env: { LEVEL: "own", MORE: "2" } }).env).toEqual({ LEVEL: "own", ONLY_BACKEND: "1", MORE: "2" });
  });

  it("takes the command of the version, if it has one of its own", () => {
    const entry = { install: { pipx: { package: "e", requirements: "engine/2.0.txt" } } };
    const backend = engineBackend({ versions: { "2.0": { ...entry, runCommand: "new {{port}}" } } });
    expect(resolve({}, catalogueOf([backend])).runCommand).toBe("new {{port}}");
  });

  it("holds how long the engine may take to stop where its backend says, and the version's before that", () => {
    const entry = { install: { pipx: { package: "e", requirements: "engine/2.0.txt" } } };
    const stopSeconds = (backend: object, version: object) =>
      resolve({}, catalogueOf([engineBackend({ ...backend, versions: { "2.0": { ...entry, ...version } } })]))
        .stopSeconds;
    expect(stopSeconds({ stopTimeout: "2s" }, {})).toBe(2);
    expect(stopSeconds({ stopTimeout: "2s" }, { stopTimeout: "1m" })).toBe(60);
    expect(stopSeconds({}, {})).toBeUndefined();
  });

  it("holds how it has several hosts where it is a binary, which has a server beside it, or a Python environment with Ray", () => {
    const pipx = { package: "e", requirements: "engine/2.0.txt" };
    const binary = [{ os: "linux", arch: "x64", url: "https://example.com/e.tar.gz", sha256: "a".repeat(64) } as const];
    const distributed = { method: "rpc", executable: "rpc-server" } as const;
    const distributedBy = (install: object, version: object = {}) =>
      resolve({}, catalogueOf([engineBackend({ distributed, versions: { "2.0": { install, ...version } } })]))
        .distributed;
    expect(distributedBy({ binary })).toEqual(distributed);
    const own = { method: "rpc", executable: "old-server" };
    expect(distributedBy({ binary }, { distributed: own })).toEqual(own);
    expect(distributedBy({ pipx })).toBeUndefined();
    const ray = { method: "ray", arguments: ["--executor", "ray"] } as const;
    expect(distributedBy({ pipx }, { distributed: ray })).toEqual(ray);
    expect(distributedBy({ binary }, { distributed: ray })).toBeUndefined();
  });

  it("puts a deployment's parameters in place of the default ones, and its extra parameters after either", () => {
    expect(resolve({ extraParameters: ["--x"] }).parameters).toEqual(["--ctx-size", "4096", "--fast", "--x"]);
    expect(resolve({ parameters: ["--a"], extraParameters: ["--x"] }).parameters).toEqual([
      ...["--ctx-size", "4096", "--a", "--x"],
    ]);
    expect(resolve({ parameters: [] }).parameters).toEqual(["--ctx-size", "4096"]);
  });

  it("holds what backend, version and deployment say of the container of an image, and of no process", () => {
    const install = { image: { reference: "team/engine:2.0", digest: `sha256:${"1".repeat(64)}` } };
    const version = { install, container: { shmSize: "2GiB", user: "1000" } };
    const backend = engineBackend({
      container: { shmSize: "1GiB", capAdd: ["SYS_NICE"] },
      versions: { "2.0": version },
    });
    const { container } = resolve({ container: { user: "2000" } }, catalogueOf([backend]));
    expect(container).toEqual({ shmBytes: 2 * 2 ** 30, capAdd: ["SYS_NICE"], user: "2000" });
    expect(resolve()).not.toHaveProperty("container");
    expect(String(thrownBy(() => resolve({ container: { user: "2000" } })))).toContain("this one is a process");
  });

  it("leaves the context length out where the engine has no flag for it", () => {
    const backend = engineBackend({ contextLengthFlag: undefined });
    expect(resolve({}, catalogueOf([backend])).parameters).toEqual(["--fast"]);
  });

  it.each<[Partial<DeployedEngine>, string]>([
    [{ parameters: ["--port", "1"] }, "--port"],
    [{ parameters: ["--port=1"] }, "--port"],
    [{ extraParameters: ["--fine", "--host=0.0.0.0"] }, "--host"],
    [{ extraParameters: ["-m", "/other"] }, "-m"],
    [{ extraParameters: ["-m/other.gguf"] }, "-m/other.gguf"],
    [{ extraParameters: ["-mother.gguf"] }, "-mother.gguf"],
    [{ extraParameters: ["-m1"] }, "-m1"],
    [{ extraParameters: ["-m/a=b"] }, "-m/a"],
  ])("refuses a flag that Berth sets itself: %j", (deployment, got) => {
    const error = thrownBy(() => resolve(deployment));
    expect(error.code).toBe("stack-inconsistent");
    expect(error.message).toBe(
      `deployment chat: Berth itself sets this flag\n  got: ${got}\n  to do: remove it from the parameters`,
    );
  });

  it.each(["--ctx-size", "--ctx-size=8192"])("refuses %s: the context length has a field of its own", (flag) => {
    const error = thrownBy(() => resolve({ parameters: [flag, "8192"] }));
    expect(error.message).toBe(
      [
        "deployment chat: the context length has a field of its own",
        `  got: ${flag}`,
        "  to do: give it as `contextLength`, and remove the flag",
      ].join("\n"),
    );
  });

  it("refuses a context length that is joined to its one letter", () => {
    const backend = engineBackend({ contextLengthFlag: "-c" });
    const error = thrownBy(() => resolve({ parameters: ["-c8192"] }, catalogueOf([backend])));
    expect(error.message).toContain("the context length has a field of its own\n  got: -c8192");
  });

  it("allows flags that only begin like those, and their names as values", () => {
    const parameters = ["--portability", "--ctx-size-draft=1", "-mg", "0", "-mg=0", "--port-range/1", "port"];
    expect(resolve({ parameters }).parameters.slice(2)).toEqual(parameters);
  });

  it("refuses a backend that names a file that is not there", () => {
    const error = thrownBy(() => resolve({}, catalogueOf([engineBackend()], ["engine/2.0.txt"])));
    expect([error.code, error.message]).toEqual([
      "file-not-found",
      "backends/engine.yaml: the backend file names a file that is not there\n  got: backends/engine/launcher.py",
    ]);
  });
});

describe("a release's id", () => {
  it("is the digest of all the rest", () => {
    const { id, ...rest } = resolve();
    expect(id).toBe(digest(rest));
  });

  const engine = fc.record<DeployedEngine>({
    backend: fc.constant("engine"),
    backendVersion: fc.constantFrom("1.0", "2.0", undefined),
    contextLength: fc.constantFrom(2048, 4096),
    parameters: fc.constantFrom(undefined, ["--fast"], ["--slow"]),
    extraParameters: fc.constantFrom([], ["--x"]),
    env: fc.constantFrom({}, { LEVEL: "version" }, { A: "1" }),
  });

  it("is equal for equal releases, however they came about, and different for different ones", () => {
    fc.assert(
      fc.property(engine, engine, (one, other) => {
        const { id: oneId, ...oneRest } = resolve(one);
        const { id: otherId, ...otherRest } = resolve(other);
        expect(oneId === otherId).toBe(digest(oneRest) === digest(otherRest));
      }),
    );
    expect(resolve({ backendVersion: "2.0", parameters: ["--fast"], env: { LEVEL: "version" } }).id).toBe(resolve().id);
  });
});

describe("a model whose files tell what it is", () => {
  const folder = repositoryModel(["config.json", "model.safetensors"], {
    format: "safetensors",
    category: "embedding",
    architecture: "BertModel",
  });
  const gguf = repositoryModel(["mmproj.gguf", "tiny.gguf"], {
    ...{ file: "tiny.gguf", projector: "mmproj.gguf", format: "gguf", category: "vlm", architecture: "qwen2vl" },
  });
  const release = (from: LockedModel, deployment: Partial<DeployedEngine> = {}, backend = engineBackend()) => {
    const catalogue = catalogueOf([backend]);
    const asked = { ...chat, ...deployment };
    return resolveRelease({ catalogue, deployment: asked, model: from, platform, where: "deployment chat" });
  };

  it("has its category, unless the deployment says another", () => {
    expect(release(folder).category).toBe("embedding");
    expect(release(folder, { category: "reranker" }).category).toBe("reranker");
    expect(release(folder, { category: "llm" }).category).toBeUndefined();
  });

  it("is refused by a version that does not serve its architecture; GGUF files name theirs otherwise", () => {
    const { versions } = engineBackend();
    const entry = { install: { pipx: { package: "e", requirements: "engine/2.0.txt" } }, architectures: ["GlmModel"] };
    const backend = engineBackend({ versions: { ...versions, "2.0": entry } });
    expect(thrownBy(() => release(folder, {}, backend)).parts).toMatchObject({ got: "BertModel" });
    expect(release(folder, { architecture: "GlmModel" }, backend).model).toEqual(folder);
    expect(release(gguf, {}, backend).model).toEqual(gguf);
  });

  it("is given its projector by the engine's flag, unless the parameters or the command do so", () => {
    const backend = engineBackend({ projectorFlag: "--mmproj" });
    expect(release(gguf, {}, backend).projectorFlag).toBe("--mmproj");
    expect(release(gguf, { extraParameters: ["--mmproj=/srv/own.gguf"] }, backend).projectorFlag).toBeUndefined();
    expect(release(gguf, { runCommand: "serve -p {{ mmproj_path }}" }, backend).projectorFlag).toBeUndefined();
    expect(release(gguf).projectorFlag).toBeUndefined();
    expect(release(folder, {}, backend).projectorFlag).toBeUndefined();
  });
});
