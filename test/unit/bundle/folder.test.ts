import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";

import { BundleFolder } from "../../../src/bundle/folder.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { bundleFolder, bundleMaker, makeBundle, modelNeed, removeBundle } from "../../support/bundles.js";
import { serveFiles } from "../../support/file-server.js";
import { rejectionOf } from "../support/thrown.js";

const needs = { models: [] };

async function open(): Promise<{ folder: BundleFolder; outside: string; victim: string }> {
  const folder = await bundleFolder();
  onTestFinished(() => removeBundle(folder));
  const outside = join(folder.path, "..", "outside");
  const victim = join(outside, "blobs", "a".repeat(64));
  await mkdir(join(outside, "blobs"), { recursive: true });
  await writeFile(victim, "mine");
  return { folder, outside, victim };
}

describe("a folder of somebody else", () => {
  it.each([".partial", "blobs", "index.json", "bundle.json"])(
    "is not taken for a bundle because of a file %s, and keeps all that it holds",
    async (name) => {
      const { folder } = await open();
      await mkdir(join(folder.path, "blobs", "sha256"), { recursive: true });
      await writeFile(join(folder.path, "blobs", "sha256", "letter.txt"), "dear");
      if (name !== "blobs") await writeFile(folder.at(name), "{}");
      expect(await rejectionOf(makeBundle(folder, needs))).toMatchObject({ code: "usage" });
      expect(await readFile(folder.at("blobs/sha256/letter.txt"), "utf8")).toBe("dear");
      expect(await readdir(folder.path)).not.toContain(".berth-bundle");
    },
  );

  it("is not taken because of a link to a mark, or to another bundle's contents", async () => {
    const { folder } = await open();
    const other = new BundleFolder(join(folder.path, "..", "other"));
    await makeBundle(other, needs);
    for (const name of [".berth-bundle", "bundle.json"]) {
      await rm(folder.path, { recursive: true, force: true });
      await mkdir(folder.path);
      await symlink(other.at(name), folder.at(name));
      expect(await rejectionOf(makeBundle(folder, needs))).toMatchObject({ code: "usage" });
    }
  });
});

describe("a bundle's folder", () => {
  it("is gone on with after it was interrupted, or its contents were lost or damaged", async () => {
    const { folder } = await open();
    await folder.prepare();
    await makeBundle(folder, needs);
    await writeFile(folder.at("bundle.json"), "{");
    await makeBundle(folder, needs);
    await rm(folder.at(".berth-bundle"));
    await makeBundle(folder, needs);
    expect(await folder.readContents()).toMatchObject({ stack: "test" });
  });

  it("keeps what is in it by names that are no digests", async () => {
    const { folder } = await open();
    await makeBundle(folder, needs);
    await writeFile(folder.at("files/sha256/README"), "mine");
    await writeFile(folder.at(`files/sha256/${"b".repeat(64)}`), "old");
    expect((await makeBundle(folder, needs)).pruned).toBe(1);
    expect(await readdir(folder.at("files/sha256"))).toEqual(["README"]);
  });

  it("gets a file where a folder has its name", async () => {
    const { folder } = await open();
    const server = await serveFiles({ "/m.gguf": "weights" });
    onTestFinished(() => server.close());
    await folder.prepare();
    const place = folder.at(`files/sha256/${sha256("weights")}`);
    await mkdir(join(place, "below"), { recursive: true });
    await makeBundle(folder, { models: [modelNeed(server.url("/m.gguf"), sha256("weights"))] });
    expect(await readFile(place, "utf8")).toBe("weights");
  });

  it.each<[what: string, link: (folder: BundleFolder, outside: string, victim: string) => Promise<void>]>([
    [
      ".partial",
      async ({ partial }, outside) => {
        await rm(partial, { recursive: true });
        await symlink(outside, partial);
      },
    ],
    ["a folder in .partial", ({ partial }, outside) => symlink(join(outside, "blobs"), join(partial, "blobs"))],
    [
      "a file deep in .partial",
      async ({ partial }, _, victim) => {
        await mkdir(join(partial, "cache", "models"), { recursive: true });
        await symlink(victim, join(partial, "cache", "models", "model.part"));
      },
    ],
    ["the lock", ({ lock }, _, victim) => symlink(victim, lock)],
  ])("with a link for %s is refused, and nothing is touched where it leads", async (_what, link) => {
    const { folder, outside, victim } = await open();
    await folder.prepare();
    await link(folder, outside, victim);
    const before = await stat(victim);
    expect(await rejectionOf(makeBundle(folder, needs))).toMatchObject({ code: "host-foreign" });
    expect(await readdir(outside, { recursive: true })).toEqual(["blobs", join("blobs", "a".repeat(64))]);
    expect((await stat(victim)).mtimeMs).toBe(before.mtimeMs);
    expect(await readFile(victim, "utf8")).toBe("mine");
  });

  it("with a pipe in .partial is refused: whoever wrote to it would wait", async () => {
    const { folder } = await open();
    await folder.prepare();
    await execa("mkfifo", [join(folder.partial, "pipe")]);
    expect(await rejectionOf(makeBundle(folder, needs))).toMatchObject({ code: "host-foreign" });
  });

  it("runs no program that is in it already", async () => {
    const { folder } = await open();
    await folder.prepare();
    await mkdir(join(folder.partial, "tools"));
    await writeFile(join(folder.partial, "tools", "python"), "/bin/evil\n");
    await folder.dropTools();
    expect(await readdir(folder.partial)).toEqual([]);
  });
});

