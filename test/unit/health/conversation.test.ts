import { describe, expect, it } from "vitest";

import { converse, whyNoConversation } from "../../../src/health/conversation.js";
import type { HttpAnswer, HttpRequest } from "../../../src/host/host.js";
import { createRedact } from "../../../src/lib/redact.js";

const target = { address: "127.0.0.1", port: 1, healthPath: "/health", model: "chat", apiKey: "hunter2" };
const well: HttpAnswer = { kind: "answered", status: 200, body: "" };
const delta = (fields: object, more: object = {}) => ({ choices: [{ delta: fields, ...more }] });

async function ask(events: readonly object[], answer: HttpAnswer = well) {
  const pieces: string[] = [];
  let sent: HttpRequest | undefined;
  const send = (request: HttpRequest) => {
    sent = request;
    const text = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
    // Pieces of an answer end anywhere.
    for (const byte of new TextEncoder().encode(text)) request.onPiece?.(new Uint8Array([byte]));
    return Promise.resolve(answer);
  };
  const { signal } = new AbortController();
  const edges = { send, signal, redact: createRedact(["hunter2"]) };
  const found = await converse(target, [{ role: "user", content: "Hello" }], 9, {
    ...edges,
    onPiece: ({ kind, text }) => pieces.push(`${kind} ${text}`),
  });
  return { found, pieces, sent };
}

describe("a conversation", () => {
  it("tells what a model thinks and says piece by piece, and then all of it", async () => {
    const { found, pieces, sent } = await ask([
      delta({ role: "assistant", content: null }),
      delta({ reasoning_content: "Hm." }),
      delta({ content: "Žlu" }),
      delta({ content: "ť" }, { finish_reason: "stop" }),
      { choices: [], usage: { prompt_tokens: 4, completion_tokens: 3 } },
    ]);
    expect(pieces).toEqual(["thought Hm.", "content Žlu", "content ť"]);
    expect(found).toEqual({ content: "Žluť", thought: "Hm.", finishReason: "stop", promptTokens: 4, tokens: 3 });
    expect(JSON.parse(sent?.body ?? "")).toMatchObject({ model: "chat", stream: true, max_tokens: 9 });
    expect(sent?.headers).toEqual({ authorization: "Bearer hunter2" });
  });

  it.each<[string, readonly object[], HttpAnswer, string]>([
    [
      ...(["an error as OpenAI's API has it", []] as const),
      { kind: "answered", status: 404, body: '{"error":{"message":"no model\\nof hunter2"}}' },
      "HTTP 404: no model of [secret]",
    ],
    ["another body", [], { kind: "answered", status: 502, body: "<b>bad</b>\n" }, "HTTP 502 <b>bad</b>"],
    ["nobody", [], { kind: "refused", reason: "ECONNREFUSED" }, "ECONNREFUSED"],
    ["nothing", [], well, "no answer came: HTTP 200"],
    ["an error after a part", [delta({ content: "a" }), { error: { message: "full" } }], well, "broken off: full"],
    [
      "a lost connection",
      [delta({ content: "a" })],
      { kind: "refused", reason: "ECONNRESET" },
      "broken off: ECONNRESET",
    ],
  ])("that ends with %s says so in one line, without secrets", async (_what, events, answer, why) => {
    const failing = ask(events, answer);
    await expect(failing).rejects.toMatchObject({ code: "request-failed" });
    await expect(failing).rejects.toThrow(why);
    await expect(failing).rejects.toThrow(/^[^\n]*$/);
  });

  it("is for models that converse", () => {
    expect(whyNoConversation("vlm")).toBeUndefined();
    expect(whyNoConversation("embedding")).toBe(
      "its model does not converse: it turns texts into vectors (category embedding)",
    );
  });
});
