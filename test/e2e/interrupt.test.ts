import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { containerStack, writeContainerBackend } from "../support/container-stack.js";
import { containersOf } from "../support/docker-api.js";
import { fakeStack, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { complete } from "../support/load.js";
import { Sandbox } from "../support/sandbox.js";
import { TestImages, whyNoTestImages } from "../support/test-image.js";

/** In CI a missing tool fails the tests instead. */
const reason = process.env.BERTH_TEST_ALL === "1" ? undefined : await whyNoTestImages();
/** Far longer than the test may take: only the interruption can end the wait. */
const deadline = "healthyDeadline: 3000s";
const mostSeconds = 60;
const never = ['extraParameters: ["--never-healthy"]'];

describe("an up that is interrupted while it waits for health", () => {
  let server: FileServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  const endpoint = () => `http://127.0.0.1:${sandbox.portRange[0]}/v1`;

  /** Brings up what works, then what never gets healthy, and stops that as a terminal does at Ctrl-C. */
  async function interrupt(good: string, bad: string): Promise<void> {
    sandbox.writeStack(good);
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
    sandbox.writeStack(bad.replace("healthyDeadline: 20s", deadline));
    const interrupted = await sandbox.upAndInterrupt("wait until it answers");
    expect(interrupted.exitCode).not.toBe(0);
    expect(interrupted.output).toContain("interrupted before it was done");
    expect(interrupted.seconds).toBeLessThan(mostSeconds);
    expect(await complete(endpoint())).toBe("five");
    expect(sandbox.stateLocks()).toEqual([]);
    expect(sandbox.hostFiles()).not.toContain("lock");
    sandbox.writeStack(good);
    const next = await sandbox.up();
    expect(next.exitCode, next.output).toBe(0);
    expect(next.output).not.toContain("waiting for");
  }

  it("goes back to the process that served, and gives back its locks", async () => {
    const stack = (model: "good" | "neverHealthy") => fakeStack(server, sandbox.portRange, { chat: { model } });
    await interrupt(stack("good"), stack("neverHealthy"));
    expect(sandbox.runners()).toHaveLength(1);
  });

  describe.skipIf(reason !== undefined)(`in a container${reason === undefined ? "" : ` (${reason})`}`, () => {
    let images: TestImages;
    beforeAll(async () => {
      await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"]);
      images = await TestImages.start();
      writeContainerBackend(sandbox, { "1": await images.fake("1") });
    });
    afterAll(async () => {
      await sandbox.dispose();
      await images.close();
    });

    it("goes back to the container that served, and gives back its locks", async () => {
      const stack = (fields: string[]) => containerStack(server, sandbox.portRange, { chat: { fields } });
      await interrupt(stack([]), stack(never));
      expect((await containersOf(sandbox.dataDir)).map(({ State }) => State)).toEqual(["running"]);
    });
  });
});
