import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { llamaImage } from "../support/container-image.js";
import { askDocker, containersOf } from "../support/docker-api.js";
import { completeBy, underLoad } from "../support/load.js";
import type { LlamaBuild } from "../support/llama-builds.js";
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

  describe("behind a gateway, asked 20 times a second", () => {
    const asked = { model: "chat", prompt: "One", max_tokens: 1, temperature: 0 };
    const endpoint = () => `http://127.0.0.1:${sandbox.portRange[0]}/v1`;
    const ids = async () => (await containersOf(sandbox.dataDir)).map(({ Id, State }) => [Id, State]);

    /**
     * The stack with a gateway, another build, and further fields. Each engine has one thread: two wait for each other
     * at every step, and spin while they do. Where something else takes a core, an answer then costs up to a second.
     */
    function want(build: LlamaBuild, fields: readonly string[] = []): void {
      const lines = [
        `imageName: ghcr.io/ggml-org/llama.cpp:server-${build}`,
        "update: { strategy: blueGreen, minHealthyTime: 2s, drainTimeout: 300s }",
        'parameters: [--threads, "1", --parallel, "16", --kv-unified]',
        ...fields,
      ];
      const changed = text.replace(/^ {4}backendVersion: .*$/m, `    backendVersion: ${build}`);
      sandbox.writeStack(changed.replace(/^ {4}imageName: .*$/m, lines.map((line) => `    ${line}`).join("\n")));
    }

    beforeAll(async () => {
      await images.pushAs("ggml-org/llama.cpp", "server-b11434", await llamaImage("b11434", images.labels));
      want("b11434");
      const { exitCode, output } = await sandbox.up();
      expect(exitCode, output).toBe(0);
    });

    it("fails no request when a new version cannot start: the old one serves, and nothing of the new one is left", async () => {
      const before = await ids();
      want("b11435", ['extraParameters: ["--no-such-parameter"]']);
      const answeredBy = (at: string) => completeBy(at, asked);
      // Also for a while after it failed, where that is soon.
      const failToUpdate = () => Promise.all([sandbox.up(), delay(6_000)]);
      const load = await underLoad(endpoint(), failToUpdate, answeredBy);
      const [result] = load.result;
      expect(result.exitCode).not.toBe(0);
      expect(result.output).toContain("the runner before it goes on serving");
      expect(result.output).toContain("--no-such-parameter");
      expect(load.failed).toEqual([]);
      expect(load.answers).toEqual(["b11434"]);
      expect(load.sent).toBeGreaterThan(Math.max(100, 0.9 * 20 * load.seconds));
      expect(await ids()).toEqual(before);
    });

    it("fails none when a good one takes over, and a stream of 30 s that began before ends normally", async () => {
      const before = await ids();
      want("b11435");
      let takenOverAt = Infinity;
      const answeredBy = async (at: string) => {
        const build = await completeBy(at, asked);
        if (build === "b11435") takenOverAt = Math.min(takenOverAt, performance.now());
        return build;
      };
      const streamMeanwhile = async () => {
        // The new one has its container, and is not ready yet.
        await expect.poll(ids, { timeout: 120_000, interval: 200 }).toHaveLength(2);
        return streamFor(endpoint(), 30_000);
      };
      const load = await underLoad(endpoint(), () => Promise.all([sandbox.up(), streamMeanwhile()]), answeredBy);
      const [result, stream] = load.result;
      expect(result.exitCode, result.output).toBe(0);
      expect(load.failed).toEqual([]);
      expect([...new Set(load.answers)]).toEqual(["b11434", "b11435"]);
      expect(load.sent).toBeGreaterThan(Math.max(100, 0.9 * 20 * load.seconds));
      expect(stream.milliseconds).toBeGreaterThan(30_000);
      expect(stream.endedAt).toBeGreaterThan(takenOverAt);
      expect(stream.events.at(-1)).toBe("data: [DONE]");
      expect(stream.events.at(-2)).toContain('"finish_reason":"length"');
      expect(stream.events.at(-2)).toMatch(/"system_fingerprint":"b11434/);
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

/** A stream that the engine ends after a time, however fast it is: so it does at the next word, once there was a newline. */
async function streamFor(endpoint: string, t_max_predict_ms: number) {
  const begun = performance.now();
  const asked = {
    model: "chat",
    prompt: "1\n2\n3\n",
    temperature: 0,
    ignore_eos: true,
    stream: true,
    t_max_predict_ms,
  };
  const response = await fetch(`${endpoint}/completions`, { method: "POST", body: JSON.stringify(asked) });
  const events = (await response.text()).trimEnd().split("\n\n");
  const endedAt = performance.now();
  return { events, endedAt, milliseconds: endedAt - begun };
}
