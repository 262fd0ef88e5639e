import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { llamaImage } from "../support/container-image.js";
import { askDocker, containersOf } from "../support/docker-api.js";
import { complete, underLoad } from "../support/load.js";
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
  let text: string;

  beforeAll(async () => {
    images = await TestImages.start();
    image = await images.pushAs("ggml-org/llama.cpp", "server-b11435", await llamaImage("b11435", images.labels));
    sandbox = await Sandbox.create();
    const shipped = readFileSync(join(repository, "stacks", "local-docker.yaml"), "utf8");
    const range = `portRange: [${sandbox.portRange.join(", ")}]`;
    text = shipped.replace("dataDir: .berth/host }", `dataDir: host, ${range} }`);
    expect(text).toContain(range);
    text += `mirrors: { registries: { ghcr.io: "${images.registry.host}" } }\n`;
    sandbox.writeStack(text);
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

  describe("behind a gateway, asked up to 20 times a second by 8 clients", () => {
    const asked = { model: "chat", prompt: "One", max_tokens: 1, temperature: 0 };
    const load = { body: asked, clients: 8 };
    const endpoint = () => `http://127.0.0.1:${sandbox.portRange[0]}/v1`;
    const ids = async () => (await containersOf(sandbox.dataDir)).map(({ Id, State }) => [Id, State]);

    /** The stack with a gateway, another tag of the image, and further fields. */
    function want(tag: string, fields: readonly string[] = []): void {
      const update = "update: { strategy: blueGreen, minHealthyTime: 2s, drainTimeout: 300s }";
      const lines = [
        `    imageName: ghcr.io/ggml-org/llama.cpp:${tag}`,
        ...[update, ...fields].map((line) => `    ${line}`),
      ];
      sandbox.writeStack(text.replace(/^ {4}imageName: .*$/m, lines.join("\n")));
    }

    beforeAll(async () => {
      const other = await llamaImage("b11435", { ...images.labels, tag: "next" });
      await images.pushAs("ggml-org/llama.cpp", "server-next", other);
      want("server-b11435");
      const { exitCode, output } = await sandbox.up();
      expect(exitCode, output).toBe(0);
    });

    it("fails no request when a new version cannot start: the old one serves, and nothing of the new one is left", async () => {
      const before = await ids();
      want("server-next", ['extraParameters: ["--no-such-parameter"]']);
      const { result, failed, sent } = await underLoad(endpoint(), () => sandbox.up(), load);
      expect(result.exitCode).not.toBe(0);
      expect(result.output).toContain("the runner before it goes on serving");
      expect(result.output).toContain("--no-such-parameter");
      expect(failed).toEqual([]);
      expect(sent).toBeGreaterThan(100);
      expect(await ids()).toEqual(before);
    });

    it("fails none when a good one takes over, and a stream of 30 s that began before ends normally", async () => {
      const begun = Date.now();
      const pace = { ...asked, max_tokens: 64, ignore_eos: true };
      await complete(endpoint(), pace);
      const max_tokens = Math.ceil((64 * 30_000) / (Date.now() - begun));
      const body = JSON.stringify({ ...pace, max_tokens, stream: true });
      const stream = await fetch(`${endpoint()}/completions`, { method: "POST", body });
      const streamed = stream.text();
      const before = await ids();
      want("server-next");
      const { result, failed, sent } = await underLoad(endpoint(), () => sandbox.up(), load);
      expect(result.exitCode, result.output).toBe(0);
      expect(failed).toEqual([]);
      expect(sent).toBeGreaterThan(100);
      const events = (await streamed).trimEnd().split("\n\n");
      expect(events.at(-1)).toBe("data: [DONE]");
      expect(events.at(-2)).toContain('"finish_reason":"length"');
      const after = await ids();
      expect(after.map(([, state]) => state)).toEqual(["running"]);
      expect(after).not.toEqual(before);
    });
  });

  it("leaves nothing to do, and nothing behind", async () => {
    const { exitCode, output } = await sandbox.pulumi(["preview", "--expect-no-changes", "--stack", "test"]);
    expect(exitCode, output).toBe(0);
    const destroyed = await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"]);
    expect(destroyed.exitCode, destroyed.output).toBe(0);
    expect(await containersOf(sandbox.dataDir)).toEqual([]);
  });
});
