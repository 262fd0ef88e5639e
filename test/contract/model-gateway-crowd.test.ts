/** The gateway that routes by model under many requests at once, on all its threads: real HAProxy, engines that record. */
import { existsSync } from "node:fs";

import pLimit from "p-limit";
import { describe, expect, it } from "vitest";

import { haproxy } from "../support/model-gateway.js";
import { ModelGatewayStage } from "../support/model-gateway-stage.js";

const runAll = process.env.BERTH_TEST_ALL === "1";
const [requests, clients] = [10_000, 32];

interface Kind {
  readonly body: () => string | FormData;
  readonly expected: string;
}

const json = (body: object) => () => JSON.stringify(body);
const prompt = "x".repeat(400_000);
const small: readonly Kind[] = [
  { body: json({ model: "chat" }), expected: "200 chat" },
  { body: json({ model: "org/other" }), expected: "200 code" },
];
const special: readonly Kind[] = [
  { body: json({ prompt, model: "org/other" }), expected: "200 code" },
  { body: form, expected: "200 code" },
  { body: json({ model: "nobody" }), expected: "404" },
  { body: json({ prompt, model: "nobody" }), expected: "404" },
];

function form(): FormData {
  const fields = new FormData();
  fields.set("model", "code");
  return fields;
}

/** Mostly small ones, as many as can be: what is large takes its time. */
function kindOf(index: number): Kind | undefined {
  return special[index % 50] ?? small[index % small.length];
}

describe.runIf(runAll || existsSync(haproxy))("a gateway that many ask at once", () => {
  it(`answers ${requests} requests, ${clients} at a time, also what is renamed, large, a form or refused`, async () => {
    const routes = { chat: { chat: 100 }, code: { code: 100 }, "org/other": { code: 100 } };
    const stage = await ModelGatewayStage.start({ engines: ["chat", "code"], settings: { routes } });
    try {
      const ask = async (body: string | FormData): Promise<string> => {
        const response = await fetch(`${stage.origin}/v1/chat/completions`, { method: "POST", body });
        const answer = (await response.json()) as { engine?: string };
        return answer.engine === undefined ? String(response.status) : `${response.status} ${answer.engine}`;
      };
      const limit = pLimit(clients);
      const wrong = Array.from({ length: requests }, (_, index) =>
        limit(async () => {
          const { body, expected } = kindOf(index) ?? { body: () => "", expected: "a kind" };
          const got = await ask(body()).catch(String);
          return got === expected ? [] : [`request ${index}: ${got} instead of ${expected}`];
        }),
      );
      expect((await Promise.all(wrong)).flat().slice(0, 5)).toEqual([]);
    } finally {
      await stage.dispose();
    }
  }, 300_000);
});
