import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import type { BundleFolder } from "../../src/bundle/folder.js";
import { partialConfiguration, readPlatformImage, withArchive } from "../../src/bundle/image-archive.js";
import { loadHost } from "../../src/bundle/load.js";
import { baseEnvironment } from "../../src/host/environment.js";
import type { Host } from "../../src/host/host.js";
import { LocalHost } from "../../src/host/local.js";
import { SshHost } from "../../src/host/ssh.js";
import { findRecordedImage } from "../../src/install/image.js";
import { sha256 } from "../../src/lib/canonical.js";
import type { Needs } from "../../src/lock/needs.js";
import { createContainerEngine } from "../../src/runtime/docker-engine.js";
import { createLayerStore } from "../../src/runtime/docker-images.js";
import type { BundleFile } from "../../src/schema/bundle.js";
import { bundleFolder, here, imageNeed, makeBundle, modelNeed, needing, removeBundle } from "../support/bundles.js";
import { serveFiles, type FileServer } from "../support/file-server.js";
import { layeredImage } from "../support/layered-image.js";
import { SshServer, whyNoSshd } from "../support/ssh-server.js";
import { TcpProxy } from "../support/tcp-proxy.js";
import { TestImages, whyNoTestImages, type TestImage } from "../support/test-image.js";
import { rejectionOf } from "../unit/support/thrown.js";
import { quickDockerPace } from "./docker-setting.js";

const missing = await whyNoTestImages();
const isLeftOut = missing !== undefined && process.env.BERTH_TEST_ALL !== "1";
const title = (text: string) => `${text}${isLeftOut ? ` (left out: ${missing})` : ""}`;
const model = Buffer.alloc(3_000_000, "0123456789abcdef!");

