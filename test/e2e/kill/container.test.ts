import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { containerStack, writeContainerBackend, type BoxedDeployment } from "../../support/container-stack.js";
import { containersOf } from "../../support/docker-api.js";
import { serveModels } from "../../support/fake-stack.js";
import type { FileServer } from "../../support/file-server.js";
import { points, upAndKill } from "../../support/kill.js";
import { complete, underLoad } from "../../support/load.js";
import { Sandbox } from "../../support/sandbox.js";
import { TestImages, whyNoTestImages } from "../../support/test-image.js";

/** Every step; otherwise the middle one of each operation. In CI a missing tool fails the tests. */
const runAll = process.env.BERTH_TEST_ALL === "1";
const reason = runAll ? undefined : await whyNoTestImages();

/** Behind a gateway, so that it is updated without a moment in which nothing serves. */
const switched = { update: "strategy: blueGreen, drainTimeout: 5s" };

interface ContainerScenario {
  readonly title: string;
  readonly base: Record<string, BoxedDeployment>;
  readonly edited: Record<string, BoxedDeployment>;
  readonly answers: string;
  readonly points: ReturnType<typeof points>;
  /** Whether it answers all the time. */
  readonly steady?: boolean;
}

const scenarios: readonly ContainerScenario[] = [
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
  {
    title: "created behind a gateway",
    base: {},
    edited: { chat: switched },
    answers: "five",
    // The other steps are those of one without a gateway.
    points: points("Instance", "create", "chat-0", ["send requests to it"]).slice(0, 1),
  },
  {
    title: "updated behind a gateway, where it serves all the time",
    base: { chat: switched },
    edited: { chat: { ...switched, version: "2", fields: ['extraParameters: ["--text", "six"]'] } },
    answers: "six",
    points: points("Instance", "update", "chat-0", [
      "start the runner",
      "wait until it answers",
      "send requests to it",
      "record what runs",
      "let requests in progress end",
      "remove the old runner",
    ]),
    steady: true,
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

  const endpoint = () => `http://127.0.0.1:${sandbox.portRange[0]}/v1`;

  async function bringTo(deployments: Record<string, BoxedDeployment>): Promise<void> {
    sandbox.writeStack(containerStack(server, sandbox.portRange, deployments));
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
  }

  describe.each(scenarios)("while a container is $title", ({ base, edited, answers, points: all, steady = false }) => {
    const chosen = runAll
      ? all
      : [all[Math.floor(all.length / 2)] ?? { kind: "", operation: "create", name: "", step: "" }];
    it.each(chosen)('at "$step": the next up converges to one container, which serves', async (point) => {
      await bringTo(base);
      sandbox.writeStack(containerStack(server, sandbox.portRange, edited));
      const killAndGoOn = async () => {
        await upAndKill(sandbox, point, "provider");
        await bringTo(edited);
      };
      if (steady) expect((await underLoad(endpoint(), killAndGoOn)).failed).toEqual([]);
      else await killAndGoOn();
      const found = await containersOf(sandbox.dataDir);
      expect(found.map(({ State }) => State)).toEqual(["running"]);
      expect(await complete(endpoint())).toBe(answers);
    });
  });
});
