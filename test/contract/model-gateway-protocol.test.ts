/** What a gateway that routes by model makes of HTTP that is odd, hostile or slow: real HAProxy, engines that record. */
import { existsSync } from "node:fs";
import { connect } from "node:http2";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { sha256 } from "../../src/lib/canonical.js";
import { haproxy } from "../support/model-gateway.js";
import { ModelGatewayStage } from "../support/model-gateway-stage.js";
import { chunked, rawRequest, sendRaw, type RawRequest } from "../support/raw-http.js";

const runAll = process.env.BERTH_TEST_ALL === "1";
const key = "client-key";
const body = '{"model":"chat"}';
/** What would be a request of its own, if somebody took the one before for shorter than it is. */
const hidden = rawRequest({ body: '{"model":"code"}' });

describe.runIf(runAll || existsSync(haproxy))("HTTP to the gateway that routes by model", () => {
  let stage: ModelGatewayStage;

  beforeAll(async () => {
    stage = await ModelGatewayStage.start({
      engines: ["chat", "code"],
      settings: { keys: { client: {} }, keyDigests: { client: sha256(key) } },
      answer: (request, response, name) => {
        for (const header of ["x-berth-known", "X-Berth-Instance", "x-berth-key", "x-berth-other"])
          response.setHeader(header, "evil");
        response.setHeader("x-engine", name);
        response.end("{}");
      },
    });
  });
  afterAll(() => stage.dispose());

  /** The statuses of all answers, and who was asked. */
  async function send(text: string, end?: "at once"): Promise<[number[], string[]]> {
    stage.takeSeen();
    const answers = await sendRaw(stage.port, text, end === undefined ? {} : { end });
    return [answers.map(({ status }) => status), stage.takeSeen().map(({ engine }) => engine)];
  }
  const ask = (request: RawRequest) => send(rawRequest({ key, body, ...request }));

  it.each<[string, RawRequest, number]>([
    ["a path with an empty part", { path: "/v1//chat/completions" }, 404],
    ["a path that begins with two slashes", { path: "//v1/chat/completions" }, 404],
    ["an encoded path", { path: "/v1/%63hat/completions" }, 404],
    ["a path that goes up", { path: "/v1/chat/../chat/completions" }, 404],
    ["a path that goes up, encoded", { path: "/v1/chat/completions/%2e%2e/%2e%2e/slots" }, 404],
    ["a path that ends with a slash", { path: "/v1/chat/completions/" }, 404],
    ["a path with parameters", { path: "/v1/chat/completions;a=b" }, 404],
    ["a path with a fragment", { path: "/v1/chat/completions#a" }, 400],
    ["a path in capitals", { path: "/V1/chat/completions" }, 404],
    ["a path with other letters", { path: "/v1/chat/completions\xe4" }, 400],
    ["a path with a zero byte", { path: "/v1/chat/completions\0" }, 400],
    ["a path of engines", { path: "/slots" }, 404],
    ["the path of its metrics", { path: "/metrics" }, 404],
    ["the path of its statistics", { path: "/stats" }, 404],
    ["no path", { path: "*" }, 404],
    ["another host's address", { path: "http://evil.test/v1/chat/completions" }, 400],
    ["GET", { method: "GET" }, 405],
    ["PUT", { method: "PUT" }, 405],
    ["OPTIONS", { method: "OPTIONS" }, 405],
    ["TRACE", { method: "TRACE" }, 405],
    ["a method in small letters", { method: "post" }, 405],
    ["a method that nobody knows", { method: "EVIL" }, 405],
    ["CONNECT", { method: "CONNECT" }, 400],
    ["CONNECT to a port", { method: "CONNECT", path: "127.0.0.1:22" }, 400],
    ["POST to the list", { path: "/v1/models" }, 404],
    ["HTTP/0.9", { version: "" }, 400],
    ["a header without a colon", { headers: ["evil"] }, 400],
    ["a header without a name", { headers: [": evil"] }, 400],
    ["a blank before the colon", { headers: ["X-A : b"] }, 400],
    ["a carriage return in a header", { headers: ["X-A: b\rX-B: c"] }, 400],
    ["a zero byte in a header", { headers: ["X-A: b\0c"] }, 400],
    ["another letter in the name of a header", { headers: ["X\xe4: b"] }, 400],
    ["a name that engines take for another", { headers: ["x_api_key: b"] }, 403],
    ["two hosts", { headers: ["Host: evil.test"] }, 400],
    ["101 headers", { headers: Array.from({ length: 101 }, (_, index) => `X-${index}: y`) }, 400],
    [
      "1 MB of headers",
      { headers: Array.from({ length: 64 }, (_, index) => `X-${index}: ${"y".repeat(16_384)}`) },
      400,
    ],
    [
      "60 KB of headers",
      { headers: Array.from({ length: 4 }, (_, index) => `X-${index}: ${"y".repeat(15_000)}`) },
      431,
    ],
    ["two lengths", { headers: ["Content-Length: 5"] }, 400],
    ["a list of lengths", { headers: ["Content-Length: 16, 5"], framing: "none" }, 400],
    ["a length with a sign", { headers: ["Content-Length: +16"], framing: "none" }, 400],
    ["a length below zero", { headers: ["Content-Length: -1"], framing: "none" }, 400],
    ["a length in another notation", { headers: ["Content-Length: 0x10"], framing: "none" }, 400],
    ["a length that is none", { headers: ["Content-Length:"], framing: "none" }, 400],
    ["a length beyond all numbers", { headers: ["Content-Length: 99999999999999999999"], framing: "none" }, 400],
    ["an encoding that nobody knows", { headers: ["Transfer-Encoding: xchunked"], framing: "none" }, 400],
    ["no encoding", { headers: ["Transfer-Encoding: identity"], framing: "none" }, 400],
    ["chunks that are not last", { headers: ["Transfer-Encoding: chunked, identity"], framing: "none" }, 400],
    ["chunks in chunks", { headers: ["Transfer-Encoding: chunked, chunked"], framing: "none" }, 400],
    ["chunks that are compressed", { headers: ["Transfer-Encoding: gzip, chunked"], framing: "none" }, 422],
    ["chunks behind a control character", { headers: ["Transfer-Encoding: \x0bchunked"], framing: "none" }, 400],
    ["chunks of a header with a blank", { headers: ["Transfer-Encoding : chunked"], framing: "none" }, 400],
    ["a chunk below zero", { headers: ["Transfer-Encoding: chunked"], framing: "none", body: `-10\r\n${body}` }, 400],
    [
      "a chunk beyond all numbers",
      { headers: ["Transfer-Encoding: chunked"], framing: "none", body: `${"f".repeat(17)}0\r\n` },
      400,
    ],
  ])("refuses %s, and asks no engine", async (_, request, status) => {
    expect(await ask(request)).toEqual([[status], []]);
    if (request.framing !== "none" || request.body !== undefined) return;
    expect(await ask({ ...request, body: `${chunked(body)}${hidden}` })).toEqual([[status], []]);
  });

  it.each<[string, string]>([
    ["HTTP/0.9", "GET /v1/models\r\n"],
    ["TLS", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"],
    ["nothing", "\r\n"],
  ])("refuses bare %s", async (_, text) => {
    expect(await send(text, "at once")).toEqual([[400], []]);
  });

  it.each<[string, string]>([
    ["HTTP/1.0", rawRequest({ key, body, version: "HTTP/1.0" })],
    ["empty lines before", `\r\n\r\n${rawRequest({ key, body })}`],
    ["bare line feeds", rawRequest({ key, body }).replaceAll("\r\n", "\n")],
    ["a folded header", rawRequest({ key, body, headers: ["X-A: b\r\n c"] })],
    ["its own address", rawRequest({ key, body, path: "http://models.test/v1/chat/completions" })],
    ["the same length twice", rawRequest({ key, body, headers: [`Content-Length: ${body.length}`] })],
    ["words after a question mark", rawRequest({ key, body, path: "/v1/chat/completions?model=code&api_key=x" })],
    [
      "chunks that have names",
      rawRequest({
        key,
        body: `10;a="b"\r\n${body}\r\n0\r\nX-Berth-Key: x\r\n\r\n`,
        headers: ["Transfer-Encoding: chunked"],
        framing: "none",
      }),
    ],
    [
      "chunks that are written in another way",
      rawRequest({ key, body: chunked(body), headers: ["Transfer-Encoding:\r\n\tChunked"], framing: "none" }),
    ],
  ])("takes %s, as HTTP has it", async (_, text) => {
    expect(await send(text)).toEqual([[200], ["chat"]]);
  });

  it("takes a request with a length and chunks for what it is in chunks, and nothing behind it for another", async () => {
    const te = "Transfer-Encoding: chunked";
    const inChunks = chunked(body);
    // Read by its length, the first would hold the second; and of the next, the body would begin one.
    expect(await send(rawRequest({ key, body: inChunks, headers: [te] }))).toEqual([[200], ["chat"]]);
    const [statuses, engines] = await send(rawRequest({ key, body: `0\r\n\r\n${hidden}`, headers: [te] }));
    expect(engines).toEqual([]);
    expect(statuses[0]).toBe(400);
    const short = rawRequest({
      key,
      body: `${inChunks}${hidden}`,
      headers: [te, "Content-Length: 4"],
      framing: "none",
    });
    expect((await send(short))[1]).toEqual(["chat"]);
  });

  it.each([
    ["a length", rawRequest({ key, body: "x" }).replace("Content-Length: 1", "Content-Length: 50")],
    ["a great length", rawRequest({ key, body: "x" }).replace("Content-Length: 1", "Content-Length: 500000")],
    ["chunks", rawRequest({ key, body, framing: "chunked" }).slice(0, -8)],
  ])("asks nobody when a body with %s breaks off", async (_, text) => {
    expect((await send(text, "at once"))[1]).toEqual([]);
  });

  it.each(["length", "chunked"] as const)("ends what a client says of connections (body with %s)", async (framing) => {
    const headers = [
      "Connection: Upgrade, HTTP2-Settings, Authorization, x-berth-key",
      "Upgrade: websocket, h2c",
      "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
      "Keep-Alive: timeout=5",
    ];
    stage.takeSeen();
    const [answer] = await sendRaw(stage.port, rawRequest({ key, headers, body, framing }));
    expect(answer).toMatchObject({ status: 200, body: "{}" });
    const [seen] = stage.takeSeen();
    const fields = (seen?.headers ?? []).map((field) => field.toLowerCase());
    expect(fields.filter((field) => /upgrade|http2|x-berth|authorization/.test(field))).toEqual([]);
  });

  it.each(["length", "chunked"] as const)(
    "hides what an engine says as if it were the gateway (body with %s)",
    async (framing) => {
      const [answer] = await sendRaw(stage.port, rawRequest({ key, body, framing }));
      expect(answer).toMatchObject({ status: 200, headers: { "x-engine": "chat" } });
      expect(Object.keys(answer?.headers ?? {}).filter((name) => name.startsWith("x-berth"))).toEqual([]);
      const last = async () => JSON.parse((await stage.output()).trimEnd().split("\n").at(-1) ?? "") as object;
      const instance = expect.stringMatching(/^chat-0:/) as string;
      await expect.poll(last).toMatchObject({ model: "chat", instance });
    },
  );

  it("continues when it is asked to, as curl does", async () => {
    expect(await ask({ headers: ["Expect: 100-continue"] })).toEqual([[200], ["chat"]]);
    expect(await ask({ headers: ["Expect: 100-continue"], framing: "chunked" })).toEqual([[200], ["chat"]]);
  });

  it.each([
    ["small", 10],
    ["large", 1_000_000],
    ["too large", 40_000_000],
  ])("speaks HTTP/2 with who knows that, with a %s body of unknown length", async (size, bytes) => {
    stage.takeSeen();
    const session = connect(stage.origin);
    const request = session.request({
      ":method": "POST",
      ":path": "/v1/chat/completions",
      authorization: `Bearer ${key}`,
    });
    const answered = new Promise((resolve) =>
      request.once("response", (headers) => {
        resolve(headers[":status"]);
      }),
    );
    request.end(`{"a":"${"x".repeat(bytes)}","model":"chat"}`);
    expect(await answered).toBe(size === "too large" ? 413 : 200);
    session.destroy();
    expect(stage.takeSeen().map(({ engine }) => engine)).toEqual(size === "too large" ? [] : ["chat"]);
  });

  it("answers health to everybody, and nothing else without a key", async () => {
    expect(await send(rawRequest({ method: "GET", path: "/health" }))).toEqual([[200], []]);
    for (const path of ["/v1/models", "/v1/chat/completions", "/slots", "/health/"])
      expect(await send(rawRequest({ method: "GET", path }))).toEqual([[401], []]);
  });
});

describe.runIf(runAll || existsSync(haproxy))("a slow request to the gateway that routes by model", () => {
  let stage: ModelGatewayStage;
  /** The times are those of the product but for their length: nobody wants to wait for two minutes. */
  const short = (text: string) => text.replace(/(timeout http-request|wait-for-body time) \d+s/g, "$1 1s");

  beforeAll(async () => {
    const edit = { "haproxy.cfg": short, "large/haproxy.cfg": short };
    stage = await ModelGatewayStage.start({ engines: ["chat"], settings: {}, edit });
  });
  afterAll(() => stage.dispose());

  it.each([
    ["line", "POST /v1/chat"],
    ["head", "POST /v1/chat/completions HTTP/1.1\r\nHost: models.test\r\nX-A: b"],
    ["body", rawRequest({ body }).slice(0, -1)],
    ["large body", rawRequest({ body: "x".repeat(300_000) }).slice(0, -1)],
    ["chunk", rawRequest({ body, framing: "chunked" }).slice(0, -6)],
    ["form", rawRequest({ body, headers: ["Content-Type: multipart/form-data; boundary=b"] }).slice(0, -1)],
  ])("is refused when its %s does not come, and no engine is asked", async (_, text) => {
    const answers = await sendRaw(stage.port, text, { end: "never" });
    expect(answers).toMatchObject([{ status: 408 }]);
    expect(stage.takeSeen()).toEqual([]);
  });

  it("keeps nobody else from an answer", async () => {
    const slow = Array.from({ length: 200 }, () => sendRaw(stage.port, "POST /v1/chat", { end: "never" }));
    const [answer] = await sendRaw(stage.port, rawRequest({ body }));
    expect(answer?.status).toBe(200);
    await Promise.all(slow);
    const slowBody = rawRequest({ body: "x".repeat(300_000) }).slice(0, -1);
    await Promise.all(Array.from({ length: 40 }, () => sendRaw(stage.port, slowBody, { end: "never" })));
    const large = rawRequest({ body: `{"model":"chat","a":"${"x".repeat(300_000)}"}` });
    expect(await sendRaw(stage.port, large)).toMatchObject([{ status: 200 }]);
  });
});
