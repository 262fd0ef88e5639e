import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { TestImages, whyNoLlamaImage, whyNoTestImages, type TestImage } from "../support/test-image.js";

const missing = await whyNoTestImages();
const isLeftOut = missing !== undefined && process.env.BERTH_TEST_ALL !== "1";
const noLlama = whyNoLlamaImage();
const isLlamaLeftOut = noLlama !== undefined && process.env.BERTH_TEST_ALL !== "1";

describe.skipIf(isLeftOut)(`the images of tests${isLeftOut ? ` (left out: ${missing})` : ""}`, () => {
  let images: TestImages;
  beforeAll(async () => {
    images = await TestImages.start();
  });
  afterAll(() => images.close());

  async function run({ pinned }: TestImage, ...args: string[]): Promise<string> {
    const { stdout, stderr } = await execa("docker", ["run", "--rm", "--network=none", pinned, ...args]);
    return `${stdout}${stderr}`;
  }

  it("hold an engine that needs nothing but a kernel", async () => {
    const fake = await images.fake();
    await images.pull(fake);
    const refused = execa("docker", ["run", "--rm", "--network=none", fake.pinned, "--crash-after=100ms"]);
    await expect(refused).rejects.toMatchObject({
      exitCode: 3,
      stdout: expect.stringContaining("listening on") as string,
    });
  });

  it.skipIf(isLlamaLeftOut)(`hold a real engine${isLlamaLeftOut ? ` (left out: ${noLlama})` : ""}`, async () => {
    const llama = await images.llama("b11434");
    await images.pull(llama);
    expect(await run(llama, "--version")).toContain("11434");
  });
});
