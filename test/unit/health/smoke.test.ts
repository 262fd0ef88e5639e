import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { ProbeTarget } from "../../../src/health/probe.js";
import { isExpected, runSmoke } from "../../../src/health/smoke.js";
import type { HttpAnswer, HttpRequest } from "../../../src/host/host.js";
import { createRedact } from "../../../src/lib/redact.js";
import { gates, type SmokeTest } from "../../../src/schema/gates.js";

const target: ProbeTarget = {
  ...{ address: "0.0.0.0", port: 14_000, healthPath: "/health", model: "chat", apiKey: "hunter2" },
};
const answered = (body: unknown, status = 200): HttpAnswer => ({
  kind: "answered",
  status,
  body: typeof body === "string" ? body : JSON.stringify(body),
});

const written = (...tests: object[]) => gates.parse({ smoke: { chat: tests } }).smoke?.chat ?? [];

async function run(tests: readonly SmokeTest[], answer: HttpAnswer, changes: Partial<ProbeTarget> = {}) {
  const asked: HttpRequest[] = [];
  const send = (request: HttpRequest) => {
    asked.push(request);
    return Promise.resolve(answer);
  };
  const { signal } = new AbortController();
  const results = await runSmoke({ ...target, ...changes }, tests, { send, signal, redact: createRedact(["hunter2"]) });
  return { asked, results };
}

const five = answered({ choices: [{ text: " five,\n six" }] });

describe("smoke requests", () => {
  it("are asked one after the other, with the key, and their answers are told", async () => {
    const tests = written({ prompt: "2 + 3 =", maxTokens: 4, expect: { contains: "five" } }, { prompt: "Hello" });
    const { asked, results } = await run(tests, five);
    expect(asked[0]).toMatchObject({
      address: "127.0.0.1",
      method: "POST",
      path: "/v1/completions",
      headers: { authorization: "Bearer hunter2" },
    });
    expect(asked.map(({ body = "" }) => JSON.parse(body) as unknown)).toEqual([
      { model: "chat", prompt: "2 + 3 =", max_tokens: 4, temperature: 0 },
      { model: "chat", prompt: "Hello", max_tokens: 64, temperature: 0 },
    ]);
    expect(results).toEqual([
      { what: '"2 + 3 =", contains "five"', passed: true, got: "five, six" },
      { what: '"Hello"', passed: true, got: "five, six" },
    ]);
  });

  it.each<[string, HttpAnswer, string]>([
    ["another answer", five, "five, six"],
    ["no text", answered({ choices: [{ text: "" }] }), '/v1/completions: HTTP 200 {"choices":[{"text":""}]}'],
    [
      "a failure, without the key that it repeats",
      answered("no hunter2", 401),
      "/v1/completions: HTTP 401 no [secret]",
    ],
    ["nothing in time", { kind: "timedOut" }, "/v1/completions: no answer in time"],
    ["no connection", { kind: "refused", reason: "ECONNREFUSED" }, "/v1/completions: ECONNREFUSED"],
    ["no JSON", answered("<html>"), "/v1/completions: HTTP 200 <html>"],
  ])("fail by %s, and say what was got", async (_, answer, got) => {
    const { results } = await run(written({ prompt: "1", expect: { contains: "seven" } }), answer);
    expect(results).toEqual([{ what: '"1", contains "seven"', passed: false, got }]);
  });

  it("fail by a text that an answer is not to have", async () => {
    const { results } = await run(written({ prompt: "1", expect: { notContains: "six" } }), five);
    expect(results).toEqual([{ what: '"1", does not contain "six"', passed: false, got: "five, six" }]);
  });

  it.each<[ProbeTarget["category"], object, string, object, unknown]>([
    ["llm", { messages: [{ role: "user", content: "Hi" }] }, "/v1/chat/completions", { max_tokens: 64 }, undefined],
    ["vlm", { prompt: "Hi" }, "/v1/chat/completions", { messages: [{ role: "user", content: "Hi" }] }, undefined],
    ["embedding", { prompt: "Hi" }, "/v1/embeddings", { input: "Hi" }, { data: [{ embedding: [1, 2] }] }],
    [
      "embedding",
      { messages: [{ role: "user", content: "Hi" }], expect: { contains: "nothing of this" } },
      "/v1/embeddings",
      { input: "Hi" },
      { data: [{ embedding: [1, 2] }] },
    ],
  ])("of the category %s ask %j at %s", async (category, test, path, body, answer) => {
    const said = answered(answer ?? { choices: [{ message: { content: "Hello" } }] });
    const { asked, results } = await run(written(test), said, { category });
    expect(asked[0]?.path).toBe(path);
    expect(JSON.parse(asked[0]?.body ?? "")).toMatchObject({ model: "chat", ...body });
    expect(results[0]).toMatchObject({ passed: true, got: category === "embedding" ? "a vector of 2" : "Hello" });
  });

  it("fail for models that are asked otherwise, of which nothing is asked", async () => {
    const { asked, results } = await run(written({ prompt: "Hi" }), five, { category: "tts" });
    expect(asked).toEqual([]);
    expect(results[0]).toMatchObject({ passed: false, got: expect.stringContaining("category tts") as string });
  });

  it("tell at most a little of a long answer", async () => {
    const { results } = await run(
      written({ prompt: "p".repeat(5000) }),
      answered({ choices: [{ text: "x".repeat(9000) }] }),
    );
    expect(results[0]?.got).toHaveLength(203);
    expect(results[0]?.what.length).toBeLessThan(100);
  });

  it("never fail otherwise, whatever a server answers", async () => {
    const answer = fc.oneof(fc.json(), fc.string()).map((body) => answered(body));
    await fc.assert(
      fc.asyncProperty(answer, async (said) => {
        expect((await run(written({ prompt: "1" }), said)).results).toHaveLength(1);
      }),
    );
  });

  it("end when somebody stops them", async () => {
    const signal = AbortSignal.abort(new Error("stopped"));
    const send = () => Promise.reject(new Error("asked all the same"));
    const edges = { send, signal, redact: createRedact([]) };
    await expect(runSmoke(target, written({ prompt: "1" }), edges)).rejects.toThrow("stopped");
  });
});

describe("isExpected", () => {
  it("holds for every text when nothing is expected, and means what it says", () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ minLength: 1 }), (text, part) => {
        expect(isExpected(text, undefined)).toBe(true);
        expect(isExpected(text + part, { contains: part })).toBe(true);
        expect(isExpected(text + part, { notContains: part })).toBe(false);
        expect(isExpected(text, { contains: part })).toBe(!isExpected(text, { notContains: part }));
      }),
    );
  });
});
