import { appendFile, mkdir, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { beforeEach, describe, expect, it, onTestFinished } from "vitest";

import type { BundleFolder } from "../../../src/bundle/folder.js";
import { loadHost } from "../../../src/bundle/load.js";
import { verifyBundle } from "../../../src/bundle/verify.js";
import { baseEnvironment } from "../../../src/host/environment.js";
import { LocalHost } from "../../../src/host/local.js";
import { sha256 } from "../../../src/lib/canonical.js";
import type { BundleFile } from "../../../src/schema/bundle.js";
import { bundleFolder, imageNeed, makeBundle, modelNeed, needing, removeBundle } from "../../support/bundles.js";
import { serveFiles } from "../../support/file-server.js";
import { layeredImage } from "../../support/layered-image.js";
import { MemoryRegistry } from "../../support/memory-registry.js";
import { rejectionOf } from "../support/thrown.js";

const weights = "weights ".repeat(100);
let folder: BundleFolder;
let contents: BundleFile;
let layer: string;
let file: string;

beforeEach(async () => {
  const registry = await MemoryRegistry.start();
  const server = await serveFiles({ "/m.gguf": weights });
  folder = await bundleFolder();
  onTestFinished(() => removeBundle(folder));
  const built = await layeredImage(["a layer"], {});
  const { digest } = registry.add(built);
  layer = join("blobs", "sha256", sha256(built.layers[0] ?? ""));
  file = join("files", "sha256", sha256(weights));
  const images = [imageNeed(`${registry.host}/team/engine:1`, digest)];
  ({ contents } = await makeBundle(folder, { images, models: [modelNeed(server.url("/m.gguf"), sha256(weights))] }));
  await registry.close();
  await server.close();
});

const verify = async () => verifyBundle(folder, await folder.readContents());

/** Loads the model into a data directory of its own. */
async function load(): Promise<{ host: LocalHost; dataDir: string; error: unknown }> {
  const host = new LocalHost("local", baseEnvironment(process.env));
  const dataDir = join(folder.path, "..", "host");
  const refuse = () => Promise.reject(new Error("no engine is asked for files"));
  const error = await loadHost({
    ...{ folder, contents, needs: needing({ models: [modelNeed("http://localhost/m", sha256(weights))] }) },
    ...{ place: { host, dataDir }, engine: refuse, findTag: refuse, tell: () => undefined },
    store: { listLayers: refuse, load: refuse, forget: refuse },
  }).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  return { host, dataDir, error };
}

describe("a damaged bundle", () => {
  it.each<[what: string, damage: (path: string) => Promise<unknown>, said: RegExp]>([
    ["a flipped byte", flip, /has sha256 [0-9a-f]{64}$/],
    ["a truncated file", (path) => truncate(path, 5), /has 5 bytes, expected \d+$/],
    ["bytes at its end", (path) => appendFile(path, "x"), /has \d+ bytes, expected \d+$/],
    ["a missing file", (path) => rm(path), /is missing$/],
    ["a link to the right bytes", linkAside, /is a symbolic link$/],
    ["a link to a file that nobody may read", (path) => replaceByLink(path, "/etc/shadow"), /is a symbolic link$/],
    ["a folder", (path) => rm(path).then(() => mkdir(path)), /is not a file$/],
  ])("is told by %s, of an image and of a file, by its name", async (_what, damage, said) => {
    for (const name of [layer, file]) await damage(folder.at(name));
    const problems = await verify();
    expect(problems).toHaveLength(2);
    expect(problems[0]).toMatch(new RegExp(`^${layer} .*`));
    expect(problems[1]).toMatch(new RegExp(`^${file} .*`));
    for (const problem of problems) expect(problem).toMatch(said);
    const { host, dataDir, error } = await load();
    expect(error).toMatchObject({ code: "checksum-mismatch", parts: { got: problems[1] } });
    expect(await host.walk(dataDir)).toEqual(new Map());
  });

  it("is whole again when the byte is", async () => {
    await flip(folder.at(layer));
    await flip(folder.at(layer));
    expect(await verify()).toEqual([]);
    const { host, dataDir, error } = await load();
    expect(error).toBeUndefined();
    expect([...(await host.walk(dataDir)).keys()]).toEqual([`cache/models/${sha256(weights)}/model`]);
  });

  it("is told when its index does not name an image, or its list not a layer", async () => {
    await writeFile(folder.at("index.json"), JSON.stringify({ schemaVersion: 2, manifests: [] }));
    expect(await verify()).toEqual([expect.stringMatching(/^index.json does not name/)]);
    await rm(folder.at("index.json"));
    expect(await verify()).toEqual(["index.json is missing, or no index"]);
    const images = contents.images.map((image) => ({
      ...image,
      blobs: image.blobs.filter((blob) => !layer.endsWith(blob.digest.slice(7))),
    }));
    await writeFile(folder.at("bundle.json"), JSON.stringify({ ...contents, images }));
    expect(await verify()).toContainEqual(expect.stringContaining(`${layer} is missing from bundle.json`));
  });
});

describe("a hostile bundle", () => {
  it("whose index.json leads other tools to another image by a name is told", async () => {
    const index = JSON.parse(await readFile(folder.at("index.json"), "utf8")) as { manifests: object[] };
    const other = `sha256:${"0".repeat(64)}`;
    const manifests = [...index.manifests, { ...index.manifests[0], digest: other }];
    await writeFile(folder.at("index.json"), JSON.stringify({ ...index, manifests }));
    expect(await verify()).toEqual([expect.stringContaining(`index.json names ${other}`)]);
  });

  it("fills no screen and writes no line of its own when it is refused", async () => {
    const images = Array.from({ length: 900 }, () => ({ "x\n  to do: run this": 1 }));
    await writeFile(folder.at("bundle.json"), JSON.stringify({ ...contents, images, ["\u001b[2J\n".repeat(1000)]: 1 }));
    const { parts } = await rejectionOf(folder.readContents());
    expect(parts.got).toMatch(/^images\.0\..*; and \d+ more$/);
    expect(parts.got?.length).toBeLessThan(1500);
    expect(parts.got).not.toMatch(/[\n\u001b]/);
  });

  it.each<[what: string, change: (contents: BundleFile) => object]>([
    [
      "a path instead of a digest",
      (all) => ({ ...all, files: [{ ...all.files[0], sha256: "../../../../etc/passwd" }] }),
    ],
    [
      "a path in an image's list",
      (all) => ({ ...all, images: [{ ...all.images[0], blobs: [{ digest: "sha256:../../x", sizeBytes: 1 }] }] }),
    ],
    [
      "a path as the name of a wheel",
      (all) => ({ ...all, files: [{ ...all.files[0], kind: "wheel", wheel: "../x.whl" }] }),
    ],
    ...[
      "registry.example.net/team/../../other:1",
      "registry.example.net/team/engine:1\nregistry.example.net/x",
      "ann:password@registry.example.net/engine:1",
      "registry.example.net//engine",
      "registry.example.net/engine:../1",
      "",
    ].map((reference): [string, (contents: BundleFile) => object] => [
      `the image ${JSON.stringify(reference)}`,
      (all) => ({ ...all, images: [{ ...all.images[0], reference }] }),
    ]),
    ["a text that moves the cursor", (all) => ({ ...all, files: [{ ...all.files[0], name: "\u001b[2Jmodel" }] })],
    ["an address of two lines", (all) => ({ ...all, files: [{ ...all.files[0], from: "https://a/\nhttps://b/" }] })],
    ["a field that nobody knows", (all) => ({ ...all, run: "sh" })],
    ["more images than anybody reads", (all) => ({ ...all, images: Array(1001).fill(all.images[0]) })],
    ["another version", (all) => ({ ...all, bundleVersion: 2 })],
    ["a size below nothing", (all) => ({ ...all, files: [{ ...all.files[0], sizeBytes: -1 }] })],
  ])("with %s is not read", async (_what, change) => {
    await writeFile(folder.at("bundle.json"), JSON.stringify(change(contents)));
    expect(await rejectionOf(folder.readContents())).toMatchObject({ code: "file-invalid" });
  });

  it("whose folder of blobs leads elsewhere is not read, and nothing is written there", async () => {
    await rename(folder.at("blobs"), join(folder.path, "..", "elsewhere"));
    await symlink(join(folder.path, "..", "elsewhere"), folder.at("blobs"));
    expect(await rejectionOf(folder.readContents())).toMatchObject({ code: "host-foreign" });
    expect(await rejectionOf(makeBundle(folder, {}))).toMatchObject({ code: "host-foreign" });
  });

  it("that is a link for its contents has none", async () => {
    const aside = join(folder.path, "..", "contents.json");
    await rename(folder.at("bundle.json"), aside);
    await symlink(aside, folder.at("bundle.json"));
    expect(await rejectionOf(folder.readContents())).toMatchObject({ code: "file-not-found" });
  });
});

async function flip(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

async function linkAside(path: string): Promise<void> {
  await rename(path, `${path}.aside`);
  await symlink(`${path}.aside`, path);
}

async function replaceByLink(path: string, target: string): Promise<void> {
  await rm(path);
  await symlink(target, path);
}
