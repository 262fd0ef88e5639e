import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";

import type { BundleFolder } from "../../../src/bundle/folder.js";
import { loadHost } from "../../../src/bundle/load.js";
import { verifyBundle } from "../../../src/bundle/verify.js";
import { baseEnvironment } from "../../../src/host/environment.js";
import { LocalHost } from "../../../src/host/local.js";
import { fetchRelease } from "../../../src/install/binary.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { Serial } from "../../../src/lib/serial.js";
import { identifyFiles } from "../../../src/model/repository.js";
import { bundleFolder, here, imageNeed, makeBundle, modelNeed, needing, removeBundle } from "../../support/bundles.js";
import { serveFiles } from "../../support/file-server.js";
import { HubServer } from "../../support/hub-server.js";
import { layeredImage } from "../../support/layered-image.js";
import { MemoryRegistry, type Described } from "../../support/memory-registry.js";
import { rejectionOf } from "../support/thrown.js";

const password = "canary-bundle-5c1e";
const content = "first layer ".repeat(500);

interface Setting {
  registry: MemoryRegistry;
  folder: BundleFolder;
  image: Described;
  reference: string;
  /** The image's one layer: its digest, and where it lies in the registry. */
  layer: { hex: string; place: string; bytes: Buffer };
}

async function open(): Promise<Setting> {
  const registry = await MemoryRegistry.start();
  const folder = await bundleFolder();
  onTestFinished(async () => {
    await registry.close();
    await removeBundle(folder);
  });
  const built = await layeredImage([content], {});
  const image = registry.add(built);
  const [bytes = Buffer.alloc(0)] = built.layers;
  const hex = sha256(bytes);
  const layer = { hex, place: `blobs/sha256:${hex}`, bytes };
  return { registry, folder, image, reference: `${registry.host}/team/engine:1`, layer };
}

const blobs = async ({ path }: BundleFolder) => (await readdir(join(path, "blobs", "sha256"))).sort();

describe("a bundle", () => {
  it("is an OCI layout with the very bytes of the registry, and tells what it holds", async () => {
    const { registry, folder, image, reference } = await open();
    const { contents } = await makeBundle(folder, { images: [imageNeed(reference, image.digest)] });
    const known = [...registry.content].map(([name, bytes]) => [name.slice(-64), sha256(bytes)] as const);
    expect(await blobs(folder)).toEqual(known.map(([hex]) => hex).sort());
    expect(contents.images).toMatchObject([{ reference, digest: image.digest, isWhole: true }]);
    const index: unknown = JSON.parse(await readFile(folder.at("index.json"), "utf8"));
    const annotations = { "org.opencontainers.image.ref.name": reference };
    expect(index).toMatchObject({ schemaVersion: 2, manifests: [{ ...image, annotations }] });
    expect(await folder.readContents()).toEqual(contents);
    expect(await verifyBundle(folder, contents)).toEqual([]);
    expect(await readdir(folder.path)).not.toContain(".partial");
  });

  it("that is made again fetches nothing, and what was damaged alone", async () => {
    const { registry, folder, image, reference, layer } = await open();
    const needs = { images: [imageNeed(reference, image.digest)] };
    await makeBundle(folder, needs);
    registry.requests.length = 0;
    await makeBundle(folder, needs);
    expect(registry.requests).toEqual([]);
    const path = join(folder.path, "blobs", "sha256", layer.hex);
    await writeFile(path, Buffer.concat([layer.bytes.subarray(1), Buffer.from("!")]));
    await makeBundle(folder, needs);
    expect(registry.requests).toEqual([layer.place]);
    expect(sha256(await readFile(path))).toBe(layer.hex);
  });

  it("goes on with a blob that was begun, and begins anew with one that begins otherwise", async () => {
    const { registry, folder, image, reference, layer } = await open();
    await folder.prepare();
    const parts = join(folder.path, ".partial", "blobs");
    await mkdir(parts, { recursive: true });
    await writeFile(join(parts, layer.hex), layer.bytes.subarray(0, 1000));
    const needs = { images: [imageNeed(reference, image.digest)] };
    await makeBundle(folder, needs);
    expect(registry.requests).toContain(`${layer.place} bytes=1000-`);

    const other = await bundleFolder();
    onTestFinished(() => removeBundle(other));
    await other.prepare();
    await mkdir(join(other.path, ".partial", "blobs"), { recursive: true });
    await writeFile(join(other.path, ".partial", "blobs", layer.hex), "x".repeat(1000));
    registry.requests.length = 0;
    const { contents } = await makeBundle(other, needs);
    expect(registry.requests).toContain(layer.place);
    expect(await verifyBundle(other, contents)).toEqual([]);
  });

  it("has of an index what is asked for, and says whether that is all", async () => {
    const { registry, folder, image, reference } = await open();
    const far = registry.add(await layeredImage(["far"], {}, "s390x"));
    const other = registry.add(await layeredImage(["other"], {}, "other"));
    const statement = registry.add(await layeredImage(["statement"], {}, "unknown"));
    const all = { [here.platform]: image, "linux/s390x": far, "unknown/unknown": statement };
    const index = registry.addIndex(all);
    const images = [imageNeed(reference, index.digest)];
    const { contents } = await makeBundle(folder, { images });
    const digests = contents.images.flatMap(({ blobs }) => blobs.map(({ digest }) => digest));
    expect(digests).toEqual(expect.arrayContaining([index.digest, image.digest, statement.digest]));
    expect(digests).not.toContain(far.digest);
    expect(contents.images).toMatchObject([{ isWhole: false }]);
    const { contents: whole } = await makeBundle(folder, { images }, { platforms: "all" });
    expect(whole.images).toMatchObject([{ isWhole: true }]);
    const lacking = registry.addIndex({ "linux/other": other });
    const error = await rejectionOf(makeBundle(folder, { images: [imageNeed(reference, lacking.digest)] }));
    expect(error).toMatchObject({ code: "image-unavailable", parts: { got: "linux/other", expected: here.platform } });
  });

  it("takes away what an earlier lock needed, and nothing before it is complete", async () => {
    const { registry, folder, image, reference } = await open();
    await makeBundle(folder, { images: [imageNeed(reference, image.digest)] });
    const next = registry.add(await layeredImage(["next"], {}));
    const { pruned } = await makeBundle(folder, { images: [imageNeed(reference, next.digest)] });
    expect(pruned).toBe(3);
    expect(await blobs(folder)).toHaveLength(3);
    const before = await blobs(folder);
    await rejectionOf(makeBundle(folder, { images: [imageNeed(reference, `sha256:${"0".repeat(64)}`)] }));
    expect(await blobs(folder)).toEqual(before);
  });

  it("of one stack is not made in the folder of another's", async () => {
    const { folder, image, reference } = await open();
    const needs = { images: [imageNeed(reference, image.digest)] };
    const { contents } = await makeBundle(folder, needs);
    const error = await rejectionOf(makeBundle(folder, {}, { stack: "other" }));
    expect(error).toMatchObject({ code: "usage", parts: { got: "test", expected: "other" } });
    expect(await folder.readContents()).toEqual(contents);
    expect(await verifyBundle(folder, contents)).toEqual([]);
  });

  it("does not take a folder that holds other things", async () => {
    const { folder } = await open();
    await mkdir(folder.path);
    await writeFile(join(folder.path, "letters.txt"), "");
    const error = await rejectionOf(makeBundle(folder, {}));
    expect(error).toMatchObject({ code: "usage", parts: { got: "letters.txt" } });
  });
});

