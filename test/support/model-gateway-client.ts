/** Asks a gateway that routes by model, and looks at what its engines got. */
import { expect } from "vitest";

import { sha256 } from "../../src/lib/canonical.js";
import type { ModelGatewayStage, Seen } from "./model-gateway-stage.js";
import { codeOf, rawRequest, sendRaw, type RawRequest } from "./raw-http.js";

export const everything = "key-of-everything";
export const limited = "key-of-limited";
export const spaced = "key, with spaces";
const engineKey = "engine-key'\"%[x]";
export const maxBodyBytes = 32 * 2 ** 20;

export const routes = {
  chat: { chat: 100 },
  code: { code: 100 },
  "org/chat": { chat: 100 },
  "org/code": { code: 100 },
  "5": { code: 100 },
};

/** Two engines, of which one asks for a key; and clients with several. */
export const keyedStage = {
  engines: ["chat", "code"],
  settings: {
    ...{ routes, maxBodyBytes },
    keys: { everything: {}, limited: { models: ["chat", "org/chat"] }, spaced: {}, rare: { requestsPerMinute: 2 } },
    keyDigests: {
      everything: sha256(everything),
      limited: sha256(limited),
      spaced: sha256(spaced),
      rare: sha256("key-of-rare"),
    },
    apiKeys: { chat: engineKey },
  },
};

/** The routes that engines do not know: these read their own name behind the one that the client gave. */
const isAliased = (body: string) => /"model":"(?:org\\?\/|5")/.test(body);

/** What an engine gets of a body. */
export function asRead(body: string, engine: string): string {
  return isAliased(body) ? body.replace(/\}$/, `,"model":"${engine}"}`) : body;
}

/** An answer is the engine that gave it, or the code of an error, or a status. */
export type Expected = "chat" | "code" | "model_missing" | "model_not_found" | (string & {});

export class ModelGatewayClient {
  /** What engines got of the last request. */
  seen: Seen[] = [];

  constructor(private readonly stage: ModelGatewayStage) {}

  /** Sends one request as bytes. Returns who answered, or with which error. */
  async ask(request: RawRequest): Promise<Expected> {
    this.stage.takeSeen();
    const [answer, ...others] = await sendRaw(this.stage.port, rawRequest({ key: everything, ...request }));
    expect(others).toEqual([]);
    if (answer === undefined) throw new Error("no answer");
    return this.outcome(answer.status, answer.body);
  }

  async askFetch(body: RequestInit["body"], init: RequestInit = {}, path = "/v1/chat/completions"): Promise<Expected> {
    this.stage.takeSeen();
    const headers = { authorization: `Bearer ${everything}` };
    const response = await fetch(`${this.stage.origin}${path}`, {
      method: "POST",
      headers,
      body: body ?? null,
      ...init,
    });
    return this.outcome(response.status, await response.text());
  }

  /** Only who answered was asked. */
  outcome(status: number, body: string): Expected {
    this.seen = this.stage.takeSeen();
    const [, engine] = /^{"engine":"([a-z]+)"}$/.exec(body) ?? [];
    expect(this.seen.map((each) => each.engine)).toEqual(engine === undefined ? [] : [engine]);
    return engine ?? codeOf(body).code ?? String(status);
  }

  /** Whatever was asked, an engine got nothing that is meant for the gateway alone. */
  assertNothingLeaked(): void {
    const own = /^x-berth|^x-api-key|^api-key|^cookie|^proxy-|^upgrade|key-of-/;
    for (const { engine, method, url, headers } of this.seen) {
      expect([method, url.split("?")[0]]).toEqual(["POST", expect.stringMatching(/^\/v1\/(chat|audio)\/[a-z]+$/)]);
      const fields = headers.map((field) => field.toLowerCase());
      expect(fields.filter((field) => own.test(field))).toEqual([]);
      const key = fields.indexOf("authorization");
      expect(key === -1 ? undefined : headers[key + 1]).toBe(engine === "chat" ? `Bearer ${engineKey}` : undefined);
    }
  }
}
