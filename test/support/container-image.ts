/** Container images that are built from nothing: no download, no base image, no build by an engine. */
import { cp, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";

import { execa } from "execa";

import { sha256 } from "../../src/lib/canonical.js";
import { llamaArchive, type LlamaBuild } from "./llama-builds.js";
import { repository } from "./toolchain.js";

/** Of one platform. Equal files give equal digests. */
export interface ContainerImage {
  /** The configuration's text. */
  readonly config: string;
  /** Compressed, from the lowest. */
  readonly layers: readonly Buffer[];
}

const architecture = process.arch === "x64" ? "amd64" : process.arch;

/** The labels of an image. Other labels make another image of the same layers. */
export type ImageLabels = Readonly<Record<string, string>>;

/** The fake engine of `fake-container`: `docker run IMAGE --port 8000`. */
export function fakeImage(labels: ImageLabels = {}): Promise<ContainerImage> {
  return buildImage(["/fake"], labels, async (root) => {
    await cp(await buildFake(), join(root, "fake"));
  });
}

/** A real engine with the libraries it needs, taken from this machine: `docker run IMAGE --model ...`. */
export function llamaImage(build: LlamaBuild, labels: ImageLabels = {}): Promise<ContainerImage> {
  // Where llama.cpp's own images have it.
  return buildImage(["/app/llama-server"], labels, async (root) => {
    await mkdir(join(root, "app"));
    await execa("tar", ["-xzf", llamaArchive(build), "-C", join(root, "app"), "--strip-components=1"]);
    const { stdout } = await execa("ldd", [join(root, "app", "llama-server")]);
    // `libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x...)`, and the loader without an arrow.
    const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
    for (const path of libraries) {
      await mkdir(join(root, dirname(path)), { recursive: true });
      await cp(path, join(root, path), { dereference: true });
    }
  });
}

/** An image with one layer. */
async function buildImage(
  entrypoint: readonly string[],
  labels: ImageLabels,
  fill: (root: string) => Promise<void>,
): Promise<ContainerImage> {
  const work = await mkdtemp(join(tmpdir(), "berth-image-"));
  try {
    const root = join(work, "root");
    await mkdir(join(root, "tmp"), { recursive: true, mode: 0o777 });
    await fill(root);
    const archive = join(work, "layer.tar");
    const plain = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--format=ustar"];
    await execa("tar", [...plain, "-C", root, "-cf", archive, "."]);
    const layer = gzipSync(await readFile(archive), { level: 1 });
    const diffId = `sha256:${sha256(gunzipSync(layer))}`;
    const config = { Entrypoint: entrypoint, Env: ["PATH=/"], Labels: { "berth-test": "1", ...labels } };
    const rootfs = { type: "layers", diff_ids: [diffId] };
    return { config: JSON.stringify({ architecture, os: "linux", config, rootfs }), layers: [layer] };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Writes an image as `docker save` does. An engine that loads it knows its configuration's digest, and no other. */
export async function writeImageArchive(image: ContainerImage, tag: string, path: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "berth-image-"));
  try {
    const config = `${sha256(image.config)}.json`;
    const layers = image.layers.map((_, index) => `layer-${index}.tar`);
    await writeFile(join(work, config), image.config);
    for (const [index, name] of layers.entries()) {
      await writeFile(join(work, name), gunzipSync(image.layers[index] ?? Buffer.alloc(0)));
    }
    await writeFile(join(work, "manifest.json"), JSON.stringify([{ Config: config, RepoTags: [tag], Layers: layers }]));
    await execa("tar", ["-C", work, "-cf", path, "manifest.json", config, ...layers]);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

let built: Promise<string> | undefined;

/** The fake engine's executable. It is compiled once for each text of it, and kept. */
function buildFake(): Promise<string> {
  built ??= compileFake();
  return built;
}

async function compileFake(): Promise<string> {
  const source = join(repository, "test", "support", "fake-container", "main.go");
  const path = join(
    repository,
    ".berth",
    "test-cache",
    `fake-container-${sha256(await readFile(source)).slice(0, 12)}`,
  );
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (isThere) return path;
  await mkdir(dirname(path), { recursive: true });
  const made = await mkdtemp(join(dirname(path), `${basename(path)}-`));
  try {
    const argv = ["build", "-trimpath", "-ldflags=-s -w", "-o", join(made, "fake"), source];
    await execa("go", argv, { env: { CGO_ENABLED: "0", GOTOOLCHAIN: "local" } });
    await rename(join(made, "fake"), path);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
  return path;
}
