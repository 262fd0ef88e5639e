/** Images for tests of containers: a registry on loopback that has them, and the engine rid of them afterwards. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";

import { fakeImage, llamaImage, writeImageArchive, type ContainerImage, type ImageLabels } from "./container-image.js";
import { ImageRegistry, type RegistryOptions } from "./image-registry.js";
import { hasLlamaBuilds, type LlamaBuild } from "./llama-builds.js";

export interface TestImage {
  /** `127.0.0.1:PORT/berth/NAME:TAG` */
  readonly reference: string;
  readonly digest: string;
  /** How an engine pulls it. */
  readonly pinned: string;
}

/** Why this machine cannot make and run the images; undefined when it can. */
export async function whyNoTestImages(): Promise<string | undefined> {
  const needs = { "a container engine": ["docker", "version"], "docker-registry": ["docker-registry", "--version"] };
  for (const [need, [command = "", ...args]] of Object.entries({ ...needs, go: ["go", "version"] })) {
    const { exitCode } = await execa(command, args, { reject: false });
    if (exitCode !== 0) return `it needs ${need}`;
  }
  return undefined;
}

/** Why this machine cannot make the image of a real engine. */
export function whyNoLlamaImage(): string | undefined {
  return hasLlamaBuilds() ? undefined : "it needs the builds of llama-server";
}

export class TestImages {
  /** Makes the images others than those of tests that run at the same time. */
  readonly #labels: ImageLabels;

  private constructor(readonly registry: ImageRegistry) {
    this.#labels = { "berth-test-registry": registry.host };
  }

  /** By default a registry that asks nobody for a login. */
  static async start(options: RegistryOptions = { login: false }): Promise<TestImages> {
    return new TestImages(await ImageRegistry.start(options));
  }

  /** The fake engine. Another tag is another image of it. */
  async fake(tag = "1"): Promise<TestImage> {
    return this.push("fake", tag, await this.buildFake(tag));
  }

  /** The same image as {@link fake}, in no place yet. */
  buildFake(tag = "1"): Promise<ContainerImage> {
    return fakeImage({ ...this.#labels, tag });
  }

  async llama(build: LlamaBuild): Promise<TestImage> {
    return this.push("llama-server", build, await llamaImage(build, this.#labels));
  }

  push(name: string, tag: string, image: ContainerImage): Promise<TestImage> {
    return this.pushAs(`berth/${name}`, tag, image);
  }

  /** @param repository without the registry */
  async pushAs(repository: string, tag: string, image: ContainerImage): Promise<TestImage> {
    const digest = await this.registry.push(repository, tag, image);
    const name = `${this.registry.host}/${repository}`;
    return { reference: `${name}:${tag}`, digest, pinned: `${name}@${digest}` };
  }

  /** Of this registry's own, so that {@link close} finds it. */
  get labels(): ImageLabels {
    return this.#labels;
  }

  /** Pulls an image that needs no login, as Docker's own client does. */
  async pull({ pinned }: TestImage): Promise<void> {
    await execa("docker", ["pull", "--quiet", pinned]);
  }

  /** Brings an image to the engine as people do who have no registry: by `docker load`. */
  async load(image: ContainerImage, tag: string): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), "berth-archive-"));
    try {
      const archive = join(folder, "image.tar");
      await writeImageArchive(image, tag, archive);
      await execa("docker", ["load", "--input", archive]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Takes away what the engine has of the images, with the containers made of them, and the registry. */
  async close(): Promise<void> {
    try {
      const label = `--filter=label=berth-test-registry=${this.registry.host}`;
      const { stdout } = await execa("docker", ["images", "--all", "--quiet", "--no-trunc", label]);
      for (const id of new Set(stdout.split("\n").filter((line) => line !== ""))) await forgetImage(id);
    } finally {
      await this.registry.close();
    }
  }
}

/** Removes an image with all its names and containers. */
async function forgetImage(id: string): Promise<void> {
  const { stdout } = await execa("docker", ["ps", "--all", "--quiet", `--filter=ancestor=${id}`]);
  const containers = stdout.split("\n").filter((line) => line !== "");
  for (const container of containers) await removeContainer(container);
  await execa("docker", ["rmi", "--force", id]);
}

/** On a machine that is busy the engine may say that it saw nothing end. */
async function removeContainer(id: string): Promise<void> {
  const remove = ["rm", "--force", "--volumes", id];
  const { failed } = await execa("docker", remove, { reject: false });
  if (failed) await execa("docker", remove);
}
