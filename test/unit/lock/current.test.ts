import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { createContent } from "../../../src/install/content.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { currentLock } from "../../../src/lock/current.js";
import { formatLock } from "../../../src/lock/lock-file.js";
import type { Project } from "../../../src/lock/project.js";
import type { StackFile } from "../../../src/schema/stack.js";
import { catalogueOf, engineBackend } from "../support/catalogues.js";
import { fakeEdges } from "../support/edges.js";
import { chat, stackOf } from "../support/problems.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

const original = stackOf({ chat: chat() });
const edited = stackOf({ chat: chat({ contextLength: 1024 }) });

const owner = "shop/dev";
const up = { owner, frozen: false, write: true };
const preview = { owner, frozen: false, write: false };
const frozen = { owner, frozen: true, write: true };

async function emptyProject(): Promise<(stack: StackFile) => Project> {
  const root = await temporaryFolder();
  return (stack) => ({ root, stackPath: join(root, "dev.yaml"), stack, written: stack, catalogue: catalogueOf() });
}

const textOf = ({ root }: Project) => readFile(join(root, "dev.lock.yaml"), "utf8");

describe("currentLock without a lock", () => {
  it("solves and writes it in an up", async () => {
    const project = (await emptyProject())(original);
    const { lock, path, outcome } = await currentLock(project, fakeEdges(), up);
    expect([path, outcome]).toEqual([
      "dev.lock.yaml",
      expect.objectContaining({ kind: "solved", reason: "there was none", changed: true }),
    ]);
    expect(await textOf(project)).toBe(formatLock(lock));
  });

  it("solves it in memory in a preview", async () => {
    const project = (await emptyProject())(original);
    const { outcome } = await currentLock(project, fakeEdges(), preview);
    expect(outcome).toMatchObject({ kind: "solved", reason: "there was none", changed: true });
    expect(await readdir(project.root)).toEqual([]);
  });

  it.each([frozen, { ...frozen, write: false }])("refuses when frozen, and writes nothing: %j", async (options) => {
    const project = (await emptyProject())(original);
    const error = await rejectionOf(currentLock(project, fakeEdges(), options));
    expect([error.code, error.message]).toEqual([
      "lock-missing",
      [
        "dev.lock.yaml: the lock is missing",
        "  expected: the lock of dev.yaml, because this run may not write it (frozen)",
        "  to do: run `berth lock` where locks are made, and commit the file",
      ].join("\n"),
    ]);
    expect(await readdir(project.root)).toEqual([]);
  });
});

describe("what was solved", () => {
  it("is told in one line for each deployment", async () => {
    const project = (await emptyProject())(original);
    const { outcome } = await currentLock(project, fakeEdges(), preview);
    expect(outcome).toMatchObject({
      choices: ["chat: engine 2.0: its default; pipx for linux/x64 and cpu"],
      warnings: [],
    });
  });
});

describe("packages that a lock resolves", () => {
  const engine = engineBackend({ versions: { "2.0": { install: { pipx: { package: "engine" } } } } });

  it("are found where installations look for them, wherever the stack file is and whatever other stacks lock", async () => {
    const { root } = (await emptyProject())(original);
    const project = (stackPath: string): Project => ({
      ...{ root, stackPath: join(root, stackPath), stack: original, written: original },
      catalogue: catalogueOf([engine]),
    });
    const locks = [await currentLock(project("stacks/dev.yaml"), fakeEdges(), up)];
    const edges = { ...fakeEdges(), lockPackages: () => Promise.resolve("engine==2.0\n") };
    locks.push(await currentLock(project("environments/prod.yaml"), edges, up));
    const content = createContent("/nowhere", root);
    for (const { lock } of locks) {
      const install = lock.release.chat?.install;
      if (install?.method !== "pipx") throw new Error("expected pipx");
      expect(sha256(await content.backendFile(install.requirements))).toBe(install.requirements.sha256);
    }
    expect(await readdir(join(root, "stacks", "requirements"))).toHaveLength(2);
  });

  it("are written again when their file was lost, as the error that misses it tells people to do", async () => {
    const project = { ...(await emptyProject())(original), catalogue: catalogueOf([engine]) };
    const { lock } = await currentLock(project, fakeEdges(), up);
    const folder = join(project.root, "stacks", "requirements");
    const before = await readdir(folder);
    await rm(folder, { recursive: true });
    const again = await currentLock(project, fakeEdges(), { ...up, anew: true });
    expect(await readdir(folder)).toEqual(before);
    expect(again.lock).toEqual(lock);
    expect(again.outcome).toMatchObject({
      changed: false,
      warnings: [`stacks/requirements/${before[0] ?? ""} is missing: what engine 2.0 needs was resolved anew`],
    });
  });

  it("stay when the lock is solved again and their file is there", async () => {
    const project = { ...(await emptyProject())(original), catalogue: catalogueOf([engine]) };
    const { lock } = await currentLock(project, fakeEdges(), up);
    const edges = { ...fakeEdges(), lockPackages: () => Promise.resolve("engine==2.0\n") };
    expect((await currentLock(project, edges, { ...up, anew: true })).lock).toEqual(lock);
  });
});

