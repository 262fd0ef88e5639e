/** Bundles in temporary folders, of images that a registry has. */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createBundle, type BundleRequest, type MadeBundle } from "../../src/bundle/create.js";
import type { BundleMaker } from "../../src/bundle/folder-lock.js";
import { BundleFolder } from "../../src/bundle/folder.js";
import { baseEnvironment } from "../../src/host/environment.js";
import { LocalHost } from "../../src/host/local.js";
import { systemClock } from "../../src/lib/clock.js";
import { Serial } from "../../src/lib/serial.js";
import type { ImageNeed, ModelNeed, Needs, NeedyHost } from "../../src/lock/needs.js";

export const here: NeedyHost = { name: "local", platform: process.arch === "arm64" ? "linux/arm64" : "linux/amd64" };
const nothing: Needs = { images: [], archives: [], packages: [], models: [], executables: [] };

export function needing(needs: Partial<Needs>): Needs {
  return { ...nothing, ...needs };
}

export function imageNeed(reference: string, digest: string, more: Partial<ImageNeed> = {}): ImageNeed {
  return { reference, digest, from: reference, platforms: undefined, of: "engine 1", hosts: [here], ...more };
}

/** One file of an address. */
export function modelNeed(url: string, sha256: string): ModelNeed {
  const model = { from: { source: "url" as const, url }, file: "m.gguf", sha256 };
  return { model, indexUrl: undefined, token: undefined, of: "m.gguf", hosts: [here] };
}

export async function bundleFolder(): Promise<BundleFolder> {
  return new BundleFolder(join(await realpath(await mkdtemp(join(tmpdir(), "berth-bundle-"))), "bundle"));
}

export async function removeBundle({ path }: BundleFolder): Promise<void> {
  await rm(join(path, ".."), { recursive: true, force: true });
}

/** Somebody who makes a bundle; whoever holds its lock is alive. */
export function bundleMaker(more: Partial<BundleMaker> = {}): BundleMaker {
  const isAlive = () => Promise.resolve(true);
  return { id: "one", owner: "test/one", machine: "here", process: "100:1", clock: systemClock, isAlive, ...more };
}

/** Makes or goes on with a bundle. */
export function makeBundle(
  folder: BundleFolder,
  needs: Partial<Needs>,
  more: Partial<BundleRequest> = {},
): Promise<MadeBundle> {
  const host = new LocalHost("local", baseEnvironment(process.env));
  const refuse = () => Promise.reject(new Error("nothing of this needs it"));
  return createBundle(folder, {
    ...{ stack: "test", lock: { id: "0".repeat(64), release: {} }, needs: needing(needs), platforms: undefined },
    context: { host, content: { backendFile: refuse, pythonTool: refuse }, serial: new Serial(), python: refuse },
    asker: {},
    defaultIndex: undefined,
    findSecret: () => Promise.resolve(undefined),
    tell: () => undefined,
    maker: bundleMaker(),
    ...more,
  });
}
