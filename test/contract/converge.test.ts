import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { LossyHost, type Fault } from "../support/lossy-host.js";
import { SmallDisk, whyNoDisk } from "../support/small-disk.js";
import { Convergence, SurveyedHost } from "./convergence.js";
import { findWrong, lives, prepare, Sources } from "./converging-resources.js";

const faults: Omit<Fault, "call">[] = (["request", "answer"] as const).flatMap((loss) =>
  [false, true].map((lasts) => ({ loss, lasts })),
);

/** Every moment at which a network can fail, one after the other. */
describe.each(faults)("when a network loses the $loss of one operation, and of all after it: $lasts", (fault) => {
  let folder: string;
  let sources: Sources;
  let lossy: LossyHost;
  let stage: Convergence;

  beforeAll(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "berth lossy ")));
    sources = await Sources.start();
    lossy = new LossyHost(new SurveyedHost());
    stage = new Convergence(folder, lossy.host);
  });
  afterAll(async () => {
    await sources.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(lives)("during a %s's %s, whichever that is, the next run converges", async (kind, operation) => {
    const { wanted } = sources;
    const wrong: string[] = [];
    let call = 0;
    for (let isReached = true; isReached;) {
      call += 1;
      const news = await prepare(stage, [kind, operation], wanted);
      isReached = await lossy.during({ call, ...fault }, () => stage.up(kind, news).catch(() => undefined));
      await stage.up(kind, news);
      wrong.push(...(await findWrong(stage, kind, news, wanted)).map((what) => `after call ${call}: ${what}`));
    }
    expect(wrong).toEqual([]);
    expect(call).toBeGreaterThan(10);
  });
});

const isLeftOut = whyNoDisk !== undefined && process.env.BERTH_TEST_ALL !== "1";

describe.skipIf(isLeftOut)(`when the disk is full${isLeftOut ? ` (left out: ${whyNoDisk})` : ""}`, () => {
  let disk: SmallDisk;
  let sources: Sources;

  beforeAll(async () => {
    disk = SmallDisk.mount(4);
    sources = await Sources.start();
  });
  afterAll(async () => {
    await sources.close();
    disk.unmount();
  });

  it.each(lives)("at any step of a %s's %s, the next run converges once there is room", async (kind, operation) => {
    const { wanted } = sources;
    const stage = new Convergence(disk.folder, new SurveyedHost());
    const wrong: string[] = [];
    let number = 0;
    for (let isReached = true; isReached;) {
      number += 1;
      const news = await prepare(stage, [kind, operation], wanted);
      const failing = () => stage.up(kind, news).catch(() => undefined);
      const steps = await stage.stepsOf(failing, (_step, count) => {
        if (count === number) disk.fill();
      });
      isReached = steps.length >= number;
      disk.empty();
      await stage.up(kind, news);
      wrong.push(...(await findWrong(stage, kind, news, wanted)).map((what) => `after step ${number}: ${what}`));
    }
    expect(wrong).toEqual([]);
    expect(number).toBeGreaterThan(2);
  });
});
