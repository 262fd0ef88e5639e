import { describe, expect, it } from "vitest";

import { sha256 } from "../../../src/lib/canonical.js";
import { buildLock, findStaleness } from "../../../src/lock/build.js";
import { formatLock } from "../../../src/lock/lock-file.js";
import { desiredStack, type DesiredStack } from "../../../src/planner/desired.js";
import { parseYaml } from "../../../src/schema/document.js";
import { lockFile, type LockFile } from "../../../src/schema/lock.js";
import { stackFile, type StackFile } from "../../../src/schema/stack.js";
import { catalogueOf, engineBackend } from "../support/catalogues.js";
import { fakeEdges, resolvedBy } from "../support/edges.js";
import { chat, knownHost, stackOf } from "../support/problems.js";
import type { WrittenStack } from "../support/stacks.js";
import { rejectionOf } from "../support/thrown.js";

const model = { source: "url", url: "https://models.example/m.gguf", sha256: sha256("m") } as const;
const hosts: WrittenStack["hosts"] = {
  "gpu-1": { connection: "local", dataDir: "/data/1", labels: { pool: "gpu" } },
  "gpu-2": { connection: "local", dataDir: "/data/2", labels: { pool: "gpu" } },
  cpu: { connection: "local", dataDir: "/data/3", labels: { pool: "cpu" } },
};

async function solve(
  stack: StackFile,
  previous?: LockFile,
  { edges = fakeEdges(), catalogue = catalogueOf(), upgradeModels = false } = {},
): Promise<LockFile> {
  const resolved = resolvedBy(previous?.release);
  const problem = { owner: "shop/dev", stack, written: stack, catalogue, previous, resolved, upgradeModels };
  return (await buildLock(problem, edges)).lock;
}

const names = ({ backendVersions, models, instances }: DesiredStack) => ({
  backendVersions: backendVersions.map(({ name }) => name).sort(),
  models: models.map(({ name }) => name).sort(),
  instances: instances.map(({ name }) => name),
});

describe("what a stack preloads", () => {
  const next = { backend: "engine", backendVersion: "1.0", model, hostSelector: { pool: "gpu" } };
  const digest = sha256("m").slice(0, 12);

  it("becomes a backend version and a model on all hosts that have the labels, and no instance", async () => {
    const desired = desiredStack(await solve(stackOf({}, { hosts, preload: { next } })), "/project");
    expect(names(desired)).toEqual({
      backendVersions: ["gpu-1.engine_1.0", "gpu-2.engine_1.0"],
      models: [`gpu-1.${digest}`, `gpu-2.${digest}`],
      instances: [],
    });
    expect(desired.hosts.map(({ name, inventory }) => [name, inventory.length])).toEqual([
      ["cpu", 0],
      ["gpu-1", 2],
      ["gpu-2", 2],
    ]);
    expect(desired.models[0]?.users).toEqual(["preload next"]);
  });

  it("lies on the hosts that are named, and on all where nothing is said", async () => {
    const on = async (entry: object) => {
      const lock = await solve(stackOf({}, { hosts, preload: { next: { model, ...entry } } }));
      return lock.placement.preload?.next?.hosts;
    };
    expect(await on({ hosts: ["gpu-2", "cpu"] })).toEqual(["cpu", "gpu-2"]);
    expect(await on({})).toEqual(["cpu", "gpu-1", "gpu-2"]);
  });

  it("is pinned in the promotable part; where it lies and the token's name are the environment's", async () => {
    const token = { secret: "hub" };
    const hub = { source: "huggingface", repo: "acme/tiny", token } as const;
    const edges = { ...fakeEdges(), openRepository: repository("a") };
    const lock = await solve(stackOf({}, { preload: { next: { backend: "engine", model: hub } } }), undefined, {
      edges,
    });
    expect(lock.preload?.next).toMatchObject({
      engine: { backend: "engine", backendVersion: "2.0", install: { method: "pipx" } },
      model: { from: { repo: "acme/tiny", commit: "a".repeat(40) } },
    });
    expect(JSON.stringify(lock.preload)).not.toMatch(/local|"hub"/);
    expect(lock.placement.preload).toEqual({ next: { hosts: ["local"], modelToken: "hub" } });
    expect(parseYaml(formatLock(lock), "stacks/dev.lock.yaml", lockFile)).toEqual(lock);
    expect(desiredStack(lock, "/project").models[0]?.token).toBe("hub");
  });

  it("leaves the lock of a stack that preloads nothing as it was", async () => {
    const lock = await solve(stackOf({ chat: chat() }));
    expect(Object.keys(lock)).not.toContain("preload");
    expect(Object.keys(lock.placement)).not.toContain("preload");
  });

  it("makes the lock stale when it changes, and when its backend does", async () => {
    const stack = stackOf({}, { hosts, preload: { next } });
    const lock = await solve(stack);
    const catalogue = catalogueOf();
    expect(findStaleness(lock, { stack, written: stack, catalogue })).toBeUndefined();
    const other = catalogueOf([engineBackend({ env: { LEVEL: "changed" } })]);
    expect(findStaleness(lock, { stack, written: stack, catalogue: other })).toContain("backend");
    const tampered = { ...lock, preload: {} };
    expect(findStaleness(tampered, { stack, written: stack, catalogue })).toContain("by hand");
  });

  it("is one resource with what deployments want: adding the deployment later adds its instance alone", async () => {
    const before = await solve(stackOf({}, { hosts, preload: { next } }));
    const { hostSelector: _, ...engine } = next;
    const deployments = { chat: { ...engine, host: "gpu-1" } };
    for (const preload of [{ next }, {}]) {
      const after = desiredStack(await solve(stackOf(deployments, { hosts, preload }), before), "/project");
      const ready = desiredStack(before, "/project");
      const { backendVersions, models } = after;
      const kept = (name: string) => ("next" in preload ? true : name.startsWith("gpu-1."));
      expect(backendVersions).toEqual(ready.backendVersions.filter(({ name }) => kept(name)));
      const bare = (desired: DesiredStack["models"]) => desired.map(({ users: __, ...rest }) => rest);
      expect(bare(models)).toEqual(bare(ready.models.filter(({ name }) => kept(name))));
      expect(after.instances.map(({ name }) => name)).toEqual(["chat-0"]);
    }
  });
});

