import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { llamaImage } from "../support/container-image.js";
import { askDocker, containersOf } from "../support/docker-api.js";
import { Sandbox } from "../support/sandbox.js";
import { TestImages, whyNoLlamaImage, whyNoTestImages, type TestImage } from "../support/test-image.js";
import { repository } from "../support/toolchain.js";

/** In CI a missing tool fails the tests instead. */
const reason = process.env.BERTH_TEST_ALL === "1" ? undefined : (whyNoLlamaImage() ?? (await whyNoTestImages()));

/** The stack file as it is shipped; its image comes from a mirror, which has a real engine by that name. */
const title = `stacks/local-docker.yaml${reason === undefined ? "" : ` (${reason})`}`;

describe.skipIf(reason !== undefined)(title, () => {
  let images: TestImages;
  let image: TestImage;
  let sandbox: Sandbox;

  beforeAll(async () => {
    images = await TestImages.start();
    image = await images.pushAs("ggml-org/llama.cpp", "server-b11435", await llamaImage("b11435", images.labels));
    sandbox = await Sandbox.create();
    const shipped = readFileSync(join(repository, "stacks", "local-docker.yaml"), "utf8");
    const range = `portRange: [${sandbox.portRange.join(", ")}]`;
    const text = shipped.replace("dataDir: .berth/host }", `dataDir: host, ${range} }`);
    expect(text).toContain(range);
    sandbox.writeStack(`${text}mirrors: { registries: { ghcr.io: "${images.registry.host}" } }\n`);
  });
  afterAll(async () => {
    await sandbox.dispose();
    await images.close();
  });

  it("serves the quickstart's model in a container of llama.cpp's image, pinned by its digest", async () => {
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
    const found = await containersOf(sandbox.dataDir);
    const { Id } = await askDocker<{ Id: string }>("GET", `/images/${image.pinned}/json`);
    expect(found.map(({ ImageID }) => ImageID)).toEqual([Id]);
    expect(readFileSync(sandbox.path("stacks", "test.lock.yaml"), "utf8")).toContain(image.digest);
    const body = JSON.stringify({ model: "chat", prompt: "The capital of France is", max_tokens: 8, temperature: 0 });
    const endpoint = `http://127.0.0.1:${sandbox.portRange[0]}/v1/completions`;
    const response = await fetch(endpoint, { method: "POST", body });
    const answer = (await response.json()) as { choices: { text: string }[]; system_fingerprint: string };
    expect(answer.choices[0]?.text).toMatch(/city|country|capital|Paris/);
    expect(answer.system_fingerprint).toMatch(/b?11435/);
  });

  it("leaves nothing to do, and nothing behind", async () => {
    const { exitCode, output } = await sandbox.pulumi(["preview", "--expect-no-changes", "--stack", "test"]);
    expect(exitCode, output).toBe(0);
    const destroyed = await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"]);
    expect(destroyed.exitCode, destroyed.output).toBe(0);
    expect(await containersOf(sandbox.dataDir)).toEqual([]);
  });
});
