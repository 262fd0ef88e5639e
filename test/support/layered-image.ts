/** Images of as many layers as a test likes, each with one file. Nothing in them can be run. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";

import { execa } from "execa";

import { sha256 } from "../../src/lib/canonical.js";
import type { ContainerImage, ImageLabels } from "./container-image.js";

/** Equal contents give equal layers. Layers are not made smaller than their contents. */
export async function layeredImage(
  contents: readonly string[],
  labels: ImageLabels,
  architecture = process.arch === "arm64" ? "arm64" : "amd64",
): Promise<ContainerImage> {
  const layers = await Promise.all(contents.map(makeLayer));
  const diffIds = layers.map((layer) => `sha256:${sha256(gunzipSync(layer))}`);
  const config = { Labels: { "berth-test": "1", ...labels } };
  return {
    config: JSON.stringify({ architecture, os: "linux", config, rootfs: { type: "layers", diff_ids: diffIds } }),
    layers,
  };
}

async function makeLayer(content: string): Promise<Buffer> {
  const work = await mkdtemp(join(tmpdir(), "berth-layer-"));
  try {
    await writeFile(join(work, `file-${sha256(content).slice(0, 8)}`), content);
    const plain = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--format=ustar"];
    const { stdout } = await execa("tar", [...plain, "-C", work, "-cf", "-", "."], { encoding: "buffer" });
    return gzipSync(stdout, { level: 0 });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
