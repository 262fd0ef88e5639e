import { beforeAll, describe, expect, it } from "vitest";

import type { Sandbox } from "../support/sandbox.js";
import { allUnits, answerOf, findSandbox } from "./deployment.js";

describe("a deployment after its machine has started again", () => {
  let sandbox: Sandbox;

  beforeAll(async () => {
    sandbox = await findSandbox();
  });

  it("is back by itself and answers", async () => {
    await expect.poll(() => sandbox.runners(), { timeout: 20_000 }).toHaveLength(1);
    await expect
      .poll(() => answerOf(sandbox, "chat").catch(() => "not yet"), { timeout: 20_000 })
      .toEqual({ choices: [{ text: "five" }] });
  });

  it("is as it should be after one up", async () => {
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
    expect(sandbox.runners()).toHaveLength(1);
    expect((await sandbox.up(["--expect-no-changes"])).exitCode).toBe(0);
  });

  it("leaves no unit, no link and no process when it is destroyed", async () => {
    const { exitCode, output } = await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"]);
    expect(exitCode, output).toBe(0);
    expect(sandbox.runners()).toEqual([]);
    expect(await allUnits()).toBe("");
    expect(sandbox.hostFiles()).toEqual(["cache"]);
  });
});
