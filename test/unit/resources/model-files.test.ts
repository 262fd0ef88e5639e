import { symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { sha256 as digestOf } from "../../../src/lib/canonical.js";
import { compareFields } from "../../../src/resources/difference.js";
import { modelFilesInputs, type ModelFilesInputs } from "../../../src/resources/model-files-inputs.js";
import { modelFilesKind, planModelFiles } from "../../../src/resources/model-files.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { MemoryHost } from "../support/memory-host.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const sha256 = "a".repeat(64);
const inputs = modelFilesInputs.parse({
  name: "local.aaaaaaaaaaaa",
  owner: "shop/dev",
  host: { name: "local", connection: "local", dataDir: "/data" },
  from: { source: "url", url: "https://models.example/m.gguf" },
  file: "m.gguf",
  sha256,
});

describe("planModelFiles", () => {
  it.each([
    [{ placed: true, drift: [], inPlace: false, remains: true }, []],
    [{ placed: false, drift: [], inPlace: false, remains: false }, ["fetch", "place"]],
    [{ placed: true, drift: ["m.gguf is missing"], inPlace: false, remains: false }, ["fetch", "place"]],
    [{ placed: true, drift: ["in another place"], inPlace: false, remains: true }, ["fetch", "place", "retire"]],
    [{ placed: true, drift: ["m.gguf was changed"], inPlace: true, remains: false }, ["place"]],
    [{ placed: true, drift: ["in another place"], inPlace: true, remains: true }, ["place", "retire"]],
  ])("of %j is %j", (seen, steps) => {
    expect(planModelFiles(seen)).toEqual(steps);
  });
});

describe("observing a model", () => {
  /** A host on which the model was put in place under a path. */
  function hostWith(path: string): MemoryHost {
    const host = new MemoryHost();
    const placement = { schemaVersion: 1, id: "placement-1", path, sizeBytes: 5, changedAt: "0" };
    host.files.set(`/data/models/${sha256}/placement.json`, JSON.stringify(placement));
    host.files.set(path, "model");
    return host;
  }
  const path = `/data/models/${sha256}/m.gguf`;

  it("finds nothing wrong while the file is where it was put", async () => {
    expect(await modelFilesKind.observe(contextOf(hostWith(path)), inputs, undefined)).toEqual({
      path,
      sizeBytes: 5,
      placement: "placement-1",
      drift: [],
    });
  });

  it("finds a file that is gone or shorter", async () => {
    const [gone, shorter] = [hostWith(path), hostWith(path)];
    gone.files.delete(path);
    shorter.files.set(path, "mod");
    const driftOf = async (host: MemoryHost) =>
      (await modelFilesKind.observe(contextOf(host), inputs, undefined)).drift;
    expect(await driftOf(gone)).toEqual(["m.gguf is missing"]);
    expect(await driftOf(shorter)).toEqual(["m.gguf has 3 bytes, expected 5"]);
  });

  it("finds the same model under another name, or from where it was in place, not put where it is wanted", async () => {
    const renamed = { ...inputs, file: "other.gguf" };
    const inPlace = { ...inputs, from: { source: "file" as const, path: "/srv/m.gguf" } };
    for (const wanted of [renamed, inPlace]) {
      const { drift } = await modelFilesKind.observe(contextOf(hostWith(path)), wanted, undefined);
      expect(drift).toEqual([`${wanted.file} is in another place: ${path}`]);
    }
  });
});

describe("putting a model in place", () => {
  const content = "a model";
  const nowhere = { source: "url" as const, url: "http://127.0.0.1:1/m.gguf" };

  /** This machine, its data directory in an empty folder, and a model that only lies there already can be had. */
  async function setUp() {
    const folder = await temporaryFolder();
    const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });
    const reference = { name: "local", connection: "local" as const, dataDir: join(folder, "host") };
    let ids = 0;
    const context = { ...contextOf(host), host, reference, newId: () => `id-${(ids += 1)}` };
    const wanted = { ...inputs, host: reference, sha256: digestOf(content), from: nowhere };
    const converge = async (changes: Partial<ModelFilesInputs>, failsAt?: string) => {
      const { operation, steps } = operationOf(failsAt);
      await modelFilesKind.converge(context, operation, { ...wanted, ...changes });
      return steps;
    };
    const observe = (changes: Partial<ModelFilesInputs>) =>
      modelFilesKind.observe(context, { ...wanted, ...changes }, undefined);
    const models = join(reference.dataDir, "models", wanted.sha256);
    const cache = join(reference.dataDir, "cache", "models", wanted.sha256);
    return { folder, host, models, cache, converge, observe };
  }

  it("takes it from the cache, whatever its name there, and removes what is not the model", async () => {
    const { host, cache, converge, observe } = await setUp();
    await host.writeFile(join(cache, "a.gguf"), "another model");
    await host.writeFile(join(cache, "b.gguf"), content);
    expect(await converge({})).toEqual(["fetch and verify", "put in place"]);
    expect((await observe({})).drift).toEqual([]);
    expect(await host.list(cache)).toEqual([]);
  });

  it("gives it another name without fetching, also after an interruption", async () => {
    const { host, models, cache, converge, observe } = await setUp();
    await host.writeFile(join(cache, "model"), content);
    await converge({});
    await expect(converge({ file: "other.gguf" }, "put in place")).rejects.toThrow();
    expect((await observe({})).drift).toEqual([]);
    await expect(converge({ file: "other.gguf" }, "take aside what was there")).rejects.toThrow();
    await converge({ file: "third.gguf" });
    expect((await observe({ file: "third.gguf" })).drift).toEqual([]);
    expect(await host.list(models)).toEqual(["placement.json", "third.gguf"]);
  });

  it("leaves what is there where the new one cannot be had", async () => {
    const { host, models, cache, converge } = await setUp();
    await host.writeFile(join(cache, "model"), content);
    await converge({});
    await host.writeFile(join(models, "m.gguf"), "damaged");
    await expect(converge({ file: "other.gguf" }, "fetch and verify")).rejects.toThrow();
    expect(await host.readText(join(models, "m.gguf"))).toBe("damaged");
  });

  it("puts a fetched one in the place of a damaged one, and takes aside what has another name", async () => {
    const { host, models, cache, converge, observe } = await setUp();
    await host.writeFile(join(cache, "model"), content);
    await host.writeFile(join(models, "m.gguf"), "damaged");
    await host.writeFile(join(models, "old.gguf"), "damaged");
    expect(await converge({})).toEqual(["fetch and verify", "put in place", "take aside what was there"]);
    expect((await observe({})).drift).toEqual([]);
    expect(await host.list(models)).toEqual(["m.gguf", "placement.json"]);
  });

  describe("that is the user's own, behind links", () => {
    async function linked() {
      const setting = await setUp();
      const { folder, host } = setting;
      const blob = join(folder, "hub", "blobs", "1234");
      await host.writeFile(blob, content);
      await host.makeDirectory(join(folder, "hub", "snapshots", "main"));
      await symlink("../../blobs/1234", join(folder, "hub", "snapshots", "main", "m.gguf"));
      await symlink(join(folder, "hub", "snapshots", "main"), join(folder, "mine"));
      const from = { source: "file" as const, path: join(folder, "mine", "m.gguf") };
      await setting.converge({ from });
      return { ...setting, blob, from };
    }

    it("tells the size of the file itself", async () => {
      const { observe, from } = await linked();
      expect(await observe({ from })).toMatchObject({ path: from.path, sizeBytes: content.length, drift: [] });
    });

    it("finds it changed, shorter or gone", async () => {
      const { observe, from, host, blob } = await linked();
      await writeFile(blob, "A model");
      expect((await observe({ from })).drift).toEqual([expect.stringContaining("m.gguf was changed: sha256")]);
      await writeFile(blob, "A");
      expect((await observe({ from })).drift).toEqual([`m.gguf has 1 bytes, expected ${content.length}`]);
      await host.remove(blob);
      expect((await observe({ from })).drift).toEqual(["m.gguf is missing"]);
    });

    it("refuses one that leads nowhere", async () => {
      const { converge, from, host, blob } = await linked();
      await host.remove(blob);
      await expect(converge({ from })).rejects.toMatchObject({ code: "file-not-found" });
    });

    it("takes aside the one that was fetched before", async () => {
      const { converge, from, host, models, cache } = await linked();
      await host.writeFile(join(cache, "model"), content);
      await converge({});
      await converge({ from });
      expect(await host.list(models)).toEqual(["placement.json"]);
      expect(await host.list(cache)).toEqual(["m.gguf"]);
    });
  });

  it("goes back to the cache when nobody wants it", async () => {
    const { host, cache, converge } = await setUp();
    await host.writeFile(join(cache, "model"), content);
    await converge({});
    const context = { ...contextOf(host), host, reference: { ...inputs.host, dataDir: join(cache, "../../..") } };
    const uses = `models/${digestOf(content)}`;
    await modelFilesKind.remove(context, operationOf().operation, { ...inputs, uses });
    expect(await host.list(cache)).toEqual(["m.gguf"]);
    expect(await host.list(join(context.reference.dataDir, "models"))).toEqual([]);
  });
});

describe("what a changed input does to a model", () => {
  it.each([
    [{ sha256: "b".repeat(64) }, "replace"],
    [{ file: "other.gguf" }, "update"],
    [{ from: { source: "file" as const, path: "/srv/m.gguf" } }, "update"],
  ])("for %j is to %s it", (change, what) => {
    const [difference] = compareFields(modelFilesKind.differences, inputs, { ...inputs, ...change });
    expect(difference?.change).toBe(what);
  });
});
