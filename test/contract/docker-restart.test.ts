import { setTimeout as delay } from "node:timers/promises";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { defaultDockerPace } from "../../src/runtime/docker-api.js";
import { PrivateEngine, whyNoPrivateEngine } from "../support/private-engine.js";
import { TestImages, whyNoTestImages, type TestImage } from "../support/test-image.js";
import { BoxedService } from "./boxed-service.js";

const reason = (await whyNoTestImages()) ?? whyNoPrivateEngine;
const isLeftOut = reason !== undefined && process.env.BERTH_TEST_ALL !== "1";

describe.skipIf(isLeftOut)(`a Docker Engine that is restarted${isLeftOut ? ` (left out: ${reason})` : ""}`, () => {
  let images: TestImages;
  let engine: PrivateEngine;
  let versions: Record<"1" | "2", TestImage>;
  let service: BoxedService;

  beforeAll(async () => {
    images = await TestImages.start();
    versions = { "1": await images.fake("1"), "2": await images.fake("2") };
    engine = await PrivateEngine.start();
  });
  afterEach(async () => {
    await service.destroy();
    service.forget();
  });
  afterAll(async () => {
    await engine.dispose();
    await images.close();
  });

  async function restartAt(step: string, signal: "SIGTERM" | "SIGKILL", action: () => Promise<void>): Promise<void> {
    const restarts: Promise<void>[] = [];
    const restart = async () => {
      await engine.stop(signal);
      await delay(300);
      await engine.start();
    };
    const steps = service.steps(action, (begun) => {
      if (begun === step && restarts.length === 0) restarts.push(restart());
    });
    await steps.finally(() => Promise.all(restarts));
    expect(restarts, "the step never began").toHaveLength(1);
  }

  const isServing = async () => ["five", "six"].includes(await service.answer().catch(String));

  it.each([
    { signal: "SIGTERM", change: "create", step: "pull the image" },
    { signal: "SIGKILL", change: "create", step: "start the runner" },
    { signal: "SIGTERM", change: "create", step: "wait until it answers" },
    { signal: "SIGTERM", change: "update", step: "stop the old runner" },
    { signal: "SIGTERM", change: "update", step: "wait until it answers" },
    { signal: "SIGTERM", change: "blue/green update", step: "wait until it answers" },
  ] as const)("by $signal at '$step' of a $change is waited for: all is as wanted in the end", async (row) => {
    service = await BoxedService.create(engine, row.change === "blue/green update");
    if (row.change !== "create") await service.up({ image: versions["1"], text: "five" });
    await restartAt(row.step, row.signal, () => service.up(wanted()));
    await expectWanted();
  });

  it.each([
    // It may come back with a container that runs, and whose port nobody listens on.
    { signal: "SIGTERM", change: "blue/green update", step: "start the runner" },
    { signal: "SIGKILL", change: "update", step: "wait until it answers" },
    { signal: "SIGKILL", change: "blue/green update", step: "wait until it answers" },
    { signal: "SIGTERM", change: "blue/green update", step: "send requests to it" },
  ] as const)(
    "by $signal at '$step' of a $change ends what it runs: that is told, something serves, and the next run mends it",
    async ({ signal, change, step }) => {
      service = await BoxedService.create(engine, change === "blue/green update");
      await service.up({ image: versions["1"], text: "five" });
      const failure = await restartAt(step, signal, () => service.up(wanted())).then(() => "", String);
      expect(failure).toMatch(
        /^$|the runner before it (?:serves again|goes on serving)|chat-0 (?:is not healthy|its runner)/,
      );
      await expect.poll(isServing, { timeout: 20_000 }).toBe(true);
      await service.up(wanted());
      await expectWanted();
    },
  );

  it("is not waited for when it stays away: the error says what to do, and the next run finishes", async () => {
    service = await BoxedService.create(engine, false);
    service.pace = { ...defaultDockerPace, restartSeconds: 2, firstWaitSeconds: 0.1 };
    await service.up({ image: versions["1"], text: "five" });
    const stops: Promise<void>[] = [];
    const updating = service.steps(
      () => service.up(wanted()),
      (step) => step === "start the runner" && stops.push(engine.stop("SIGTERM")),
    );
    const failure = await updating.then(() => "", String);
    await Promise.all(stops);
    expect(failure).toMatch(/Docker Engine/);
    expect(failure).toContain("systemctl");
    expect(failure).toContain("the runner before it did not come back");
    // What Pulumi asks first tells of an engine that is away; nothing is taken for gone.
    await expect(service.up(wanted())).rejects.toThrow(/Docker Engine/);
    await expect(service.destroy()).rejects.toThrow(/Docker Engine/);
    await engine.start();
    await service.up(wanted());
    await expectWanted();
  });

  const wanted = () => ({ image: versions["2"], text: "six" });

  /** One container, which serves; and nothing is left to do. */
  async function expectWanted(): Promise<void> {
    expect(await service.answer()).toBe("six");
    expect(await service.containers()).toEqual([`${versions["2"].pinned} running`]);
    expect(await service.steps(() => service.up(wanted()))).toEqual([]);
  }
});
