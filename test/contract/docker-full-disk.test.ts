import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { sha256 } from "../../src/lib/canonical.js";
import type { ContainerImage } from "../support/container-image.js";
import { PrivateEngine, whyNoPrivateEngine } from "../support/private-engine.js";
import { SmallDisk } from "../support/small-disk.js";
import { TestImages, whyNoTestImages, type TestImage } from "../support/test-image.js";
import { BoxedService } from "./boxed-service.js";

const reason = (await whyNoTestImages()) ?? whyNoPrivateEngine;
const isLeftOut = reason !== undefined && process.env.BERTH_TEST_ALL !== "1";
const megabyte = 2 ** 20;

describe.skipIf(isLeftOut)(`a Docker Engine whose disk is full${isLeftOut ? ` (left out: ${reason})` : ""}`, () => {
  let images: TestImages;
  let disk: SmallDisk;
  let engine: PrivateEngine;
  let service: BoxedService;

  beforeAll(async () => {
    images = await TestImages.start();
    disk = SmallDisk.mount(200);
    engine = await PrivateEngine.start(disk.folder);
    service = await BoxedService.create(engine, false);
  });
  afterEach(async () => {
    disk.empty();
    await service.destroy();
  });
  afterAll(async () => {
    service.forget();
    await engine.dispose();
    disk.unmount();
    await images.close();
  });

  /** The fake engine with a file beside it. */
  async function push(name: string, file: Buffer): Promise<TestImage> {
    const { config, layers } = await images.buildFake(name);
    const { diffId, layer } = await layerOf(file);
    const more = JSON.parse(config) as { rootfs: { diff_ids: string[] } };
    more.rootfs.diff_ids.push(diffId);
    const image: ContainerImage = { config: JSON.stringify(more), layers: [...layers, layer] };
    return images.push(name, "1", image);
  }

  async function refusal(image: TestImage): Promise<string> {
    const told = await service.up({ image, text: "five" }).then(() => "nothing", String);
    expect(await engine.docker(["images", "--all", "--quiet"])).toBe("");
    return told;
  }

  async function expectServed(image: TestImage): Promise<void> {
    await service.up({ image, text: "five" });
    expect(await service.answer()).toBe("five");
    expect(await service.steps(() => service.up({ image, text: "five" }))).toEqual([]);
  }

  it("fetches nothing that has no room: what is free and needed is told, and with room it is pulled", async () => {
    const image = await push("large", randomBytes(40 * megabyte));
    disk.fill(20);
    const told = await refusal(image);
    expect(told).toContain("no space is left on the disk of the Docker Engine");
    expect(told).toMatch(/got: (?:19\.\d|2\d(?:\.\d)?) (?:MB|MiB) free/);
    expect(told).toMatch(
      /expected: 4\d(?:\.\d)? (?:MB|MiB) for what is missing of 127\.0\.0\.1:\d+\/berth\/large@sha256:/,
    );
    expect(told).toContain("docker system df");
    disk.empty();
    await expectServed(image);
  });

  it("has nothing of an image that does not fit when it is unpacked, and with room it is pulled", async () => {
    const image = await push("unpacked", Buffer.alloc(100 * megabyte));
    disk.fill(30);
    const told = await refusal(image);
    expect(told).toContain("no space is left on the disk of the Docker Engine");
    expect(told).toContain("and more for what it unpacks to");
    disk.empty();
    await expectServed(image);
  });
});

async function layerOf(file: Buffer): Promise<{ diffId: string; layer: Buffer }> {
  const folder = mkdtempSync("/tmp/bl-");
  try {
    writeFileSync(join(folder, "file"), file);
    await execa("tar", ["-C", folder, "-cf", join(folder, "layer"), "file"]);
    const layer = readFileSync(join(folder, "layer"));
    return { diffId: `sha256:${sha256(layer)}`, layer: gzipSync(layer, { level: 1 }) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
