import { once } from "node:events";
import type { Readable } from "node:stream";

import { Parser, type ReadEntry } from "tar";
import { describe, expect, it, onTestFinished } from "vitest";

import { readPlatformImage, type PlatformImage } from "../../../src/bundle/image-archive.js";
import { loadImage, type ImageLoad } from "../../../src/bundle/image-load.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { BerthError } from "../../../src/lib/errors.js";
import type { LayerStore } from "../../../src/runtime/docker-images.js";
import { bundleFolder, here, imageNeed, makeBundle, removeBundle } from "../../support/bundles.js";
import { layeredImage } from "../../support/layered-image.js";
import { MemoryRegistry } from "../../support/memory-registry.js";
import { rejectionOf } from "../support/thrown.js";

/** Texts of small files of an archive by their names, and sizes of the others. */
type Archive = Readonly<Record<string, string | number>>;

async function readArchive(archive: Readable): Promise<Archive> {
  const files: Record<string, string | number> = {};
  const parser = new Parser();
  parser.on("entry", (entry: ReadEntry) => {
    const chunks: Buffer[] = [];
    entry.on("data", (chunk: Buffer) => chunks.push(chunk));
    entry.on("end", () => {
      const bytes = Buffer.concat(chunks);
      files[entry.path] = /json$|oci-layout$/.test(entry.path) ? bytes.toString("utf8") : bytes.length;
    });
  });
  const end = once(parser, "end");
  archive.pipe(parser);
  await end;
  return files;
}

/** An engine that has an image once all of it was loaded. */
class FakeStore implements LayerStore {
  readonly archives: Archive[] = [];
  readonly forgotten: string[] = [];

  constructor(
    private readonly known: readonly (readonly string[])[] | undefined,
    private refusals = 0,
  ) {}

  listLayers = () => Promise.resolve(this.known);
  forget = (id: string) => Promise.resolve(void this.forgotten.push(id));

  async load(archive: Readable): Promise<void> {
    this.archives.push(await readArchive(archive));
    this.refusals -= 1;
    if (this.refusals >= 0) throw new BerthError("docker-refused", { what: "open layer: no such file" });
  }
}

async function open(contents: readonly string[]): Promise<{ image: PlatformImage; load: Omit<ImageLoad, "store"> }> {
  const registry = await MemoryRegistry.start();
  const folder = await bundleFolder();
  onTestFinished(async () => {
    await registry.close();
    await removeBundle(folder);
  });
  const { digest } = registry.add(await layeredImage(contents, {}));
  const reference = `${registry.host}/team/engine:1`;
  await makeBundle(folder, { images: [imageNeed(reference, digest)] });
  const image = await readPlatformImage(folder, reference, digest, here.platform);
  const found = { id: image.config.digest, digests: [], sizeBytes: 1, environment: [] };
  const findImage = (name: string) => Promise.resolve(name === found.id ? found : undefined);
  const quiet = { onProgress: () => undefined, assertRoom: () => Promise.resolve() };
  return { image, load: { folder, image, tag: "team/engine:own", engine: { findImage }, where: "host one", ...quiet } };
}

const layersOf = (archive: Archive | undefined) =>
  Object.entries(archive ?? {}).filter(([name, size]) => name.startsWith("blobs/") && Number(size) > 1000).length;

describe("an image that is loaded into an engine", () => {
  const contents = ["one", "two", "three"].map((text) => text.repeat(2000));

  it("is one archive as docker save writes it, and an OCI layout beside it, with a name of its own", async () => {
    const { image, load } = await open(contents);
    const store = new FakeStore([]);
    expect(await loadImage({ ...load, store })).toBe(image.config.digest);
    const [archive, ...others] = store.archives;
    expect(others).toEqual([]);
    expect(layersOf(archive)).toBe(3);
    const blob = (digest: string) => `blobs/sha256/${digest.slice(7)}`;
    expect(JSON.parse(String(archive?.["manifest.json"]))).toEqual([
      {
        Config: blob(image.config.digest),
        RepoTags: ["team/engine:own"],
        Layers: image.layers.map(({ digest }) => blob(digest)),
      },
    ]);
    expect(JSON.parse(String(archive?.["index.json"]))).toMatchObject({
      manifests: [{ digest: image.manifest.digest }],
    });
  });

  it("is without the layers that the engine has, and whole when the engine does not take that", async () => {
    const { image, load } = await open(contents);
    const known = [image.configuration.diffIds.slice(0, 2)];
    const store = new FakeStore(known);
    await loadImage({ ...load, store });
    expect(store.archives.map(layersOf)).toEqual([1]);
    const strict = new FakeStore(known, 1);
    await loadImage({ ...load, store: strict });
    expect(strict.archives.map(layersOf)).toEqual([1, 3]);
    expect(await rejectionOf(loadImage({ ...load, store: new FakeStore([], 1) }))).toMatchObject({
      code: "docker-refused",
    });
  });

  it("is whole for an engine that tells nothing of layers", async () => {
    const { load } = await open(contents);
    const store = new FakeStore(undefined);
    await loadImage({ ...load, store });
    expect(store.archives.map(layersOf)).toEqual([3]);
  });

  it("has the engine forget what it kept the lower layers by", async () => {
    const { image, load } = await open(contents);
    const store = new FakeStore([]);
    await loadImage({ ...load, store });
    const { os, architecture, diffIds } = image.configuration;
    const ids = [1, 2].map((count) => {
      const rootfs = { diff_ids: diffIds.slice(0, count), type: "layers" };
      return `sha256:${sha256(JSON.stringify({ architecture, config: {}, os, rootfs }))}`;
    });
    expect(store.forgotten).toEqual(ids);
  });

  it("is not begun when the missing layers have no room", async () => {
    const { image, load } = await open(contents);
    const asked: number[] = [];
    const assertRoom = (neededBytes: number) => {
      asked.push(neededBytes);
      return Promise.reject(new BerthError("disk-full", { what: "no space is left" }));
    };
    const store = new FakeStore([image.configuration.diffIds.slice(0, 1)]);
    expect(await rejectionOf(loadImage({ ...load, store, assertRoom }))).toMatchObject({ code: "disk-full" });
    expect(asked).toEqual([(image.layers[1]?.sizeBytes ?? 0) + (image.layers[2]?.sizeBytes ?? 0)]);
    expect(store.archives).toEqual([]);
  });

  it("that the engine does not have afterwards by its digest is no success", async () => {
    const { load } = await open(contents);
    const engine = { findImage: () => Promise.resolve(undefined) };
    const error = await rejectionOf(loadImage({ ...load, engine, store: new FakeStore([]) }));
    expect(error).toMatchObject({ code: "checksum-mismatch" });
  });
});
