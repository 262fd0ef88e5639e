import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { containerStack, writeContainerBackend, type BoxedDeployment } from "../../support/container-stack.js";
import { containersOf } from "../../support/docker-api.js";
import { serveModels } from "../../support/fake-stack.js";
import type { FileServer } from "../../support/file-server.js";
import { points, upAndKill } from "../../support/kill.js";
import { Sandbox } from "../../support/sandbox.js";
import { TestImages, whyNoTestImages } from "../../support/test-image.js";

/** Every step; otherwise the middle one of each operation. In CI a missing tool fails the tests. */
const runAll = process.env.BERTH_TEST_ALL === "1";
const reason = runAll ? undefined : await whyNoTestImages();

const scenarios = [
  {
    title: "created",
    base: {},
    edited: { chat: {} },
    answers: "five",
    points: points("Instance", "create", "chat-0", ["start the runner", "wait until it answers", "record what runs"]),
  },
  {
    title: "updated",
    base: { chat: {} },
    edited: { chat: { version: "2", fields: ['extraParameters: ["--text", "six"]'] } },
    answers: "six",
    points: points("Instance", "update", "chat-0", [
      "stop the old runner",
      "start the runner",
      "wait until it answers",
      "record what runs",
      "remove the old runner",
    ]),
  },
];

const title = `the provider is killed${reason === undefined ? "" : ` (${reason})`}`;

describe.skipIf(reason !== undefined)(title, () => {
  let server: FileServer;
  let images: TestImages;
  let sandbox: Sandbox;

  beforeAll(async () => {
    server = await serveModels();
    images = await TestImages.start();
    sandbox = await Sandbox.create();
    writeContainerBackend(sandbox, { "1": await images.fake("1"), "2": await images.fake("2") });
  });
  afterAll(async () => {
    await sandbox.dispose();
    await images.close();
    await server.close();
  });

  async function bringTo(deployments: Record<string, BoxedDeployment>): Promise<void> {
    sandbox.writeStack(containerStack(server, sandbox.portRange, deployments));
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
  }

  describe.each(scenarios)("while a container is $title", ({ base, edited, answers, points: all }) => {
    const chosen = runAll
      ? all
      : [all[Math.floor(all.length / 2)] ?? { kind: "", operation: "create", name: "", step: "" }];
    it.each(chosen)('at "$step": the next up converges to one container, which serves', async (point) => {
      await bringTo(base);
      sandbox.writeStack(containerStack(server, sandbox.portRange, edited));
      await upAndKill(sandbox, point, "provider");
      await bringTo(edited);
      const found = await containersOf(sandbox.dataDir);
      expect(found.map(({ State }) => State)).toEqual(["running"]);
      const response = await fetch(`http://127.0.0.1:${sandbox.portRange[0]}/v1/completions`, {
        method: "POST",
        body: "{}",
      });
      expect(await response.json()).toMatchObject({ choices: [{ text: answers }] });
    });
  });
});
