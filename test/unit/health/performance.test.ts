import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { judgePerformance, measurePerformance, summarize, type Reply } from "../../../src/health/performance.js";
import type { ProbeTarget } from "../../../src/health/probe.js";
import type { HttpAnswer, HttpRequest } from "../../../src/host/host.js";
import { createRedact } from "../../../src/lib/redact.js";
import { gates, type PerformanceGate } from "../../../src/schema/gates.js";
import { FakeClock } from "../support/fake-clock.js";

const target: ProbeTarget = {
  ...{ address: "127.0.0.1", port: 14_000, healthPath: "/health", model: "chat", apiKey: "hunter2" },
};
const gate = (changes: object): PerformanceGate =>
  gates.parse({ performance: { chat: { requests: 4, ...changes } } }).performance?.chat ?? expect.fail();

/** An engine that sends its first token after 0.2 s, and one each 0.1 s after it. */
class Engine {
  readonly clock = new FakeClock();
  readonly asked: HttpRequest[] = [];
  most = 0;
  #running = 0;

  constructor(
    readonly words: number,
    readonly tellsUsage = true,
    readonly answer: (request: HttpRequest) => HttpAnswer | undefined = () => undefined,
  ) {}

  readonly send = async (request: HttpRequest): Promise<HttpAnswer> => {
    this.asked.push(request);
    this.most = Math.max(this.most, (this.#running += 1));
    const say = (event: unknown) => request.onPiece?.(new TextEncoder().encode(`data: ${JSON.stringify(event)}\n\n`));
    await this.clock.sleep(0.1);
    const answer = this.answer(request);
    for (let word = 0; answer === undefined && word < this.words; word += 1) {
      await this.clock.sleep(0.1);
      say({ choices: [{ text: "word " }] });
    }
    // An engine may send several tokens at once.
    if (this.tellsUsage && answer === undefined) say({ choices: [], usage: { completion_tokens: 2 * this.words } });
    this.#running -= 1;
    return answer ?? { kind: "answered", status: 200, body: "" };
  };
}

async function measure(engine: Engine, wanted: PerformanceGate, changes: Partial<ProbeTarget> = {}) {
  const { send, clock } = engine;
  const { signal } = new AbortController();
  const edges = { send, clock, signal, redact: createRedact(["hunter2"]), salt: "salt" };
  return measurePerformance({ ...target, ...changes }, wanted, edges);
}

describe("how fast a model is", () => {
  it("is measured from its first token and all its tokens, as the engine tells them", async () => {
    const engine = new Engine(5);
    expect(await measure(engine, gate({ maxTokens: 10 }))).toEqual({
      requests: 4,
      failures: 0,
      seconds: 2.4,
      firstTokenSeconds: 0.2,
      tokens: 40,
      tokensPerSecond: 16.667,
      reason: "",
    });
    expect(engine.most).toBe(1);
    expect(JSON.parse(engine.asked[0]?.body ?? "")).toMatchObject({
      ...{ model: "chat", max_tokens: 10, temperature: 0, stream: true, stream_options: { include_usage: true } },
    });
    expect(engine.asked[0]?.headers).toEqual({ authorization: "Bearer hunter2" });
  });

  it("counts what came where an engine does not tell", async () => {
    expect(await measure(new Engine(5, false), gate({}))).toMatchObject({ tokens: 20 });
  });

  it("is measured with so many requests at a time, each with a prompt of its own and of about the length asked for", async () => {
    const engine = new Engine(1);
    await measure(engine, gate({ requests: 10, parallel: 3, promptTokens: 50 }));
    expect(engine.most).toBe(3);
    const prompts = engine.asked.map(({ body = "" }) => (JSON.parse(body) as { prompt: string }).prompt);
    expect(new Set(prompts.map((prompt) => prompt.split(":")[0])).size).toBe(10);
    expect(prompts.every((prompt) => prompt.startsWith("salt "))).toBe(true);
    for (const prompt of prompts) expect(prompt.split(" ").length).toBeLessThan(65);
  });

  it.each<[string, HttpAnswer, string]>([
    [
      "a refusal, without the key that it repeats",
      { kind: "answered", status: 503, body: "busy hunter2" },
      "/v1/completions: HTTP 503 busy [secret]",
    ],
    ["an answer without tokens", { kind: "answered", status: 200, body: "" }, "/v1/completions: no token came"],
    ["nothing in time", { kind: "timedOut" }, "/v1/completions: no answer in time"],
  ])("counts %s as a failure, and tells the first", async (_, answer, reason) => {
    let asked = 0;
    const measured = await measure(new Engine(1, true, () => ((asked += 1) === 2 ? answer : undefined)), gate({}));
    expect(measured).toMatchObject({ requests: 4, failures: 1, reason });
  });

  it("is of embedding models how long they take for a vector", async () => {
    const body = JSON.stringify({ data: [{ embedding: [1, 2] }] });
    const engine = new Engine(0, false, () => ({ kind: "answered", status: 200, body }));
    const measured = await measure(engine, gate({}), { category: "embedding" });
    expect(measured).toEqual({ requests: 4, failures: 0, seconds: 0.4, firstTokenSeconds: 0.1, reason: "" });
    expect(engine.asked[0]?.path).toBe("/v1/embeddings");
    expect(judgePerformance(gate({ tokensPerSecond: 5 }), measured, "embedding")).toEqual([]);
  });

  it("asks nothing of models that are asked otherwise: all fails", async () => {
    const engine = new Engine(1);
    const measured = await measure(engine, gate({}), { category: "image" });
    expect(engine.asked).toEqual([]);
    expect(measured).toMatchObject({ failures: 4, reason: "a model of the category image is not asked like that" });
  });

  it("ends when somebody stops it", async () => {
    const signal = AbortSignal.abort(new Error("stopped"));
    const { send, clock } = new Engine(1);
    const edges = { send, clock, signal, redact: createRedact([]), salt: "salt" };
    await expect(measurePerformance(target, gate({}), edges)).rejects.toThrow("stopped");
  });
});

describe("summarize", () => {
  const reply = fc.oneof(
    fc.record({
      ok: fc.constant(true as const),
      firstTokenSeconds: fc.double({ min: 0, max: 100, noNaN: true }),
      tokens: fc.nat(1000),
    }),
    fc.record({ ok: fc.constant(false as const), reason: fc.string() }),
  );

  it("has a time for which at most 5 of 100 answers were slower, and counts every reply", () => {
    fc.assert(
      fc.property(fc.array(reply, { maxLength: 50 }), (replies: Reply[]) => {
        const { requests, failures, firstTokenSeconds } = summarize(replies, 1, "llm");
        const waits = replies.flatMap((each) => (each.ok ? [each.firstTokenSeconds] : []));
        expect([requests, failures]).toEqual([replies.length, replies.length - waits.length]);
        expect(firstTokenSeconds === undefined).toBe(waits.length === 0);
        const longest = firstTokenSeconds ?? 0;
        const slower = waits.filter((wait) => wait > longest + 0.001).length;
        expect(slower).toBeLessThanOrEqual(0.05 * waits.length);
        expect(waits.length === 0 || waits.some((wait) => Math.abs(wait - longest) <= 0.001)).toBe(true);
      }),
    );
  });

  it("has no rate for no time", () => {
    expect(summarize([{ ok: true, firstTokenSeconds: 0, tokens: 5 }], 0, "llm")).not.toHaveProperty("tokensPerSecond");
  });
});

describe("judgePerformance", () => {
  const measured = { requests: 10, failures: 1, seconds: 2, firstTokenSeconds: 1.5, tokens: 100, tokensPerSecond: 50 };
  const judge = (changes: object, figures: object = {}) =>
    judgePerformance(gate({ requests: 10, ...changes }), { ...measured, reason: "HTTP 500", ...figures }, undefined);

  it("passes figures that are just as asked for", () => {
    expect(judge({ failures: 1, firstTokenSeconds: 1.5, tokensPerSecond: 50 })).toEqual([]);
  });

  it("names each figure that is not, with what was asked for", () => {
    expect(judge({ firstTokenSeconds: 1, tokensPerSecond: 51 })).toEqual([
      "1 of 10 requests failed, at most 0 may (HTTP 500)",
      "95 of 100 waited up to 1.5 s for the first token, at most 1 s may be",
      "50 tokens per second, at least 51 have to be",
    ]);
  });

  it("does not pass what could not be measured", () => {
    const none = { failures: 10, firstTokenSeconds: undefined, tokensPerSecond: undefined };
    expect(judge({ failures: 10, firstTokenSeconds: 1, tokensPerSecond: 1 }, none)).toEqual([
      "the first token came for no request",
      "0 tokens per second, at least 1 have to be",
    ]);
  });
});
