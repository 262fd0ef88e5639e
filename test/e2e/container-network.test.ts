import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { BoxedSetting, whyNoBoxes } from "../support/container-stack.js";
import { askDocker, inspectContainer } from "../support/docker-api.js";
import { complete } from "../support/load.js";

const plugins =
  (process.env.BERTH_TOOLCHAIN ?? "") === "" ? "BERTH_TOOLCHAIN names no folder with Pulumi's plugins" : undefined;
const reason = (await whyNoBoxes()) ?? (process.env.BERTH_TEST_ALL === "1" ? undefined : plugins);
const title = `a container in networks of its stack${reason === undefined ? "" : ` (${reason})`}`;

describe.skipIf(reason !== undefined)(title, () => {
  let setting: BoxedSetting;

  beforeAll(async () => {
    setting = await BoxedSetting.create();
  });
  afterAll(() => setting.dispose());

  const nameOf = (key: string) => `berth_sandbox_test_local_${key}`;
  const networksOf = async () => {
    const { NetworkSettings } = await inspectContainer(await setting.only());
    return Object.keys(NetworkSettings.Networks).sort();
  };

  function want(asked: readonly string[]): void {
    const networks = `networks: { front-${process.pid}: {}, models-${process.pid}: { internal: true } }`;
    setting.want({ chat: { fields: [`container: { networks: [${asked.join(", ")}] }`] } }, (text) =>
      text.replace("runtime: supervisord }", `runtime: supervisord, ${networks} }`),
    );
  }
  const [front, models] = [`front-${process.pid}`, `models-${process.pid}`];

  it("is refused for a network that its host does not declare, before anything is made", async () => {
    want(["elsewhere"]);
    const { exitCode, output } = await setting.sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain("its container is to join a network that the stack does not declare on host local");
    expect(await setting.containers()).toEqual([]);
  });

  it("joins those that are made in the same up, before it, and serves on its port; then nothing changes", async () => {
    want([models, front]);
    await setting.up();
    expect(await networksOf()).toEqual([front, models].map(nameOf).sort());
    expect(await complete(setting.endpoint)).toBe("five");
    await setting.up(["--expect-no-changes"]);
  });

  it("is drift when somebody takes it out of one, which the next up mends", async () => {
    const path = `/networks/${nameOf(models)}/disconnect`;
    await askDocker("POST", path, { Container: await setting.only(), Force: true });
    expect(await setting.sandbox.refreshDrift()).toContain("its container was changed: network");
    await setting.up();
    expect(await networksOf()).toEqual([front, models].map(nameOf).sort());
  });

  it("goes before its networks", async () => {
    const { exitCode, output } = await setting.sandbox.pulumi([
      "destroy",
      "--yes",
      "--skip-preview",
      "--stack",
      "test",
    ]);
    expect(exitCode, output).toBe(0);
    const filters = encodeURIComponent(JSON.stringify({ name: [`-${process.pid}`] }));
    expect(await askDocker<unknown[]>("GET", `/networks?filters=${filters}`)).toEqual([]);
  });
});
