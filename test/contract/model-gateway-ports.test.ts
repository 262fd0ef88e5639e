/** The ports of the gateway that routes by model, with the real HAProxy, which would share them with another one. */
import { existsSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { ModelGatewaySettings } from "../../src/runtime/model-gateway-settings.js";
import { haproxy, RunningModelGateway } from "../support/model-gateway.js";
import { gatewaySettings } from "../support/model-gateway-settings.js";
import { freePort } from "../support/sandbox.js";

const runAll = process.env.BERTH_TEST_ALL === "1";
const address = "127.0.0.1";

describe.runIf(runAll || existsSync(haproxy))("the ports of a gateway that routes by model", () => {
  let settings: ModelGatewaySettings;
  let running: RunningModelGateway;

  beforeAll(async () => {
    settings = gatewaySettings({
      listen: { address, port: await freePort() },
      metrics: { address, port: await freePort() },
      ...{ routes: {}, targets: {} },
    });
    running = await RunningModelGateway.create(settings);
  });
  afterAll(async () => {
    await running.dispose();
  });

  it.each(["listen", "metrics"] as const)("are not shared with another gateway that begins: %s", async (shared) => {
    const apart = { listen: { address, port: await freePort() }, metrics: { address, port: await freePort() } };
    const other = RunningModelGateway.create({ ...settings, ...apart, [shared]: settings[shared] });
    await expect(other).rejects.toMatchObject({ code: "port-in-use" });
  });

  it("are its own while it runs", async () => {
    await expect(running.gateway.prepare(settings, haproxy)).resolves.toBeUndefined();
  });
});
