/** A gateway that routes by model before all is well: no routes yet, replicas that are silent, a record nobody can read. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { ModelGatewaySettings } from "../../src/runtime/model-gateway-settings.js";
import { haproxy, RunningModelGateway } from "../support/model-gateway.js";
import { gatewaySettings, serverAt, targetOf } from "../support/model-gateway-settings.js";
import { freePort } from "../support/sandbox.js";

const runAll = process.env.BERTH_TEST_ALL === "1";
const address = "127.0.0.1";

describe.runIf(runAll || existsSync(haproxy))("a gateway that routes by model and has no model yet", () => {
  /** Takes connections and says nothing, as if a firewall were between. */
  let silent: Server;
  const sockets = new Set<Socket>();
  let settings: ModelGatewaySettings;
  let running: RunningModelGateway;

  beforeAll(async () => {
    silent = createServer((socket) => sockets.add(socket.on("error", () => undefined)));
    await new Promise<void>((resolve) => silent.listen(0, address, resolve));
    settings = gatewaySettings({
      listen: { address, port: await freePort() },
      metrics: { address, port: await freePort() },
      ...{ routes: {}, targets: {} },
    });
    running = await RunningModelGateway.create(settings);
  });
  afterAll(async () => {
    await running.dispose();
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  const health = async () => (await fetch(`http://${address}:${settings.listen.port}/health`)).status;

  it("tells a load balancer to send nobody until a name leads somewhere", async () => {
    expect(await health()).toBe(503);
    const { port } = silent.address() as AddressInfo;
    const chat = { ...targetOf(serverAt("chat-0", port)), minHealthySeconds: 0 };
    settings = { ...settings, routes: { chat: { chat: 100 } }, targets: { chat } };
    await running.apply(settings);
    // A worker that was replaced answers once more on each idle connection.
    await expect.poll(health).toBe(200);
  });

  it("takes no replica for healthy because it was told something else since", async () => {
    const silentOne = [expect.stringMatching(/^chat-0 of chat at /)];
    expect(await running.gateway.findUnhealthy()).toEqual(silentOne);
    settings = { ...settings, queueSeconds: 20 };
    await running.apply(settings);
    expect(await running.gateway.findUnhealthy()).toEqual(silentOne);
  });

  it.each([
    ["of which it understands nothing", "no record"],
    ["that another version wrote", `{"routes":{},"later":1}`],
  ])("goes on when it has a record %s", async (_, record) => {
    await writeFile(join(running.gateway.paths.folder, "settings.json"), record);
    await expect(running.gateway.prepare(settings, haproxy)).resolves.toBeUndefined();
    await writeFile(join(running.gateway.paths.folder, "settings.json"), record);
    await running.apply(settings);
    expect(await running.gateway.isInStep()).toBe(true);
    await expect.poll(health).toBe(200);
  });

  it("reads a record in which another version wrote more", async () => {
    const record = JSON.stringify({ ...settings, later: 1 });
    await writeFile(join(running.gateway.paths.folder, "settings.json"), record);
    expect(await running.gateway.settings()).toEqual(settings);
  });
});
