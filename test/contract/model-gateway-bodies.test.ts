/** Forms and large bodies at a gateway that routes by model: real HAProxy, engines that record. */
import { existsSync } from "node:fs";

import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { sha256 } from "../../src/lib/canonical.js";
import {
  asRead,
  everything,
  keyedStage,
  limited,
  maxBodyBytes,
  ModelGatewayClient,
  type Expected,
} from "../support/model-gateway-client.js";
import { haproxy } from "../support/model-gateway.js";
import { ModelGatewayStage } from "../support/model-gateway-stage.js";

const runAll = process.env.BERTH_TEST_ALL === "1";

describe.runIf(runAll || existsSync(haproxy))("a request to the gateway that routes by model", () => {
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

  describe("with a form", () => {
    const path = "/v1/audio/transcriptions";
    const part = (head: string, text: string) => `--b\r\nContent-Disposition: form-data; ${head}\r\n\r\n${text}\r\n`;
    const audio = part('name="file"; filename="a.wav"', "RIFF");
    const model = part('name="model"', "chat");
    const askForm = (body: string, type = "multipart/form-data; boundary=b", key = everything) =>
      client.ask({ path, key, headers: [`Content-Type: ${type}`], body });

    it.each<[string, string, Expected, string?]>([
      ["before the file", `${model}${audio}--b--\r\n`, "chat"],
      ["after the file", `${audio}${model}--b--\r\n`, "chat"],
      ["without quotes", `${part("name=model", "chat")}--b--`, "chat"],
      ["in other letters", `${model.replace("Content-Disposition", "content-DISPOSITION")}--b--`, "chat"],
      ["with a type", `${model.replace("\r\n\r\n", "\r\nContent-Type: text/plain\r\n\r\n")}--b--`, "chat"],
      [
        "in a form whose boundary has quotes",
        `${model}--b--`,
        "chat",
        'Multipart/Form-Data; charset=utf-8; boundary="b"',
      ],
      [
        "behind a file that holds one",
        `${part('name="file"; filename="a"', part('name="model"', "code").slice(3))}${model}--b--`,
        "chat",
      ],
      ["behind a file whose name holds one", `${part('name="file"; filename="name=model"', "x")}${model}--b--`, "chat"],
      [
        "behind a field that is named alike",
        `${part('name="model2"', "code")}${part('name="xmodel"', "code")}${model}--b--`,
        "chat",
      ],
      ["behind the end of the form", `${audio}--b--\r\n${model}--b--`, "model_missing"],
      ["not there", `${audio}--b--`, "model_missing"],
      ["not known", `${part('name="model"', "../evil")}--b--`, "model_not_found"],
      ["there twice", `${model}${part('name="model"', "code")}--b--`, "model_missing"],
      ["a file", `${part('name="model"; filename="m"', "chat")}--b--`, "model_missing"],
      [
        "encoded",
        `${model.replace("\r\n\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n")}--b--`,
        "model_missing",
      ],
      ["named in two ways", `${part('name="file"; name="model"', "chat")}--b--`, "model_missing"],
      ["named in an extended way", `${part("name*=utf-8''model", "code")}${model}--b--`, "model_missing"],
      [
        "hidden by an escaped quote",
        `${part('name="file"; filename="a\\"; name="model"', "code")}${model}--b--`,
        "model_missing",
      ],
      [
        "in a part with two heads",
        `${model.replace("\r\n\r\n", '\r\nContent-Disposition: form-data; name="x"\r\n\r\n')}--b--`,
        "model_missing",
      ],
      ["in a part with a folded head", `${part('name="x";\r\n name="model"', "chat")}--b--`, "model_missing"],
      ["after other text", `evil\r\n${model}--b--`, "model_missing"],
      ["in a form without an end", model, "model_missing"],
      ["on lines without CR", `${model}--b--`.replaceAll("\r\n", "\n"), "model_missing"],
      ["in a form without a boundary", `${model}--b--`, "model_missing", "multipart/form-data"],
      [
        "in a form with two boundaries",
        `${model}--b--`,
        "model_missing",
        "multipart/form-data; boundary=x; boundary=b",
      ],
      ["in a form with very many parts", `${part('name="x"', "").repeat(2000)}${model}--b--`, "model_missing"],
      ["in JSON that is said to be a form", '{"model":"chat"}', "model_missing"],
      ["in a form that is said to be JSON", `${model}--b--`, "model_missing", "application/json"],
      [
        "in a form that is also said to be JSON",
        `${model}--b--`,
        "bad_request",
        "application/json\r\nContent-Type: multipart/form-data; boundary=b",
      ],
      ["in words of an address", "model=chat", "model_missing", "application/x-www-form-urlencoded"],
    ])("reads a model that is %s", async (_, body, expected, type) => {
      expect(await askForm(body, type)).toBe(expected);
    });

    it("reads the forms of curl and of undici, and lets a key ask for its models alone", async () => {
      const form = new FormData();
      form.append("file", new Blob(["x".repeat(300_000)]), 'a "quoted"; name="model".wav');
      form.append("model", "org/chat");
      expect(await client.askFetch(form, {}, path)).toBe("chat");
      const curl = async (key: string, ...fields: string[]) => {
        stage.takeSeen();
        const args = fields.flatMap((field) => ["-F", field]);
        const url = `${stage.origin}${path}`;
        const { stdout } = await execa("curl", ["-sS", "-H", `Authorization: Bearer ${key}`, ...args, url]);
        return client.outcome(0, stdout);
      };
      expect(await curl(everything, `file=@${haproxy}`, "model=code", "language=en")).toBe("code");
      expect(await curl(limited, "model=code", `file=@${haproxy}`)).toBe("model_not_allowed");
      expect(await curl(limited, "model=chat", `file=@${haproxy}`)).toBe("chat");
    });
  });

  describe("of great size", () => {
    /** Base64 of so many bytes in a JSON text, as clients send pictures. */
    const picture = (bytes: number) => `"image":"${"QUJD/+".repeat(bytes / 6)}"`;
    const megabytes = (count: number) =>
      new ReadableStream({
        pull(controller) {
          if (count === 0) controller.close();
          else controller.enqueue(new Uint8Array(1_000_000).fill(65));
          count -= 1;
        },
      });
    const stream = (body: ReadableStream) => client.askFetch(body, { duplex: "half" });

    it("routes 20 MB whose last key is the model, also where slashes are escaped", async () => {
      const body = `{${picture(20_000_000)},"model":"chat"}`;
      expect(await client.askFetch(body)).toBe("chat");
      expect(client.seen[0]?.sha256).toBe(sha256(body));
      const escaped = `{${picture(5_000_000).replaceAll("/", "\\/")},"model":"org\\/chat"}`;
      expect(await client.askFetch(escaped)).toBe("chat");
      expect(client.seen[0]?.sha256).toBe(sha256(asRead(escaped, "chat")));
      expect(await client.askFetch(body.replace("chat", "evil"))).toBe("model_not_found");
      expect(await client.askFetch(`{${picture(20_000_000)}}`)).toBe("model_missing");
    });

    it.each<[string, number, number]>([
      ["just small, with a large head", 262_144, 40_000],
      ["just large", 262_145, 0],
      ["the largest that is allowed", maxBodyBytes, 0],
    ])("routes a body that is %s", async (_, bytes, headBytes) => {
      const headers = Array.from(
        { length: Math.floor(headBytes / 4000) },
        (_, index) => `X-${index}: ${"y".repeat(3990)}`,
      );
      const body = `{"a":"${"x".repeat(bytes - 23)}","model":"chat"}`;
      expect(await client.ask({ headers, body: body.padEnd(bytes, " ") })).toBe("chat");
      expect(client.seen[0]?.bytes).toBe(bytes);
    });

    it("refuses 100 MB, with a length or in chunks, so that the sender reads why", async () => {
      expect(await client.askFetch("A".repeat(100_000_000))).toBe("request_too_large");
      expect(await stream(megabytes(100))).toBe("request_too_large");
    });

    it("survives JSON that is made to be slow", async () => {
      const count = 8_000_000;
      const slow = [
        `{"a":"${"\\/".repeat(count / 2)}","model":"evil\\/"}`,
        `{"a":[${'"",'.repeat(count / 3)}""],"model":"evil\\/"}`,
        `{"a":${"[".repeat(count)}"model"`,
        `{"a":"${"\\\\".repeat(count / 2)}","model":"evil\\/"}`,
        `{"a":[${'"model",'.repeat(count / 8)}0]}`,
        `${" ".repeat(2 * count)}{${'"",'.repeat(60)}"model":"evil\\/"}`,
        `{"a":${"1".repeat(4 * count)},"model":"evil\\/"}`,
      ];
      for (const body of slow) expect(await client.askFetch(body)).toMatch(/^model_(missing|not_found)$/);
      expect(await client.askFetch(`{${picture(600_000)},"model":"chat"}`)).toBe("chat");
    });

    it("survives a form that is made to be slow", async () => {
      const part = `--x\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: a${" ".repeat(3900)}b\r\n\r\n1\r\n`;
      const headers = { authorization: `Bearer ${everything}`, "content-type": "multipart/form-data; boundary=x" };
      const asked = await client.askFetch(`${part.repeat(120)}--x--\r\n`, { headers });
      expect(asked).toBe("model_missing");
      expect(await client.askFetch(`{${picture(600_000)},"model":"chat"}`)).toBe("chat");
    });
  });
});
