import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { containerStack, writeContainerBackend, type BoxedDeployment } from "../support/container-stack.js";
import { containersOf } from "../support/docker-api.js";
import { serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { complete, underLoad } from "../support/load.js";
import { Sandbox } from "../support/sandbox.js";
import { TestImages, whyNoTestImages, type TestImage } from "../support/test-image.js";

/** In CI a missing tool fails the tests instead. */
const reason = process.env.BERTH_TEST_ALL === "1" ? undefined : await whyNoTestImages();
const title = `a container behind a gateway${reason === undefined ? "" : ` (${reason})`}`;

describe.skipIf(reason !== undefined)(title, () => {
  let server: FileServer;
  let images: TestImages;
  let sandbox: Sandbox;
  let versions: Record<"1" | "2", TestImage>;
  let endpoint: string;

  beforeAll(async () => {
    server = await serveModels();
    images = await TestImages.start();
    versions = { "1": await images.fake("1"), "2": await images.fake("2") };
    sandbox = await Sandbox.create();
    writeContainerBackend(sandbox, versions);
    endpoint = `http://127.0.0.1:${sandbox.portRange[0]}/v1`;
  });
  afterAll(async () => {
    await sandbox.dispose();
    await images.close();
    await server.close();
  });

  function want(chat: BoxedDeployment): void {
    const text = containerStack(server, sandbox.portRange, { chat });
    sandbox.writeStack(text.replace("update: {", "update: { strategy: blueGreen, drainTimeout: 60s,"));
  }

  it("serves on its stable port, and then nothing changes", async () => {
    want({});
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
    expect(await complete(endpoint)).toBe("five");
    const again = await sandbox.up(["--expect-no-changes"]);
    expect(again.exitCode, again.output).toBe(0);
  });

  it("is updated under load without a failed request, and a stream of 30 s that began before ends normally", async () => {
    const words = Array.from({ length: 30 }, (_, index) => `w${index}`).join(" ");
    const slow = ["--text", words, "--chunk-delay", "1s"];
    want({ fields: [`extraParameters: ${JSON.stringify(slow)}`] });
    expect((await sandbox.up()).exitCode).toBe(0);
    const stream = await fetch(`${endpoint}/completions`, { method: "POST", body: '{"stream": true}' });
    want({ version: "2", fields: ['extraParameters: ["--text", "six"]'] });
    const { result, failed, answers } = await underLoad(endpoint, () => sandbox.up());
    expect(result.exitCode, result.output).toBe(0);
    expect(failed).toEqual([]);
    expect(answers).toEqual([words, "six"]);
    expect(await stream.text()).toMatch(/"w29".*data: \[DONE\]\n\n$/s);
    const found = await containersOf(sandbox.dataDir);
    expect(found.map(({ Image, State }) => [Image, State])).toEqual([[versions["2"].pinned, "running"]]);
  });

  it("goes on with the old container, without a failed request, when the new one never gets healthy", async () => {
    const before = await containersOf(sandbox.dataDir);
    want({ version: "1", fields: ['extraParameters: ["--never-healthy"]'] });
    const { result, failed, answers } = await underLoad(endpoint, () => sandbox.up());
    expect(result.exitCode).not.toBe(0);
    expect(result.output).toContain("the runner was not healthy within 20 s; the runner before it goes on serving");
    expect(result.output).toContain("fake: listening on");
    expect(failed).toEqual([]);
    expect(answers).toEqual(["six"]);
    const after = await containersOf(sandbox.dataDir);
    expect(after.map(({ Id }) => Id)).toEqual(before.map(({ Id }) => Id));
    expect(sandbox.resources("Instance")[0]?.outputs).toMatchObject({ health: "answered", drift: [] });
  });

  it("leaves nothing when it is destroyed", async () => {
    const { exitCode, output } = await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"]);
    expect(exitCode, output).toBe(0);
    expect(await containersOf(sandbox.dataDir)).toEqual([]);
  });
});