describe("a path that no bundle can be made at", () => {
  it.each([
    ["a file", "file"],
    ["a path below a file", "file/below"],
    ["a link that leads nowhere", "link"],
    ["a path below it", "link/below"],
  ])("is %s", async (_, path) => {
    const { outside } = await open();
    await writeFile(join(outside, "file"), "mine");
    await symlink("nowhere", join(outside, "link"));
    const error = await rejectionOf(makeBundle(new BundleFolder(join(outside, path)), needs));
    expect(error).toMatchObject({ code: "usage" });
    expect(await readFile(join(outside, "file"), "utf8")).toBe("mine");
  });

  it.runIf(process.platform === "linux")("is one where the system makes no folders", async () => {
    for (const path of ["/proc/bundle", "/proc/bundle/below", "/proc/self/bundle"])
      expect(await rejectionOf(makeBundle(new BundleFolder(path), needs))).toMatchObject({ code: "usage" });
  });

  it("is none that has only to be made", async () => {
    const { folder } = await open();
    const deep = new BundleFolder(join(folder.path, "one", "two"));
    await makeBundle(deep, needs);
    expect(await deep.readContents()).toMatchObject({ stack: "test" });
  });
});

describe("two runs that make one bundle", () => {
  const second = bundleMaker({ id: "two", owner: "test/two", process: "200:1" });

  it("do not do so at once: the second is told who does", async () => {
    const { folder } = await open();
    const server = await serveFiles({
      "/m.gguf": (_, response) => {
        void rejectionOf(makeBundle(folder, needs, { maker: second })).then((error) => {
          refused = error;
          response.end("weights");
        });
      },
    });
    onTestFinished(() => server.close());
    let refused: unknown;
    const { contents } = await makeBundle(folder, {
      models: [modelNeed(server.url("/m.gguf"), sha256("weights"))],
    });
    expect(refused).toMatchObject({ code: "host-busy", parts: { where: folder.path } });
    expect(String(refused)).toContain("locked by test/one, process 100 on here");
    expect(contents.files).toHaveLength(1);
    expect(await readdir(folder.path)).not.toContain(".partial");
  });

  it("do so one after the other, also when the first one failed or was killed", async () => {
    const { folder } = await open();
    const server = await serveFiles({ "/m.gguf": "other" });
    onTestFinished(() => server.close());
    const failing = { models: [modelNeed(server.url("/m.gguf"), sha256("weights"))] };
    expect(await rejectionOf(makeBundle(folder, failing))).toMatchObject({ code: "checksum-mismatch" });
    await makeBundle(folder, needs, { maker: second });
    await folder.prepare();
    const holder = { id: "dead", owner: "test/dead", machine: "here", process: "7:1" };
    await writeFile(folder.lock, JSON.stringify({ ...holder, heartbeatAt: new Date().toISOString() }));
    expect(await rejectionOf(makeBundle(folder, needs))).toMatchObject({ code: "host-busy" });
    const isAlive = () => Promise.resolve(false);
    await makeBundle(folder, needs, { maker: bundleMaker({ isAlive }) });
    expect(await readdir(folder.path)).not.toContain(".partial");
  });
});
