import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { BoxedSetting, whyNoBoxes, type BoxedDeployment } from "../support/container-stack.js";
import { complete, underLoad } from "../support/load.js";
import type { Sandbox } from "../support/sandbox.js";

const reason = await whyNoBoxes();
const title = `a container behind a gateway${reason === undefined ? "" : ` (${reason})`}`;

describe.skipIf(reason !== undefined)(title, () => {
  let setting: BoxedSetting;
  let sandbox: Sandbox;
  let endpoint: string;

  beforeAll(async () => {
    setting = await BoxedSetting.create();
    ({ sandbox, endpoint } = setting);
  });
  afterAll(() => setting.dispose());

  function want(chat: BoxedDeployment): void {
    setting.want({ chat }, (text) => text.replace("update: {", "update: { strategy: blueGreen, drainTimeout: 60s,"));
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
    const found = await setting.containers();
    expect(found.map(({ Image, State }) => [Image, State])).toEqual([[setting.versions["2"].pinned, "running"]]);
  });

  it("goes on with the old container, without a failed request, when the new one never gets healthy", async () => {
    const before = await setting.containers();
    want({ version: "1", fields: ['extraParameters: ["--never-healthy"]'] });
    const { result, failed, answers } = await underLoad(endpoint, () => sandbox.up());
    expect(result.exitCode).not.toBe(0);
    expect(result.output).toContain("the runner was not healthy within 20 s; the runner before it goes on serving");
    expect(result.output).toContain("fake: listening on");
    expect(failed).toEqual([]);
    expect(answers).toEqual(["six"]);
    const after = await setting.containers();
    expect(after.map(({ Id }) => Id)).toEqual(before.map(({ Id }) => Id));
    expect(sandbox.resources("Instance")[0]?.outputs).toMatchObject({ health: "answered", drift: [] });
  });

  it("leaves nothing when it is destroyed", async () => {
    const { exitCode, output } = await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"]);
    expect(exitCode, output).toBe(0);
    expect(await setting.containers()).toEqual([]);
  });
});
