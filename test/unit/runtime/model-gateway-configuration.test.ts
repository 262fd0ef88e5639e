import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { mapText, modelGatewayFiles, textsOf } from "../../../src/runtime/model-gateway-configuration.js";
import { keyMaps, routesOf, sharesOf, sparesOf } from "../../../src/runtime/model-gateway-maps.js";
import { modelName } from "../../../src/schema/gateway.js";
import { name } from "../../../src/schema/scalars.js";
import { gatewaySettings, serverAt, targetOf } from "../../support/model-gateway-settings.js";

/** Texts that a schema allows. */
const allowedBy = (schema: typeof modelName) =>
  fc
    .oneof(fc.string({ maxLength: 20 }), fc.stringMatching(/^[a-z0-9][a-z0-9._:/+-]{0,10}[a-z0-9]$/))
    .filter((text) => schema.safeParse(text).success);
const shares = fc.dictionary(allowedBy(name), fc.integer({ min: 0, max: 100 }), { minKeys: 1, maxKeys: 5 });

describe("the maps of a gateway that routes by model", () => {
  it("give each deployment its share of a hundred rolls, whatever the weights", () => {
    fc.assert(
      fc.property(allowedBy(modelName), shares, (model, weights) => {
        fc.pre(Object.values(weights).some((weight) => weight > 0));
        const settings = gatewaySettings({ routes: { [model]: weights } });
        const rows = [...sharesOf(settings)];
        const sum = Object.values(weights).reduce((total, weight) => total + weight, 0);
        const positive = Object.entries(weights).filter(([, weight]) => weight > 0);
        expect(rows.map(([key]) => key)).toEqual(
          positive.length < 2 ? [] : Array.from({ length: 100 }, (_, roll) => `${roll}|${model}`),
        );
        for (const [deployment, weight] of positive.length < 2 ? [] : Object.entries(weights)) {
          const count = rows.filter(([, to]) => to === `deployment:${deployment}`).length;
          expect(Math.abs(count - (100 * weight) / sum)).toBeLessThanOrEqual(1);
        }
        const most = Math.max(...Object.values(weights));
        expect(weights[routesOf(settings).get(model)?.replace("deployment:", "") ?? ""]).toBe(most);
        const spare = sparesOf(settings).get(model)?.replace("deployment:", "");
        const [, second] = positive.map(([, weight]) => weight).toSorted((a, b) => b - a);
        expect(spare === undefined ? undefined : weights[spare]).toBe(second);
        expect(sparesOf(settings).get(model)).not.toBe(routesOf(settings).get(model));
      }),
    );
  });

  it("say of keys who has them, what they may, and how often", () => {
    const digest = "ab".repeat(32);
    const keys = { all: {}, one: { models: ["chat"], requestsPerMinute: 5 } };
    const maps = keyMaps(gatewaySettings({ keys, keyDigests: { all: digest, one: "cd".repeat(32) } }));
    expect(mapText(maps.keys)).toBe(`${digest.toUpperCase()} all\n${"CD".repeat(32)} one\n`);
    expect(mapText(maps.access)).toBe("all|* 1\none|chat 1\n");
    expect(mapText(maps.limits)).toBe("one 5\n");
  });
});

describe("the files of a gateway that routes by model", () => {
  it("have no line for what names say: they stand in maps, and lists", () => {
    fc.assert(
      fc.property(allowedBy(modelName), allowedBy(name), (model, key) => {
        const settings = gatewaySettings({ routes: { [model]: { chat: 100 } }, keys: { [key]: { models: [model] } } });
        const plain = gatewaySettings({ routes: { m: { chat: 100 } }, keys: { k: { models: ["m"] } } });
        const lines = (of: typeof settings) => modelGatewayFiles(of, undefined).configuration.split("\n").length;
        expect(lines(settings)).toBe(lines(plain));
        for (const row of mapText(modelGatewayFiles(settings, undefined).maps.routes).trimEnd().split("\n"))
          expect(row.split(" ")).toHaveLength(2);
      }),
    );
  });

  it("hold the key of an engine as one word, whatever is in it", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\x21-\x7e]{1,40}$/), (apiKey) => {
        const { configuration } = modelGatewayFiles(gatewaySettings({ apiKeys: { chat: apiKey } }), undefined);
        const [, word = ""] = /set-header Authorization (.*)$/m.exec(configuration) ?? [];
        // HAProxy takes what is between single quotes as it is, between double ones without `'`; and `%%` for `%`.
        const parts = [...word.matchAll(/'([^']*)'|"([^"]*)"/g)];
        expect(parts.map(([part]) => part).join("")).toBe(word);
        const read = parts.map(([, single, double]) => single ?? double ?? "").join("");
        expect(read.replaceAll("%%", "%")).toBe(`Bearer ${apiKey}`);
        expect(read.replaceAll("%%", "")).not.toContain("%");
      }),
    );
  });

  it("are as written down here, for two replicas, a key and TLS", async () => {
    const chat = { ...targetOf(serverAt("chat-0", 14_000), serverAt("chat-1", 14_001)), concurrency: 8, queue: 16 };
    const settings = gatewaySettings({
      ...{ certFile: "/etc/berth/gateway.pem", targets: { chat }, apiKeys: { chat: "engine-key" } },
      ...{ keys: { ci: { models: ["chat"], requestsPerMinute: 60 } }, keyDigests: { ci: "ab".repeat(32) } },
    });
    const texts = textsOf(modelGatewayFiles(settings, "cd".repeat(32)));
    const whole = texts.map(([file, text]) => `==> ${file} <==\n${text}`).join("\n");
    await expect(whole).toMatchFileSnapshot("../../fixtures/model-gateway/files.txt");
  });

  it("have another version when the certificate is another", () => {
    const version = (certificate: string) => modelGatewayFiles(gatewaySettings(), certificate).version;
    expect(version("a")).not.toBe(version("b"));
    expect(version("a")).toBe(version("a"));
  });
});
