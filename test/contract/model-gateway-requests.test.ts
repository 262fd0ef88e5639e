/** Which model a gateway that routes by model takes a request for, and whose it is: real HAProxy, engines that record. */
import { existsSync } from "node:fs";

import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { sha256 } from "../../src/lib/canonical.js";
import {
  asRead,
  everything,
  keyedStage,
  limited,
  ModelGatewayClient,
  routes,
  spaced,
  type Expected,
} from "../support/model-gateway-client.js";
import { haproxy } from "../support/model-gateway.js";
import { ModelGatewayStage } from "../support/model-gateway-stage.js";
import { rawRequest, sendRaw, type RawRequest } from "../support/raw-http.js";

const runAll = process.env.BERTH_TEST_ALL === "1";
const both = ["length", "chunked"] as const;

describe.runIf(runAll || existsSync(haproxy))("requests to the gateway that routes by model", () => {
  let stage: ModelGatewayStage;
  let client: ModelGatewayClient;

  beforeAll(async () => {
    stage = await ModelGatewayStage.start(keyedStage);
    client = new ModelGatewayClient(stage);
  });
  afterAll(() => stage.dispose());
  afterEach(() => {
    client.assertNothingLeaked();
  });

  describe.each(both)("with a body whose end is told by %s", (framing) => {
    const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
    it.each<[string, string, Expected]>([
      ["first", '{"model":"chat","prompt":"x"}', "chat"],
      ["last", '{"prompt":"x","model":"chat"}', "chat"],
      ["with blanks around", '\n{ "model"\t:\r\n "chat" }', "chat"],
      [
        "beside nested ones",
        '{"a":{"model":"code"},"b":[{"model":"code"}],"model":"chat","c":{"model":"code"}}',
        "chat",
      ],
      ["beside a text that looks like one", '{"a":"{\\"model\\":\\"code\\"}","model":"chat"}', "chat"],
      [
        "beside keys that begin alike",
        '{"":"code","mode":"code","model2":"code","Model":"code","model":"chat"}',
        "chat",
      ],
      ["after what is nested deep", `{"a":${deep(15)},"model":"chat"}`, "chat"],
      ["after what is nested deeper than json_query reads", `{"a":${deep(40)},"b":"model","model":"chat"}`, "chat"],
      ["after very many escapes", `{"a":"${"\\/".repeat(100_000)}","model":"org\\/chat"}`, "chat"],
      ["twice: the first counts", '{"model":"chat","model":"code"}', "chat"],
      ["twice, once with an escaped key", '{"mod\\u0065l":"code","model":"chat"}', "chat"],
      ["with an escaped letter", '{"model":"ch\\u0061t"}', "chat"],
      ["with an escaped slash", '{"model":"org\\/chat"}', "chat"],
      ["with a slash", '{"model":"org/code"}', "code"],
      ["nested only", '{"a":{"model":"chat"}}', "model_missing"],
      ["in a list", '[{"model":"chat"}]', "model_missing"],
      ["missing", '{"prompt":"x"}', "model_missing"],
      ["empty", '{"model":""}', "model_missing"],
      ["null", '{"model":null}', "model_missing"],
      ["a list", '{"model":["chat"]}', "model_missing"],
      ["an object", '{"model":{"model":"chat"}}', "model_missing"],
      ["a number that is no model", '{"model":6}', "model_not_found"],
      ["after NaN, which Python writes", '{"a":NaN,"model":"chat"}', "chat"],
      ["after JSON that is none", 'evil "model":"chat"', "model_missing"],
      ["after a mark of order", '\xef\xbb\xbf{"model":"chat"}', "model_missing"],
      ["with an escaped zero byte", '{"model":"chat\\u0000"}', "model_not_found"],
      ["with more after a zero byte", '{"model":"chat\\u0000\\",\\"evil\\":\\"1"}', "model_not_found"],
      ["with a zero byte", '{"model":"chat\0"}', "model_not_found"],
      ["with a line break", '{"model":"chat\\nevil"}', "model_not_found"],
      ["with a raw line break", '{"model":"chat\n"}', "model_not_found"],
      ["with quotes", '{"model":"chat\\",\\"evil\\":\\"1"}', "model_not_found"],
      ["with the marks of HAProxy", `{"model":"%[env(PATH)]'evil"}`, "model_not_found"],
      ["with a blank", '{"model":" chat"}', "model_not_found"],
      ["with the mark of maps", '{"model":"0|chat"}', "model_not_found"],
      ["a star", '{"model":"*"}', "model_not_found"],
      ["the name of a proxy", '{"model":"deployment:chat"}', "model_not_found"],
      ["a path", '{"model":"../../etc/passwd"}', "model_not_found"],
      ["very long", `{"model":"${"a".repeat(200_000)}"}`, "model_not_found"],
      ["of other letters", '{"model":"\xc3\xa4\xff"}', "model_not_found"],
      ["in nothing", "", "model_missing"],
    ])("reads a model that is %s", async (_, body, expected) => {
      expect(await client.ask({ body, framing })).toBe(expected);
      const read = asRead(body, expected);
      if (client.seen.length > 0) expect(client.seen[0]).toMatchObject({ bytes: read.length, sha256: sha256(read) });
    });

    it("leaves JSON that is broken elsewhere to the engine", async () => {
      expect(await client.ask({ body: '{"model":"chat"', framing })).toBe("chat");
      expect(await client.ask({ body: '{"a":,"model":"chat"}', framing })).toBe("chat");
    });

    it("asks no engine for true", async () => {
      expect(await client.ask({ body: '{"model":true}', framing })).toMatch(/^model_(missing|not_found)$/);
    });

    it("reads what JavaScript reads, whatever the JSON", async () => {
      const key = fc.constantFrom("model", "mode", "model2", "", "a", 'x"y', "\\");
      const leaf = fc.constantFrom<unknown>("chat", "code", "nobody", 1, null, 'a"b', "\\", '{"model":"code"}', "é\n");
      const { value } = fc.letrec((tie) => ({
        value: fc.oneof(
          leaf,
          fc.array(tie("value"), { maxLength: 3 }),
          fc.dictionary(key, tie("value"), { maxKeys: 4 }),
        ),
      }));
      await fc.assert(
        fc.asyncProperty(fc.dictionary(key, value, { maxKeys: 5 }), fc.nat(2), async (body, space) => {
          const { model } = body;
          const text = Buffer.from(JSON.stringify(body, null, space)).toString("latin1");
          const answer = await client.ask({ body: text, framing });
          if (typeof model === "string" && Object.hasOwn(routes, model)) expect(answer).toBe(model);
          else expect(answer).toMatch(/^model_(missing|not_found)$/);
        }),
        { numRuns: 100 },
      );
    });

    it("lets a key ask for its models alone, by whatever name", async () => {
      const asLimited = (model: string) => client.ask({ key: limited, body: JSON.stringify({ model }), framing });
      expect(await asLimited("chat")).toBe("chat");
      expect(await asLimited("org/chat")).toBe("chat");
      expect(await asLimited("code")).toBe("model_not_allowed");
      expect(await asLimited("org/code")).toBe("model_not_allowed");
      expect(await asLimited("chat\0")).toBe("model_not_found");
      const forged = ["x-berth-key: everything", "x-berth-model: Y2hhdA==", "x-berth-known: chat", "X-Berth-Other: y"];
      expect(await client.ask({ key: limited, headers: forged, body: '{"model":"code"}', framing })).toBe(
        "model_not_allowed",
      );
      expect(await client.ask({ key: limited, headers: forged, body: '{"model":"chat"}', framing })).toBe("chat");
      expect(await client.ask({ key: limited, headers: forged, body: "{}", framing })).toBe("model_missing");
    });

    it.each<[string, string[], Expected]>([
      ["as a bearer", [`Authorization: Bearer ${everything}`], "chat"],
      ["in other letters", [`AUTHORIZATION: bEARER ${everything}`], "chat"],
      ["with blanks around", [`Authorization:   Bearer   ${everything}  `], "chat"],
      ["on a folded line", [`Authorization: Bearer\r\n ${everything}`], "chat"],
      ["as x-api-key", [`x-api-key: ${everything}`], "chat"],
      ["that has blanks and a comma", [`Authorization: Bearer ${spaced}`], "chat"],
      ["beside a wrong x-api-key", [`Authorization: Bearer ${everything}`, "x-api-key: wrong"], "chat"],
      [
        "in headers that nobody reads as well",
        [`Authorization: Bearer ${everything}`, `Cookie: a=${everything}`],
        "chat",
      ],
      [
        "as api-key too",
        [`x-api-key: ${everything}`, `api-key: ${everything}`, `Proxy-Authorization: ${everything}`],
        "chat",
      ],
      ["that is missing", [], "invalid_api_key"],
      ["that is wrong", ["Authorization: Bearer wrong"], "invalid_api_key"],
      ["that is empty", ["Authorization: Bearer "], "invalid_api_key"],
      ["with no value", ["Authorization:"], "invalid_api_key"],
      ["that is the name of one", ["Authorization: Bearer everything"], "invalid_api_key"],
      ["that is the digest of one", [`Authorization: Bearer ${sha256(everything)}`], "invalid_api_key"],
      ["that begins like one", [`Authorization: Bearer ${everything}x`], "invalid_api_key"],
      ["with another word", [`Authorization: Bearer ${everything} x`], "invalid_api_key"],
      ["of another scheme", [`Authorization: Basic ${everything}`], "invalid_api_key"],
      ["in a list", [`Authorization: Bearer wrong, Bearer ${everything}`], "invalid_api_key"],
      ["after a wrong one", ["Authorization: Bearer wrong", `Authorization: Bearer ${everything}`], "invalid_api_key"],
      ["twice", [`Authorization: Bearer ${everything}`, `Authorization: Bearer ${everything}`], "invalid_api_key"],
      ["in two x-api-key", ["x-api-key: wrong", `x-api-key: ${everything}`], "invalid_api_key"],
      [
        "as x-api-key beside a wrong bearer",
        ["Authorization: Bearer wrong", `x-api-key: ${everything}`],
        "invalid_api_key",
      ],
      ["that is only told", ["x-berth-key: everything"], "invalid_api_key"],
      ["with a line for another header", [`Authorization : Bearer ${everything}`], "400"],
    ])("takes a key %s", async (_, headers, expected) => {
      expect(await client.ask({ key: undefined, headers, body: '{"model":"chat"}', framing })).toBe(expected);
    });
  });

  it("refuses what is compressed, and of two types", async () => {
    const body = '{"model":"chat"}';
    expect(await client.ask({ headers: ["Content-Encoding: gzip"], body })).toBe("unsupported_encoding");
    expect(await client.ask({ headers: ["Content-Encoding: identity"], body })).toBe("chat");
    expect(await client.ask({ headers: ["Content-Type: a/b", "Content-Type: application/json"], body })).toBe(
      "bad_request",
    );
  });

  it("answers requests on one connection in order, each by its own key and model", async () => {
    stage.takeSeen();
    const request = (model: string, key: string, framing: RawRequest["framing"] = "length") =>
      rawRequest({ key, body: JSON.stringify({ model }), framing });
    const requests = [
      request("chat", limited),
      request("code", limited, "chunked"),
      request("code", everything),
      request("chat", "wrong"),
      rawRequest({ key: everything, body: JSON.stringify({ model: "code" }), headers: ["Connection: close"] }),
    ];
    // HAProxy 2.6 may forget what waits behind a request of a client that has closed its side.
    const answers = await sendRaw(stage.port, requests.join(""), { end: "never" });
    expect(answers.map(({ status }) => status)).toEqual([200, 403, 200, 401, 200]);
    expect(stage.takeSeen().map(({ engine }) => engine)).toEqual(["chat", "code", "code"]);
  });

  it("counts the requests of a key, and refuses those above its limit", async () => {
    const answers: Expected[] = [];
    for (let request = 0; request < 4; request += 1)
      answers.push(await client.ask({ key: "key-of-rare", body: '{"model":"chat"}' }));
    expect(answers).toEqual(["chat", "chat", "rate_limit_exceeded", "rate_limit_exceeded"]);
  });

  it("lists to a key what it may ask for", async () => {
    const list = async (key: string) => {
      const [answer] = await sendRaw(stage.port, rawRequest({ method: "GET", path: "/v1/models", key }));
      return (JSON.parse(answer?.body ?? "") as { data: { id: string }[] }).data.map(({ id }) => id);
    };
    expect(await list(everything)).toEqual(Object.keys(routes).toSorted());
    expect(await list(limited)).toEqual(["chat", "org/chat"]);
  });

  it("writes one line of JSON for each request, with nothing that a client wrote but what is known", async () => {
    const lines = (await stage.output()).trimEnd().split("\n");
    const log = lines.filter((line) => !/^\[NOTICE\] /.test(line)).map((line) => JSON.parse(line) as object);
    expect(log.length).toBeGreaterThan(300);
    for (const line of log) {
      expect(Object.keys(line)).toHaveLength(14);
      expect(line).toMatchObject({
        key: expect.stringMatching(/^(everything|limited|spaced|rare|-)$/) as string,
        model: expect.stringMatching(/^(chat|code|org\/chat|org\/code|-)$/) as string,
        path: expect.stringMatching(/^(\/v1\/(chat\/completions|audio\/transcriptions|models)|-)$/) as string,
        method: expect.stringMatching(/^(GET|POST|-)$/) as string,
      });
    }
    expect(lines.join("\n")).not.toMatch(/evil|key-of-/);
    expect(log).toContainEqual(expect.objectContaining({ key: "limited", model: "code", status: 403 }));
  });
});
