/** The gateway that routes by model, with the real HAProxy: what is in progress while it changes, and when an engine dies. */
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { ModelGatewaySettings } from "../../src/runtime/model-gateway-settings.js";
import { haproxy, RunningModelGateway } from "../support/model-gateway.js";
import { freePort } from "../support/sandbox.js";
import { repository } from "../support/toolchain.js";

const runAll = process.env.BERTH_TEST_ALL === "1";
const models = ["chat", "code", "draft"] as const;
const [streamSeconds, streams, requests, changes] = [60, 20, 5000, 5];

interface Engine {
  readonly instance: string;
  readonly port: number;
  /** Resolves when it is dead. */
  readonly kill: () => Promise<unknown>;
}

describe.runIf(runAll || existsSync(haproxy))("a gateway with three models on two engines each", () => {
  let running: RunningModelGateway;
  let engines: Record<string, Engine[]>;
  let settings: ModelGatewaySettings;
  let endpoint: string;

  beforeAll(async () => {
    const started = await Promise.all(
      models.map(
        async (model) => [model, await Promise.all([0, 1, 2].map((n) => startEngine(`${model}-${n}`)))] as const,
      ),
    );
    engines = Object.fromEntries(started);
    const [port, metrics] = [await freePort(), await freePort()];
    endpoint = `http://127.0.0.1:${port}/v1/completions`;
    const target = (model: string) => ({
      servers: serversOf((engines[model] ?? []).slice(0, 2)),
      ...{ servedModel: model, healthPath: "/health", minHealthySeconds: 0, drainSeconds: 5 },
    });
    settings = {
      listen: { address: "127.0.0.1", port },
      metrics: { address: "127.0.0.1", port: metrics },
      routes: { ...Object.fromEntries(models.map((model) => [model, { [model]: 100 }])), alias: { chat: 100 } },
      targets: Object.fromEntries(models.map((model) => [model, target(model)])),
      ...{ keys: {}, keyDigests: {}, apiKeys: {}, queueSeconds: 30, maxBodyBytes: 33_554_432, accessLog: true },
    };
    running = await RunningModelGateway.create(settings);
    expect(await running.gateway.awaitHealthy(settings)).toEqual([]);
  });
  afterAll(async () => {
    await running.dispose();
    for (const { kill } of Object.values(engines).flat()) await kill();
  });

  const ask = async (body: object): Promise<string> => {
    const response = await fetch(endpoint, { method: "POST", body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`HTTP ${response.status} ${text}`);
    return text;
  };
  const nameOf = async (body: object) => (JSON.parse(await ask(body)) as { name: string }).name;

  /** Another engine in the place of one: what was there goes on with what it has. */
  function withEngines(model: string, chosen: readonly number[]): void {
    const servers = serversOf(chosen.flatMap((index) => engines[model]?.[index] ?? []));
    const target = settings.targets[model];
    if (target === undefined) throw new Error(model);
    settings = { ...settings, targets: { ...settings.targets, [model]: { ...target, servers } } };
  }

  it(`loses no event of ${streams} streams and no request of ${requests}, while names lead elsewhere ${changes} times and engines change ${changes} times`, async () => {
    const events = streamSeconds * 2;
    const streaming = Array.from({ length: streams }, (_, index) =>
      ask({ model: models[index % 3], stream: events }).catch(String),
    );
    const failed: unknown[] = [];
    const sent: Promise<unknown>[] = [];
    const begun = performance.now();
    const isOver = () => performance.now() - begun > streamSeconds * 1000;
    const loading = (async () => {
      while (sent.length < requests) {
        const due = Math.floor(((performance.now() - begun) / (streamSeconds * 1000)) * requests);
        while (sent.length < Math.min(due, requests)) {
          const model = ["alias", ...models][sent.length % 4];
          sent.push(nameOf({ model, prompt: `${sent.length}` }).catch((error: unknown) => failed.push(error)));
        }
        await delay(10);
      }
    })();
    const workersBefore = await running.processes();
    for (let change = 1; change <= changes; change += 1) {
      settings = { ...settings, routes: { ...settings.routes, alias: { [models[change % 3] ?? ""]: 100 } } };
      await running.apply(settings);
      expect(await nameOf({ model: "alias" })).toContain(models[change % 3]);
      await delay(3000);
    }
    expect(await running.processes()).toEqual(workersBefore);
    for (let change = 1; change <= changes; change += 1) {
      withEngines(models[change % 3] ?? "", change % 2 === 1 ? [1, 2] : [0, 1]);
      await running.apply(settings);
      await delay(3000);
    }
    expect(await running.gateway.awaitHealthy(settings)).toEqual([]);
    expect(isOver()).toBe(false);
    await loading;
    await Promise.all(sent);
    expect(failed).toEqual([]);
    const whole = `${Array.from({ length: events }, (_, event) => `data: ${event}\n\n`).join("")}data: [DONE]\n\n`;
    for (const text of await Promise.all(streaming)) expect(text).toBe(whole);
  });

  it.each([
    ["small", 0],
    ["large", 1_000_000],
  ])("tells an engine its own name for the model in a %s request, whatever the client called it", async (_, length) => {
    settings = { ...settings, routes: { ...settings.routes, "org/other": { code: 100 } } };
    await running.apply(settings);
    const other = () => ask({ messages: ["}".repeat(length)], model: "org/other" }).catch(() => "{}");
    // A worker that was replaced answers once more on each idle connection, and knows the names that there were.
    await expect
      .poll(async () => JSON.parse(await other()) as unknown)
      .toMatchObject({ name: expect.stringMatching(/^code-/) as string, model: "code" });
    const direct = await ask({ model: "code", messages: ["}".repeat(length)] });
    expect(JSON.parse(direct)).toMatchObject({ model: "code" });
  });

  it("hands on what is no JSON in the end as it is: the engine refuses it", async () => {
    const response = await fetch(endpoint, { method: "POST", body: '{"model":"org/other", ' });
    expect(response.status).toBe(400);
  });

  it("fails at most the requests in flight at an engine that is killed, and asks the other", async () => {
    const inFlight = new Set<number>();
    const failed: number[] = [];
    const body = { model: "chat", delayMilliseconds: 100 };
    const sent: Promise<unknown>[] = [];
    const send = (number: number) => {
      inFlight.add(number);
      const done = ask(body)
        .catch(() => failed.push(number))
        .finally(() => inFlight.delete(number));
      sent.push(done);
    };
    const loadFor = async (seconds: number) => {
      for (let step = 0; step < seconds * 50; step += 1) {
        send(sent.length);
        await delay(20);
      }
    };
    const loading = loadFor(10);
    await delay(2000);
    const killed = engines.chat?.find(({ instance }) => instance === settings.targets.chat?.servers[0]?.instance);
    const before = new Set(inFlight);
    const first = sent.length;
    await killed?.kill();
    // It may have taken some more until it was dead.
    for (let number = first; number < sent.length; number += 1) before.add(number);
    await loading;
    await Promise.all(sent);
    expect(failed.filter((number) => !before.has(number))).toEqual([]);
    expect(sent.length).toBe(500);
    expect(await running.gateway.findUnhealthy()).toEqual([expect.stringContaining(killed?.instance ?? "")]);
  });

  it.each([
    ["most", { chat: 90, code: 10 }],
    ["a little", { chat: 10, code: 90 }],
  ])("leads a name elsewhere where the deployment that has %s of it is gone", async (_, alias) => {
    await Promise.all((engines.chat ?? []).map(({ kill }) => kill()));
    await expect.poll(async () => (await running.gateway.findUnhealthy()).length, { timeout: 20_000 }).toBe(2);
    settings = { ...settings, routes: { ...settings.routes, alias } };
    await running.apply(settings);
    const answers = await Promise.all(Array.from({ length: 40 }, () => nameOf({ model: "alias" }).catch(String)));
    expect(answers.filter((answer) => !answer.startsWith("code-"))).toEqual([]);
  });
});

async function startEngine(instance: string): Promise<Engine> {
  const port = await freePort();
  const script = `${repository}/test/support/tiny-engine.mjs`;
  const process = execa("node", [script, String(port), instance], { stdin: "ignore", reject: false, cleanup: true });
  await new Promise((resolve) => process.stdout.once("data", resolve));
  return {
    instance,
    port,
    kill: () => {
      process.kill("SIGKILL");
      return process;
    },
  };
}

function serversOf(engines: readonly Engine[]): { instance: string; address: string; port: number }[] {
  return engines.map(({ instance, port }) => ({ instance, address: "127.0.0.1", port }));
}
