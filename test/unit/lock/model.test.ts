import { describe, expect, it } from "vitest";

import { sha256 } from "../../../src/lib/canonical.js";
import { lockModel, type ModelEdges, type RepositoryRequest } from "../../../src/lock/model.js";
import type { ModelRepository } from "../../../src/model/repository.js";
import { lockedModel, modelSource, type LockedModel } from "../../../src/schema/model.js";
import { ggufFile, safetensorsFile } from "../../support/weights.js";
import { rejectionOf } from "../support/thrown.js";

const where = "deployment chat";
const commits = { main: "a".repeat(40), later: "b".repeat(40) };
const tiny = {
  "config.json": '{"architectures":["BertModel"]}',
  "model.safetensors": safetensorsFile(64),
  "tokenizer.json": "{}",
  "README.md": "# Tiny",
};

/** A hub of one repository; its revision can be moved on. */
function fakeHub(files: Readonly<Record<string, string | Buffer>> = tiny) {
  const asked: RepositoryRequest[] = [];
  const read: string[] = [];
  const hub = { asked, read, commit: commits.main, files, task: undefined as string | undefined };
  const contentOf = (path: string) => Buffer.from(hub.files[path] ?? "");
  const repository = (commit: string): ModelRepository => ({
    commit,
    task: hub.task,
    files: Object.entries(hub.files).map(([path, content]) => ({
      path,
      sizeBytes: Buffer.byteLength(content),
      sha256: /\.(?:safetensors|gguf)$/.test(path) ? sha256(content) : undefined,
      gitSha1: undefined,
    })),
    read: (path, firstBytes) => {
      read.push(path);
      return Promise.resolve(contentOf(path).subarray(0, firstBytes));
    },
    readRange: (path, offset, bytes) => Promise.resolve(contentOf(path).subarray(offset, offset + bytes)),
    readGguf: () => Promise.resolve({ "general.architecture": "qwen2" }),
  });
  const edges: ModelEdges = {
    findWheel: () => Promise.reject(new Error("no wheels here")),
    openRepository: (request) => {
      asked.push(request);
      return Promise.resolve(repository(/^[0-9a-f]{40}$/.test(request.revision) ? request.revision : hub.commit));
    },
  };
  const lock = (written: object = {}, before?: LockedModel, hubEndpoint?: string) => {
    const model = modelSource.parse({ source: "huggingface", repo: "acme/tiny", ...written });
    return lockModel({ model, before, indexUrl: undefined, hubEndpoint, where }, edges);
  };
  return Object.assign(hub, { lock });
}