describe("what a registry gives", () => {
  it("is not taken when it is something else than was asked for, be it a manifest or a layer", async () => {
    const { registry, folder, image, reference, layer } = await open();
    const needs = { images: [imageNeed(reference, image.digest)] };
    registry.content.set(layer.place, Buffer.alloc(layer.bytes.length, "x"));
    const error = await rejectionOf(makeBundle(folder, needs));
    expect(error).toMatchObject({ code: "checksum-mismatch" });
    expect(String(error)).toContain(layer.hex);
    expect(await blobs(folder)).not.toContain(layer.hex);
    await expect(folder.readContents()).rejects.toMatchObject({ code: "file-not-found" });

    registry.content.set(layer.place, Buffer.alloc(layer.bytes.length + 1, "x"));
    expect(await rejectionOf(makeBundle(folder, needs))).toMatchObject({ code: "download-failed" });

    const other = imageNeed(reference, `sha256:${"1".repeat(64)}`);
    registry.content.set(`manifests/${other.digest}`, Buffer.from("{}"));
    expect(await rejectionOf(makeBundle(folder, { images: [other] }))).toMatchObject({ code: "checksum-mismatch" });
  });

  it("is asked for with the login of the registry, which no error and no file of the bundle has", async () => {
    const { registry, folder, image, reference } = await open();
    const login = `Basic ${Buffer.from(`ann:${password}`).toString("base64")}`;
    registry.authorization = login;
    const needs = { images: [imageNeed(reference, image.digest)] };
    const refused = await rejectionOf(makeBundle(folder, needs));
    expect(refused).toMatchObject({ code: "image-unavailable" });
    expect(String(refused)).toContain("docker login");
    const wrong = { findLogin: () => Promise.resolve({ username: "ann", password: `${password}-wrong` }) };
    expect(String(await rejectionOf(makeBundle(folder, needs, { asker: wrong })))).not.toContain(password);
    const right = { findLogin: () => Promise.resolve({ username: "ann", password }) };
    const { contents } = await makeBundle(folder, needs, { asker: right });
    expect(JSON.stringify(contents)).not.toContain(password);
  });

  it("that is no image is told", async () => {
    const { registry, folder, reference } = await open();
    const odd = registry.addManifest({ schemaVersion: 1 }, "application/vnd.docker.distribution.manifest.v1+json");
    const error = await rejectionOf(makeBundle(folder, { images: [imageNeed(reference, odd.digest)] }));
    expect(error).toMatchObject({ code: "image-unavailable" });
  });
});