describe("currentLock with a lock that holds", () => {
  it.each([up, preview, frozen])("keeps it, asks nothing, and does not write: %j", async (options) => {
    const project = (await emptyProject())(original);
    const { lock } = await currentLock(project, fakeEdges(), up);
    const handwritten = `${formatLock(lock)}# a remark\n`;
    await writeFile(join(project.root, "dev.lock.yaml"), handwritten);
    const asked = () => Promise.reject(new Error());
    const signatures = { readContent: asked, fetchSignature: asked, askImageSignatures: asked };
    const lookUps = { lockPackages: asked, fetchReleaseFile: asked, askImageDigest: asked, ...signatures };
    const noEdges = { knowHost: asked, findWheel: asked, openRepository: asked, readMemory: asked, ...lookUps };
    const kept = await currentLock(project, noEdges, options);
    expect([kept.lock, kept.outcome]).toEqual([lock, { kind: "kept" }]);
    expect(await textOf(project)).toBe(handwritten);
  });

  it("solves it anew when asked to, and writes only what is different", async () => {
    const project = (await emptyProject())(original);
    await currentLock(project, fakeEdges(), up);
    const same = await currentLock(project, fakeEdges(), { ...up, anew: true });
    expect(same.outcome).toMatchObject({ kind: "solved", reason: "it was asked for", changed: false });
    const busier = await currentLock(project, fakeEdges({ listeningPorts: [22, 80] }), { ...up, anew: true });
    expect(busier.outcome).toMatchObject({ kind: "solved", reason: "it was asked for", changed: false });
    expect(await textOf(project)).not.toContain("- 80");
    const other = await currentLock(project, fakeEdges({ facts: { cpus: 64 } }), { ...up, anew: true });
    expect(other.outcome).toMatchObject({ kind: "solved", reason: "it was asked for", changed: true });
    expect(await textOf(project)).toContain("cpus: 64");
  });
});

describe("currentLock with a stale lock", () => {
  async function staleProject(): Promise<Project> {
    const project = await emptyProject();
    await currentLock(project(original), fakeEdges(), up);
    return project(edited);
  }

  it("solves and writes it in an up, and keeps what was decided", async () => {
    const project = await staleProject();
    const { lock, outcome } = await currentLock(project, fakeEdges({ listeningPorts: [14_000] }), up);
    expect(outcome).toMatchObject({ kind: "solved", reason: "the stack file was changed", changed: true });
    expect(lock.release.chat?.parameters).toContain("1024");
    expect(lock.placement.instances["chat-0"]?.port).toBe(14_000);
    expect(await textOf(project)).toBe(formatLock(lock));
  });

  it("solves it in memory in a preview", async () => {
    const project = await staleProject();
    const before = await textOf(project);
    const { lock } = await currentLock(project, fakeEdges(), preview);
    expect(lock.release.chat?.parameters).toContain("1024");
    expect(await textOf(project)).toBe(before);
  });

  it("refuses when frozen, and says why it is stale", async () => {
    const project = await staleProject();
    const before = await textOf(project);
    const error = await rejectionOf(currentLock(project, fakeEdges(), frozen));
    expect([error.code, error.message.split("\n")[0]]).toEqual([
      "lock-stale",
      "dev.lock.yaml: the lock is stale: the stack file was changed",
    ]);
    expect(await textOf(project)).toBe(before);
  });

  it("leaves the lock as it is when it cannot be solved", async () => {
    const project = await staleProject();
    const before = await textOf(project);
    const edges = { ...fakeEdges(), knowHost: () => Promise.reject(new Error("no such host")) };
    await expect(currentLock(project, edges, up)).rejects.toThrow("no such host");
    expect(await textOf(project)).toBe(before);
  });
});

describe("currentLock with a lock that cannot be read", () => {
  async function brokenProject(): Promise<Project> {
    const project = (await emptyProject())(original);
    await writeFile(join(project.root, "dev.lock.yaml"), "<<<<<<< HEAD\n");
    return project;
  }

  it("solves and writes it when asked to solve anew, as its message tells people to do", async () => {
    const project = await brokenProject();
    const { lock, outcome } = await currentLock(project, fakeEdges(), { ...up, anew: true });
    expect(outcome).toMatchObject({ kind: "solved", reason: "it could not be read", changed: true });
    expect(await textOf(project)).toBe(formatLock(lock));
  });

  it.each([up, preview, frozen])("refuses otherwise, and leaves it: %j", async (options) => {
    const project = await brokenProject();
    const error = await rejectionOf(currentLock(project, fakeEdges(), options));
    expect(error.code).toBe("lock-incompatible");
    expect(await textOf(project)).toBe("<<<<<<< HEAD\n");
  });
});