describe.skipIf(isLeftOut)(title("a bundle on a host with a real engine"), () => {
  let images: TestImages;
  let server: FileServer;
  let dataDir: string;
  let folder: BundleFolder;
  let number = 0;
  beforeAll(async () => {
    images = await TestImages.start();
    server = await serveFiles({ "/m.gguf": model });
    folder = await bundleFolder();
    dataDir = await realpath(await mkdtemp(join(tmpdir(), "berth-host-")));
  });
  afterAll(async () => {
    await images.close();
    await server.close();
    await removeBundle(folder);
    await rm(dataDir, { recursive: true, force: true });
  });

  /** An image whose layers, but for the ones named, no other test has. */
  const push = async (sizes: readonly number[], shared: readonly string[] = []): Promise<TestImage> => {
    number += 1;
    const own = sizes.map((bytes, index) => `${number} ${index} ${images.registry.host} `.padEnd(bytes, "x"));
    const image = await layeredImage([...shared, ...own], { ...images.labels, "test-number": String(number) });
    return images.push(`layers-${number}`, "1", image);
  };

  /** Loads what is needed, and counts the bytes of layers and small files that the engine was sent. */
  async function load(host: Host, contents: BundleFile, needs: Partial<Needs>) {
    const engine = createContainerEngine(host, quickDockerPace);
    const store = createLayerStore(host, quickDockerPace);
    const archives: number[] = [];
    const loaded = await loadHost({
      ...{ folder, contents, needs: needing(needs), tell: () => undefined },
      place: { host, dataDir },
      engine: () => Promise.resolve(engine),
      findTag: () => Promise.reject(new Error("no Python is asked for images and files")),
      store: {
        ...store,
        load: (archive, signal) => {
          const index = archives.push(0) - 1;
          archive.on("data", (chunk: Buffer) => (archives[index] = (archives[index] ?? 0) + chunk.length));
          archive.pause();
          return store.load(archive, signal);
        },
      },
    });
    return { loaded, archives };
  }
  const local = () => new LocalHost("local", baseEnvironment(process.env));
  const dangling = async () =>
    (await execa("docker", ["images", "--quiet", "--no-trunc", "--filter=dangling=true"])).stdout.split("\n");

  it("is found by its digest after it was loaded, and sent no second time", async () => {
    const image = await push([100_000, 100_000]);
    const needs = { images: [imageNeed(image.reference, image.digest)] };
    const { contents } = await makeBundle(folder, needs);
    const host = local();
    const first = await load(host, contents, needs);
    expect(first.loaded.images).toEqual([image.reference]);
    const engine = createContainerEngine(host, quickDockerPace);
    const found = await findRecordedImage({ host, dataDir }, engine, image);
    expect(found?.id).toMatch(/^sha256:/);
    expect(found?.digests).toEqual([]);
    const second = await load(host, contents, needs);
    expect(second).toEqual({ loaded: { images: [], files: [], sentBytes: 0 }, archives: [] });
  });

  it("of whose layers the engine has some gets the others alone", async () => {
    const shared = [`shared ${images.registry.host} `.padEnd(2_000_000, "x")];
    const [one, other] = [await push([50_000], shared), await push([60_000], shared)];
    const needs = { images: [imageNeed(one.reference, one.digest), imageNeed(other.reference, other.digest)] };
    const { contents } = await makeBundle(folder, needs);
    const { archives } = await load(local(), contents, needs);
    expect(archives).toHaveLength(2);
    expect(archives[0]).toBeGreaterThan(2_000_000);
    expect(archives[1]).toBeLessThan(200_000);
  });

  it("goes on behind the layers that an interrupted load has brought, and leaves nothing of it", async () => {
    const image = await push([900_000, 40_000]);
    const needs = { images: [imageNeed(image.reference, image.digest)] };
    const { contents } = await makeBundle(folder, needs);
    const host = local();
    const whole = await readPlatformImage(folder, image.reference, image.digest, here.platform);
    const part = { layers: 1, present: 0 };
    await withArchive(folder, whole, part, (archive) => createLayerStore(host, quickDockerPace).load(archive));
    const intermediate = `sha256:${sha256(partialConfiguration(whole.configuration, 1))}`;
    expect(await dangling()).toContain(intermediate);
    const { archives } = await load(host, contents, needs);
    expect(archives).toHaveLength(1);
    expect(archives[0]).toBeLessThan(200_000);
    expect(await dangling()).not.toContain(intermediate);
  });

  it.skipIf(whyNoSshd !== undefined)("over ssh sends of a file only what a load that was cut off has not", async () => {
    const sshd = await SshServer.start();
    const proxy = await TcpProxy.start(sshd.port);
    const host = new SshHost(sshd.target(proxy.port), sshd.settings());
    onTestFinished(async () => {
      await host.close();
      proxy.close();
      await sshd.dispose();
    });
    const image = await push([70_000]);
    const needs = {
      images: [imageNeed(image.reference, image.digest)],
      models: [modelNeed(server.url("/m.gguf"), sha256(model))],
    };
    const { contents } = await makeBundle(folder, needs);
    const cached = join(dataDir, "cache", "models", sha256(model));
    // What a load has left that was cut off.
    await host.writeFile(join(cached, "model.part"), model.subarray(0, 2_500_000));
    const before = proxy.sent;
    const { loaded } = await load(host, contents, needs);
    expect(loaded).toMatchObject({ images: [image.reference], files: ["m.gguf"] });
    expect(proxy.sent - before).toBeLessThan(1_500_000);
    expect(await host.sha256(join(cached, "model"))).toBe(sha256(model));
    expect(await host.list(cached)).toEqual(["model"]);
  });

  it("with a wrong beginning of a file on the host is sent whole, and right", async () => {
    const needs = { models: [modelNeed(server.url("/m.gguf"), sha256(model))] };
    const { contents } = await makeBundle(folder, needs);
    const host = local();
    const cached = join(dataDir, "cache", "models", sha256(model));
    await host.remove(cached);
    await host.writeFile(join(cached, "model.part"), "something else");
    await load(host, contents, needs);
    expect(await host.sha256(join(cached, "model"))).toBe(sha256(model));
  });

  it("that was made for another platform is refused, with the platform that is lacking", async () => {
    const { registry } = images;
    const foreign = await layeredImage(["far"], images.labels, "s390x");
    const own = await layeredImage(["near"], images.labels);
    const all = { "linux/s390x": foreign, [here.platform]: own };
    const { digest } = await registry.pushIndex("berth/several", "1", all);
    const reference = `${registry.host}/berth/several:1`;
    const { contents } = await makeBundle(folder, { images: [imageNeed(reference, digest)] });
    expect(contents.images).toMatchObject([{ isWhole: false }]);
    const elsewhere = { ...here, platform: here.platform === "linux/amd64" ? "linux/arm64" : "linux/amd64" } as const;
    const needs = { images: [imageNeed(reference, digest, { hosts: [elsewhere] })] };
    const error = await rejectionOf(load(local(), contents, needs));
    expect(error).toMatchObject({ code: "image-unavailable", parts: { expected: elsewhere.platform } });
  });
});
