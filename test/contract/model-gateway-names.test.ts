/** Replicas whose hosts have names, at the gateway that routes by model: real HAProxy, a small name server. */
import { existsSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { ModelGatewaySettings } from "../../src/runtime/model-gateway-settings.js";
import { RunningModelGateway, haproxy } from "../support/model-gateway.js";
import { serverAt, targetOf } from "../support/model-gateway-settings.js";
import { ModelGatewayStage } from "../support/model-gateway-stage.js";
import { freePort } from "../support/sandbox.js";
import { startSmallDns, type SmallDns } from "../support/small-dns.js";

const runAll = process.env.BERTH_TEST_ALL === "1";
const name = "gpu-1.berth.invalid";

describe.runIf(runAll || existsSync(haproxy))("a gateway that routes by model to a host by its name", () => {
  let dns: SmallDns;
  /** Its engine is what the name is to lead to. */
  let stage: ModelGatewayStage;
  let running: RunningModelGateway;
  let settings: ModelGatewaySettings;

  beforeAll(async () => {
    dns = await startSmallDns();
    stage = await ModelGatewayStage.start({ engines: ["chat"], settings: {} });
    const [server] = stage.settings.targets.chat?.servers ?? [];
    const chat = targetOf({ ...serverAt("chat-0", server?.port ?? 0), address: name });
    const address = "127.0.0.1";
    settings = {
      ...stage.settings,
      ...{
        listen: { address, port: await freePort() },
        metrics: { address, port: await freePort() },
        targets: { chat },
      },
    };
    const own = `nameserver test 127.0.0.1:${dns.port}`;
    const edit = { "haproxy.cfg": (text: string) => text.replace("parse-resolv-conf", own) };
    running = await RunningModelGateway.create(settings, edit);
  });
  afterAll(async () => {
    await running.dispose();
    await stage.dispose();
    dns.close();
  });

  const unhealthy = () => running.gateway.findUnhealthy();
  const within = { timeout: 30_000, interval: 500 };

  it("begins without its address, serves when it has one, and stays with it when nobody knows it any more", async () => {
    await expect.poll(unhealthy, within).toEqual([expect.stringMatching(`^chat-0 of chat at ${name}:`)]);
    dns.tell("127.0.0.1");
    await expect.poll(unhealthy, within).toEqual([]);
    const body = JSON.stringify({ model: "chat" });
    const url = `http://127.0.0.1:${settings.listen.port}/v1/completions`;
    expect((await fetch(url, { method: "POST", body })).status).toBe(200);
    dns.tell(undefined);
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    expect(await unhealthy()).toEqual([]);
    dns.tell("127.0.0.9");
    await expect.poll(unhealthy, within).toEqual([expect.stringMatching(`^chat-0 of chat at ${name}:`)]);
  }, 300_000);

  it("is told of other hosts although a name has no address", async () => {
    await running.apply({ ...settings, queueSeconds: 20 });
    expect(await unhealthy()).toEqual([expect.stringMatching(`^chat-0 of chat at ${name}:`)]);
  });
});

describe.runIf(runAll || existsSync(haproxy))("a gateway whose engines get another key, one after the other", () => {
  it("asks the replica that has its key", async () => {
    const stage = await ModelGatewayStage.start({
      engines: ["new", "old"],
      settings: { apiKeys: { old: "key-before" } },
      answer: (request, response, engine) => {
        const key = engine === "old" ? "key-before" : "key-after";
        response.statusCode = request.headers.authorization === `Bearer ${key}` ? 200 : 401;
        response.end("{}");
      },
    });
    const { old, new: changed } = stage.settings.targets;
    if (old === undefined || changed === undefined) throw new Error("no targets");
    const both = { ...old, servers: [...old.servers, ...changed.servers] };
    const settings = { ...stage.settings, routes: { old: { old: 100 } }, targets: { old: both } };
    try {
      await stage.gateway.apply(settings, haproxy);
      expect(await stage.gateway.awaitHealthy(settings)).toEqual([]);
      const statuses = new Set<number>();
      for (let count = 0; count < 20; count += 1) {
        const body = JSON.stringify({ model: "old" });
        statuses.add((await fetch(`${stage.origin}/v1/completions`, { method: "POST", body })).status);
      }
      expect([...statuses]).toEqual([200]);
    } finally {
      await stage.dispose();
    }
  });
});