/** A repository whose branch is at the commit of this digit. */
function repository(digit: string): ReturnType<typeof fakeEdges>["openRepository"] {
  const content = Buffer.from("{}");
  const weights = Buffer.from(`\u0002\0\0\0\0\0\0\0{}`, "latin1");
  return ({ revision }) =>
    Promise.resolve({
      commit: /^[0-9a-f]{40}$/.test(revision) ? revision : digit.repeat(40),
      task: undefined,
      files: [
        { path: "config.json", sizeBytes: content.length, sha256: undefined, gitSha1: undefined },
        { path: "model.safetensors", sizeBytes: weights.length, sha256: sha256(weights), gitSha1: undefined },
      ],
      read: (path) => Promise.resolve(path === "config.json" ? content : weights),
      readRange: () => Promise.resolve(weights),
      readGguf: () => Promise.resolve({}),
    });
}

describe("a deployment of what was preloaded", () => {
  const hub = { source: "huggingface", repo: "acme/tiny" } as const;
  const at = (digit: string) => ({ edges: { ...fakeEdges(), openRepository: repository(digit) } });
  const commitOf = (lockedModel: LockFile["release"][string]["model"] | undefined) =>
    lockedModel?.from.source === "huggingface" ? lockedModel.from.commit.slice(0, 1) : "";
  const preload = { next: { backend: "engine", backendVersion: ">=1.0", model: hub } };

  it("takes its commit and version, though the branch and the catalogue have moved on", async () => {
    const before = await solve(stackOf({}, { preload }), undefined, at("a"));
    const install = { pipx: { package: "engine", requirements: "engine/1.0.txt" } };
    const versions = { ...engineBackend().versions, "3.0": { install } };
    const catalogue = catalogueOf([engineBackend({ versions })]);
    const chatting = chat({ model: hub, backendVersion: ">=1.0" });
    const moved = { ...at("b"), catalogue };
    const { release } = await solve(stackOf({ chat: chatting }, { preload }), before, moved);
    expect([release.chat?.backendVersion, commitOf(release.chat?.model)]).toEqual(["2.0", "a"]);
    const { release: renamed } = await solve(stackOf({ next: chatting }), before, moved);
    expect([renamed.next?.backendVersion, commitOf(renamed.next?.model)]).toEqual(["2.0", "a"]);
    const { release: fresh } = await solve(stackOf({ chat: chatting }), undefined, moved);
    expect([fresh.chat?.backendVersion, commitOf(fresh.chat?.model)]).toEqual(["3.0", "b"]);
  });

  it("is preloaded as it is deployed, where it is deployed already", async () => {
    const before = await solve(stackOf({ chat: chat({ model: hub }) }), undefined, at("a"));
    const lock = await solve(stackOf({ chat: chat({ model: hub }) }, { preload }), before, at("b"));
    expect(commitOf(lock.preload?.next?.model)).toBe("a");
  });

  it("goes on to the present commit with it where that is asked for", async () => {
    const stack = stackOf({ chat: chat({ model: hub }) }, { preload });
    const before = await solve(stack, undefined, at("a"));
    const lock = await solve(stack, before, { ...at("b"), upgradeModels: true });
    expect([commitOf(lock.preload?.next?.model), commitOf(lock.release.chat?.model)]).toEqual(["b", "b"]);
  });
});