describe("a model in a bundle", () => {
  it("is fetched once, verified, and lies by its digest", async () => {
    const { folder } = await open();
    const files = await serveFiles({ "/m.gguf?key=canary": "weights", "/bad.gguf": "other" });
    onTestFinished(() => files.close());
    const needs = { models: [modelNeed(files.url("/m.gguf?key=canary"), sha256("weights"))] };
    const { contents } = await makeBundle(folder, needs);
    expect(contents.files).toEqual([
      { sha256: sha256("weights"), sizeBytes: 7, kind: "model", name: "m.gguf", from: files.url("/m.gguf") },
    ]);
    expect(await readFile(join(folder.path, "files", "sha256", sha256("weights")), "utf8")).toBe("weights");
    const asked = files.requests.length;
    await makeBundle(folder, needs);
    expect(files.requests).toHaveLength(asked);
    const bad = modelNeed(files.url("/bad.gguf"), sha256("good"));
    expect(await rejectionOf(makeBundle(folder, { models: [bad] }))).toMatchObject({ code: "checksum-mismatch" });
  });
});

describe("other files in a bundle", () => {
  it("are those of a repository, fetched with a token that no file of the bundle has", async () => {
    const { folder } = await open();
    const hub = await HubServer.start();
    onTestFinished(() => hub.close());
    const token = "hf_canary-bundle-22d7";
    const files = { "config.json": "{}", "weights.gguf": "weights" };
    hub.repositories["acme/tiny"] = { revisions: { main: files }, access: { kind: "private", token } };
    const pinned = Object.entries(files).map(([path, text]) => ({
      path,
      sizeBytes: text.length,
      sha256: sha256(text),
    }));
    const from = { source: "huggingface", repo: "acme/tiny", revision: "main", endpoint: hub.endpoint } as const;
    const model = {
      from: { ...from, commit: hub.commitOf("acme/tiny"), files: pinned },
      file: ".",
      sha256: identifyFiles(pinned),
    };
    const need = { model, indexUrl: undefined, token: "hub", of: "acme/tiny", hosts: [here] };
    expect(await rejectionOf(makeBundle(folder, { models: [need] }))).toMatchObject({ code: "secret-missing" });
    const findSecret = (name: string) => Promise.resolve(name === "hub" ? token : undefined);
    const { contents } = await makeBundle(folder, { models: [need] }, { findSecret });
    expect(contents.files.map(({ name, kind }) => [name, kind])).toEqual([
      ["config.json", "model"],
      ["weights.gguf", "model"],
    ]);
    expect(await verifyBundle(folder, contents)).toEqual([]);
    const asked = hub.requests.length;
    await makeBundle(folder, { models: [need] }, { findSecret });
    expect(hub.requests).toHaveLength(asked);
    const { stdout } = await execa("grep", ["-rl", token, folder.path], { reject: false });
    expect(stdout).toBe("");
  });

  it("are archives of releases, which a host finds where it would have fetched them to", async () => {
    const { folder } = await open();
    const server = await serveFiles({ "/engine.tar.gz": "packed" });
    onTestFinished(() => server.close());
    const archive = {
      ...{ of: "engine 1", hosts: [here], backend: "engine", version: "1", os: "linux", arch: "x64" },
      ...{ url: server.url("/engine.tar.gz"), sha256: sha256("packed"), sizeBytes: 6, unpackedBytes: 6 },
    };
    const { contents } = await makeBundle(folder, { archives: [archive] });
    await makeBundle(folder, { archives: [archive] });
    expect(server.requests).toEqual(["/engine.tar.gz"]);

    const host = new LocalHost("local", baseEnvironment(process.env));
    const dataDir = join(folder.path, "..", "host");
    const refuse = () => Promise.reject(new Error("no engine and no Python is asked for archives"));
    const load = () =>
      loadHost({
        ...{ folder, contents, needs: needing({ archives: [archive] }), place: { host, dataDir }, engine: refuse },
        ...{ store: { listLayers: refuse, load: refuse, forget: refuse }, findTag: refuse, tell: () => undefined },
      });
    expect((await load()).files).toEqual(["engine 1"]);
    expect((await load()).files).toEqual([]);
    const context = {
      host,
      dataDir,
      content: { backendFile: refuse, pythonTool: refuse },
      serial: new Serial(),
      python: refuse,
    };
    await fetchRelease(context, archive, () => undefined);
    expect(server.requests).toHaveLength(1);
  });
});
