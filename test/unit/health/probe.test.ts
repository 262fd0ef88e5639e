import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { probe, probeAddress, type ProbeTarget } from "../../../src/health/probe.js";
import type { HttpAnswer, HttpRequest } from "../../../src/host/host.js";

const target: ProbeTarget = { address: "127.0.0.1", port: 14_000, healthPath: "/health", model: "chat" };

const answered = (status: number, body: unknown = ""): HttpAnswer => ({
  kind: "answered",
  status,
  body: typeof body === "string" ? body : JSON.stringify(body),
});
const refused: HttpAnswer = { kind: "refused", reason: "ECONNREFUSED" };
const timedOut: HttpAnswer = { kind: "timedOut" };

const listed = answered(200, { object: "list", data: [{ id: "other" }, { id: "chat" }] });
const completed = answered(200, { choices: [{ index: 0, text: " 5, 6" }] });

interface Answers {
  health?: HttpAnswer;
  models?: HttpAnswer;
  completion?: HttpAnswer;
}

/** A server that answers as it is told, all is well else, and remembers what it was asked. */
function serve({ health = answered(200), models = listed, completion = completed }: Answers = {}) {
  const asked: HttpRequest[] = [];
  const send = (request: HttpRequest): Promise<HttpAnswer> => {
    asked.push(request);
    const answers: Record<string, HttpAnswer> = { "/v1/models": models, "/v1/completions": completion };
    return Promise.resolve(answers[request.path] ?? health);
  };
  return { asked, send };
}

const climb = (answers: Answers = {}) => probe(target, serve(answers).send, 30);

describe("probe", () => {
  it("reaches the top when a real request was answered, and tells the answer", async () => {
    expect(await climb()).toEqual({ level: "answered", text: " 5, 6" });
  });

  it("asks one thing after the other, the model by the name that clients use", async () => {
    const { asked, send } = serve();
    await probe({ ...target, address: "0.0.0.0" }, send, 30);
    const common = { address: "127.0.0.1", port: 14_000, headers: {} };
    expect(asked).toEqual([
      { ...common, method: "GET", path: "/health", timeoutSeconds: 5 },
      { ...common, method: "GET", path: "/v1/models", timeoutSeconds: 5 },
      {
        ...common,
        method: "POST",
        path: "/v1/completions",
        timeoutSeconds: 30,
        body: '{"model":"chat","prompt":"1, 2, 3, 4,","max_tokens":4,"temperature":0}',
      },
    ]);
  });

  it("shows the key with every request, when there is one", async () => {
    const { asked, send } = serve();
    await probe({ ...target, apiKey: "hunter2" }, send, 30);
    expect(asked.map(({ headers }) => headers)).toEqual(asked.map(() => ({ authorization: "Bearer hunter2" })));
    expect(asked).toHaveLength(3);
  });

  it.each<[string, Answers, object, number]>([
    ["no port", { health: refused }, { level: "down", reason: "port 14000: ECONNREFUSED" }, 1],
    [
      "a port that does not answer",
      { health: timedOut },
      { level: "portOpen", reason: "/health: no answer in time" },
      1,
    ],
    [
      "a server that still loads",
      { health: answered(503, { error: { message: "Loading model" } }) },
      { level: "portOpen", reason: '/health: HTTP 503 {"error":{"message":"Loading model"}}' },
      1,
    ],
    ["a redirect", { health: answered(302) }, { level: "portOpen", reason: "/health: HTTP 302" }, 1],
    [
      "another model",
      { models: answered(200, { data: [{ id: "other" }] }) },
      { level: "pathOk", reason: '/v1/models does not list "chat": HTTP 200 {"data":[{"id":"other"}]}' },
      2,
    ],
    [
      "a missing key",
      { models: answered(401, "Unauthorized") },
      { level: "pathOk", reason: '/v1/models does not list "chat": HTTP 401 Unauthorized' },
      2,
    ],
    [
      "a list that does not come",
      { models: timedOut },
      { level: "pathOk", reason: '/v1/models does not list "chat": no answer in time' },
      2,
    ],
    [
      "a failing request",
      { completion: answered(500, "out of\n memory") },
      { level: "modelListed", reason: "/v1/completions: HTTP 500 out of memory" },
      3,
    ],
    [
      "an empty answer",
      { completion: answered(200, { choices: [{ text: "" }] }) },
      { level: "modelListed", reason: '/v1/completions: HTTP 200 {"choices":[{"text":""}]}' },
      3,
    ],
    ["a broken answer", { completion: refused }, { level: "modelListed", reason: "/v1/completions: ECONNREFUSED" }, 3],
    [
      "a request that is not answered in time: the runner may be at work",
      { completion: timedOut },
      { level: "modelListed", busy: true, reason: "/v1/completions: no answer within 30 s" },
      3,
    ],
  ])("stops at the rung that is not reached: %s", async (_, answers, result, requests) => {
    const { asked, send } = serve(answers);
    expect(await probe(target, send, 30)).toEqual(result);
    expect(asked).toHaveLength(requests);
  });

  const garbage = ["", "null", "5", "[]", "{", "<html>", '{"data":null}', '{"data":{}}', '{"data":[null,1,"chat",{}]}'];

  it.each(garbage)("takes the list %j for none", async (body) => {
    expect((await climb({ models: answered(200, body) })).level).toBe("pathOk");
  });

  it.each([...garbage, '{"choices":null}', '{"choices":[]}', '{"choices":[null]}', '{"choices":[{"text":5}]}'])(
    "takes the completion %j for none",
    async (body) => {
      expect((await climb({ completion: answered(200, body) })).level).toBe("modelListed");
    },
  );

  it("never fails, whatever a server answers, and tells at most a few lines of it", async () => {
    const answer = fc.oneof(
      fc.record({
        kind: fc.constant("answered" as const),
        status: fc.constantFrom(200, 204, 404, 500),
        body: fc.oneof(fc.json(), fc.string(), fc.constant("x".repeat(100_000))),
      }),
      fc.constant(refused),
      fc.constant(timedOut),
    );
    await fc.assert(
      fc.asyncProperty(answer, answer, answer, async (health, models, completion) => {
        const result = await climb({ health, models, completion });
        if (result.level === "answered") return;
        expect("reason" in result ? result.reason.length : Infinity).toBeLessThan(300);
      }),
    );
  });

  it("hands its signal on with every request", async () => {
    const { asked, send } = serve();
    const { signal } = new AbortController();
    await probe(target, send, 30, signal);
    expect(asked.every((request) => request.signal === signal)).toBe(true);
  });
});

