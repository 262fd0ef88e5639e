/** Clients of the gateway that routes by model who go away before they are answered: real HAProxy, engines that record. */
import { existsSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { haproxy } from "../support/model-gateway.js";
import { ModelGatewayStage } from "../support/model-gateway-stage.js";

const runAll = process.env.BERTH_TEST_ALL === "1";

describe.runIf(runAll || existsSync(haproxy))("a client of the gateway that routes by model who goes away", () => {
  let stage: ModelGatewayStage;
  /** What the engine works at: it answers nothing by itself. */
  let open: ServerResponse[] = [];

  beforeAll(async () => {
    const edit = { "haproxy.cfg": (text: string) => text.replace(/( {2}default-server .*)/g, "$1 maxconn 1") };
    const answer = (_: unknown, response: ServerResponse) => void open.push(response);
    stage = await ModelGatewayStage.start({ engines: ["chat"], settings: {}, edit, answer });
  });
  afterAll(() => stage.dispose());
  beforeEach(() => {
    open = [];
    stage.takeSeen();
  });

  function ask(name: string, bytes = 0) {
    const leaving = new AbortController();
    const body = JSON.stringify({ model: "chat", name, prompt: "x".repeat(bytes) });
    const { signal } = leaving;
    const answer = fetch(`${stage.origin}/v1/completions`, { method: "POST", body, signal }).then((got) => got.text());
    answer.catch(() => undefined);
    return {
      answer,
      leave: () => {
        leaving.abort();
      },
    };
  }

  it.each([
    ["small", 0],
    ["large", 400_000],
  ])("with a %s request is not worked for any longer", async (_, bytes) => {
    const asked = ask("first", bytes);
    await expect.poll(() => open.length).toBe(1);
    asked.leave();
    await expect.poll(() => open[0]?.destroyed, { timeout: 5000 }).toBe(true);
  });

  it("while the request waits for its turn never asks the engine", async () => {
    const first = ask("first");
    await expect.poll(() => open.length).toBe(1);
    const second = ask("second");
    await delay(300);
    second.leave();
    await delay(300);
    const third = ask("third");
    open[0]?.end("1");
    await expect.poll(() => open.length).toBe(2);
    open[1]?.end("3");
    expect(await Promise.all([first.answer, third.answer])).toEqual(["1", "3"]);
    expect(stage.takeSeen().map(({ text }) => /"name":"(\w+)"/.exec(text)?.[1])).toEqual(["first", "third"]);
  });
});