describe("the lock of a repository", () => {
  it("pins its commit, and every file that is needed by size and SHA-256", async () => {
    const locked = await fakeHub().lock();
    const pinned = (path: keyof typeof tiny) => {
      const content = tiny[path];
      return { path, sizeBytes: Buffer.byteLength(content), sha256: sha256(content) };
    };
    const files = [pinned("config.json"), pinned("model.safetensors"), pinned("tokenizer.json")];
    expect(locked).toMatchObject({
      from: { source: "huggingface", repo: "acme/tiny", revision: "main", commit: commits.main, files },
      file: ".",
      format: "safetensors",
      category: "embedding",
      architecture: "BertModel",
    });
    expect(lockedModel.parse(locked)).toEqual(locked);
  });

  it("reads small files alone, and of the weights only how they begin", async () => {
    const hub = fakeHub();
    await hub.lock();
    expect(hub.read.toSorted()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
  });

  it("of one GGUF file has that file's SHA-256, as a model by address has", async () => {
    const content = ggufFile({ "general.architecture": "qwen2" });
    const locked = await fakeHub({ "README.md": "", "sub/tiny.gguf": content }).lock();
    expect(locked).toMatchObject({ file: "sub/tiny.gguf", sha256: sha256(content), format: "gguf", category: "llm" });
  });

  it("tells the projector as a file of its own", async () => {
    const files = { "mmproj-tiny.gguf": ggufFile({}, 10), "tiny.gguf": ggufFile({}) };
    expect(await fakeHub(files).lock()).toMatchObject({
      file: "tiny.gguf",
      projector: "mmproj-tiny.gguf",
      category: "vlm",
    });
  });

  it("never holds the token, nor its name", async () => {
    const hub = fakeHub();
    const locked = await hub.lock({ token: { secret: "hub-token" } });
    expect(hub.asked).toMatchObject([{ token: "hub-token" }]);
    expect(JSON.stringify(locked)).not.toContain("hub-token");
  });

  it.each([
    ["weights.safetensors", "<!doctype html>", "neither GGUF nor safetensors"],
    ["tiny.gguf", safetensorsFile(10), "safetensors"],
  ])("refuses %s that is not what its name says", async (path, content, got) => {
    const error = await rejectionOf(fakeHub({ [path]: content }).lock());
    expect(error.code).toBe("model-unavailable");
    expect(error.parts).toMatchObject({ where: `${where}, ${path}`, got });
  });

  it("refuses a file that would not lie in the model's folder", async () => {
    const error = await rejectionOf(fakeHub({ "a\\b.safetensors": safetensorsFile(10) }).lock());
    expect(error.code).toBe("model-unavailable");
    expect(error.message).toContain("has files that Berth puts on no host");
  });
});

describe("the mirror of an environment", () => {
  const mirror = "https://hub.example.net";

  it("is asked in the hub's place, and the lock does not name it: elsewhere there is another", async () => {
    const hub = fakeHub();
    expect(await hub.lock({}, undefined, mirror)).toEqual(await fakeHub().lock());
    expect(hub.asked.map(({ endpoint }) => endpoint)).toEqual([mirror]);
  });

  it("is not asked for a model that names its own", async () => {
    const hub = fakeHub();
    const own = "https://own.example.net";
    expect((await hub.lock({ endpoint: own }, undefined, mirror)).from).toMatchObject({ endpoint: own });
    expect(hub.asked.map(({ endpoint }) => endpoint)).toEqual([own]);
  });

  it("changes nothing of what is locked, and nobody is asked", async () => {
    const hub = fakeHub();
    const before = await hub.lock();
    expect(await hub.lock({}, before, mirror)).toEqual(before);
    expect(hub.asked).toHaveLength(1);
  });
});

describe("the same model locked again", () => {
  it("stays at its commit and asks nobody, though the branch has moved on", async () => {
    const hub = fakeHub();
    const before = await hub.lock();
    hub.commit = commits.later;
    expect(await hub.lock({}, before)).toEqual(before);
    expect(hub.asked).toHaveLength(1);
  });

  it("from another mirror has the same files, and asks nobody", async () => {
    const hub = fakeHub();
    const before = await hub.lock();
    const moved = await hub.lock({ endpoint: "https://mirror.example" }, before);
    expect(moved).toEqual({ ...before, from: { ...before.from, endpoint: "https://mirror.example" } });
    expect(hub.asked).toHaveLength(1);
  });

  it("with other files looks at the commit that is locked", async () => {
    const hub = fakeHub();
    const before = await hub.lock();
    hub.commit = commits.later;
    const narrowed = await hub.lock({ files: ["*.safetensors"] }, before);
    expect(hub.asked.map(({ revision }) => revision)).toEqual(["main", commits.main]);
    expect(narrowed.from).toMatchObject({ revision: "main", commit: commits.main, patterns: ["*.safetensors"] });
  });

  it("at another revision, or of another repository, is looked up", async () => {
    const hub = fakeHub();
    const before = await hub.lock();
    hub.commit = commits.later;
    expect((await hub.lock({ revision: "v2" }, before)).from).toMatchObject({ commit: commits.later });
    expect((await hub.lock({ repo: "acme/other" }, before)).from).toMatchObject({ commit: commits.later });
  });

  it("is looked up anew when no lock before is given, as an upgrade does", async () => {
    const hub = fakeHub();
    await hub.lock();
    hub.commit = commits.later;
    expect((await hub.lock()).from).toMatchObject({ commit: commits.later });
  });
});