describe("probe, by what the model does", () => {
  /** Answers each path as told, and the rest with 404. */
  function serveOnly(answers: Record<string, HttpAnswer>) {
    const asked: HttpRequest[] = [];
    const send = (request: HttpRequest): Promise<HttpAnswer> => {
      asked.push(request);
      return Promise.resolve(answers[request.path] ?? answered(404));
    };
    return { asked, send };
  }
  const up = { "/health": answered(200), "/v1/models": listed };

  it.each<[ProbeTarget["category"], string, unknown, string]>([
    ["vlm", "/v1/chat/completions", { choices: [{ message: { content: "Grey" } }] }, "Grey"],
    ["embedding", "/v1/embeddings", { data: [{ embedding: [0.1, -2] }] }, "a vector of 2"],
    ["reranker", "/v1/rerank", { results: [{ index: 0, relevance_score: 0.5 }] }, "a score of 0.5"],
  ])("proves a model of the category %s by %s", async (category, path, answer, text) => {
    const { asked, send } = serveOnly({ ...up, [path]: answered(200, answer) });
    expect(await probe({ ...target, category }, send, 30)).toEqual({ level: "answered", text });
    expect(JSON.parse(asked.at(-1)?.body ?? "")).toMatchObject({ model: "chat" });
    const refusal = serveOnly({ ...up, [path]: answered(200, {}) });
    expect((await probe({ ...target, category }, refusal.send, 30)).level).toBe("modelListed");
  });

  it("shows a vision model an image", async () => {
    const { asked, send } = serveOnly(up);
    await probe({ ...target, category: "vlm" }, send, 30);
    expect(asked.at(-1)?.body).toMatch(/"image_url":\{"url":"data:image\/png;base64,/);
  });

  it.each(["stt", "tts", "image", "other"] as const)(
    "can prove no more than that a %s engine is reachable, and asks nothing more",
    async (category) => {
      const { asked, send } = serveOnly(up);
      expect(await probe({ ...target, category }, send, 30)).toEqual({ level: "reachable" });
      expect(asked.map(({ path }) => path)).toEqual(["/health"]);
    },
  );

  it("takes a model that is listed under its path for listed", async () => {
    const models = answered(200, { data: [{ id: "/srv/m.gguf" }] });
    const { send } = serveOnly({ ...up, "/v1/models": models, "/v1/completions": completed });
    expect((await probe({ ...target, modelPath: "/srv/m.gguf" }, send, 30)).level).toBe("answered");
    expect((await probe({ ...target, modelPath: "/srv/other.gguf" }, send, 30)).level).toBe("pathOk");
  });

  const request = {
    method: "POST" as const,
    path: "/api/generate",
    body: '{"model": "{{model_name}}", "prompt": "1, 2"}',
    contentType: "application/json",
    expect: "response",
  };

  it("proves an engine of another API by the request that its backend declares", async () => {
    const { asked, send } = serveOnly({ "/health": answered(200), "/api/generate": answered(200, '{"response":"3"}') });
    const model = 'a "name"';
    expect(await probe({ ...target, model, request }, send, 30)).toEqual({
      level: "answered",
      text: '{"response":"3"}',
    });
    expect(JSON.parse(asked.at(-1)?.body ?? "")).toEqual({ model, prompt: "1, 2" });
    expect(asked.map(({ path }) => path)).toEqual(["/health", "/api/generate"]);
  });

  it.each([answered(500, '{"response":"3"}'), answered(200, '{"error":"x"}'), refused])(
    "does not take %j for the answer that the backend declares",
    async (answer) => {
      const { send } = serveOnly({ "/health": answered(200), "/api/generate": answer });
      expect((await probe({ ...target, request }, send, 30)).level).toBe("pathOk");
    },
  );
});

describe("probeAddress", () => {
  it.each([
    ["0.0.0.0", "127.0.0.1"],
    ["::", "::1"],
    ["127.0.0.1", "127.0.0.1"],
    ["192.168.1.5", "192.168.1.5"],
  ])("reaches a runner that listens on %s at %s", (bindAddress, address) => {
    expect(probeAddress(bindAddress)).toBe(address);
  });
});