describe("what a stack asks to preload is refused", () => {
  const parse = (entry: object) =>
    stackFile.safeParse({ schemaVersion: 1, hosts: { local: { connection: "local" } }, preload: { next: entry } });

  it.each([
    [{}, "expected a backend, a model or both"],
    [{ backendVersion: "1.0", model }, "expected the backend whose version is meant"],
    [{ backend: "auto" }, "expected the model by which the backend is chosen"],
    [{ model, replicas: 2 }, "replicas"],
    [{ model, hosts: [] }, "Too small"],
  ])("by the schema: %j", (entry, told) => {
    const parsed = parse(entry);
    expect(parsed.success).toBe(false);
    expect(parsed.error?.message).toContain(told);
  });

  it.each<[string, NonNullable<WrittenStack["preload"]>[string], string]>([
    ["a host that is none", { model, hosts: ["gpu-9"] }, "the stack has no such host"],
    ["labels that no host has", { model, hostSelector: { pool: "tpu" } }, "no host has the labels"],
    ["a named host without the labels", { model, hosts: ["cpu"], hostSelector: { pool: "gpu" } }, "lacks them"],
    ["a backend that is none", { backend: "motor" }, "no backend has this name"],
  ])("by the lock: %s", async (_, entry, told) => {
    const error = await rejectionOf(solve(stackOf({}, { hosts, preload: { next: entry } })));
    expect(error.message).toContain("preload next");
    expect(error.message).toContain(told);
  });

  it("where a deployment has the version on the same host in another way", async () => {
    const install = { pipx: { package: "engine", requirements: "engine/1.0.txt" }, manual: {} };
    const catalogue = catalogueOf([engineBackend({ versions: { "2.0": { install } } })]);
    const preload = { next: { backend: "engine", install: "manual" as const } };
    const error = await rejectionOf(solve(stackOf({ chat: chat() }, { preload }), undefined, { catalogue }));
    expect(error.message).toContain("preload next: deployment chat has engine 2.0 on this host in another way");
  });

  it("for hosts that need different artifacts in one entry", async () => {
    const url = (name: string) => `https://files.example/${name}.tar.gz`;
    const digests = { executable: "engine/serve", sha256: "a".repeat(64) };
    const file = (name: string) => ({ os: "linux" as const, arch: "x64" as const, url: url(name), ...digests });
    const binary = [file("cpu"), { ...file("cuda"), acceleratorTypes: ["cuda" as const] }];
    const catalogue = catalogueOf([engineBackend({ versions: { "2.0": { install: { binary } } } })], []);
    const accelerator = { type: "cuda", vendor: "nvidia", name: "H100", index: 0, uuid: "GPU-1", memoryBytes: 1 };
    const edges = {
      ...fakeEdges(),
      knowHost: (name: string) => {
        const accelerators = name === "cpu" ? [] : [accelerator as never];
        return Promise.resolve(knownHost(`/data/${name}`, { facts: { accelerators } }));
      },
    };
    const preload = { next: { backend: "engine" } };
    const error = await rejectionOf(solve(stackOf({}, { hosts, preload }), undefined, { edges, catalogue }));
    expect(error.parts.hint).toContain("an entry for each kind of host");
    const apart = { gpu: { backend: "engine", hostSelector: { pool: "gpu" } } };
    const lock = await solve(stackOf({}, { hosts, preload: apart }), undefined, { edges, catalogue });
    expect(lock.preload?.gpu?.engine?.install).toMatchObject({ artifacts: [{ url: url("cuda") }] });
  });
});
