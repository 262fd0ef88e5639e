import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createRedact } from "../../../src/lib/redact.js";

const key = 'sk-Ä/9"+ \\z';

describe("createRedact", () => {
  it.each([
    ["as it is", key],
    ["JSON-escaped", JSON.stringify(key).slice(1, -1)],
    ["URL-encoded", encodeURIComponent(key)],
    ["in base64", Buffer.from(key, "utf8").toString("base64")],
  ])("hides a secret %s, wherever and however often it stands", (_, form) => {
    expect(createRedact([key])(`a ${form}${form} b=${form}`)).toBe("a [secret][secret] b=[secret]");
  });

  it("hides each longer line of a secret with several, as logs print them one by one", () => {
    const redact = createRedact(["-----BEGIN-----\r\nline-of-the-key\nshort\n"]);
    expect(redact("> line-of-the-key\n> -----BEGIN-----\n> short")).toBe("> [secret]\n> [secret]\n> short");
  });

  it("hides the longer of two secrets that begin alike", () => {
    expect(createRedact(["abc", "abcdef"])("abcdef abc")).toBe("[secret] [secret]");
  });

  it("does not look for secrets in what it put there itself", () => {
    expect(createRedact(["hunter2", "secret", "e", "]"])("key hunter2")).toBe("k[secret]y [secret]");
  });

  it("changes nothing when there is no secret, or an empty one", () => {
    expect(createRedact([])("text")).toBe("text");
    expect(createRedact([""])("text")).toBe("text");
  });

  it("takes a secret literally: nothing in it is a pattern", () => {
    expect(createRedact(["a.c", "$&", "(x|y)"])("abc a.c $& (x|y) x")).toBe("abc [secret] [secret] [secret] x");
  });

  it("takes a secret that is not well-formed Unicode", () => {
    expect(createRedact(["\ud800abc"])("x\ud800abc")).toBe("x[secret]");
  });

  it("hides every letter of secrets that overlap", () => {
    expect(createRedact(["abc", "cde", "aXa"])("abcde aXaXa")).toBe("[secret] [secret]");
  });

  it("leaves of a text made of secrets in any form and noise only the noise", () => {
    const noise = fc.string({ unit: fc.constantFrom(":", ","), maxLength: 3 });
    const secret = fc.string({
      unit: fc.constantFrom(...Array.from('aB01/+="\\\n %é漢🙂')),
      minLength: 1,
      maxLength: 20,
    });
    const form = fc.constantFrom<(text: string) => string>(
      (text) => text,
      (text) => JSON.stringify(text).slice(1, -1),
      (text) => encodeURIComponent(text),
      (text) => Buffer.from(text, "utf8").toString("base64"),
    );
    const pieces = fc
      .array(secret, { minLength: 1, maxLength: 5 })
      .chain((secrets) => fc.array(fc.record({ before: noise, secret: fc.constantFrom(...secrets), form })));
    fc.assert(
      fc.property(pieces, (parts) => {
        const redact = createRedact(parts.map((part) => part.secret));
        const redacted = redact(parts.map((part) => part.before + part.form(part.secret)).join(""));
        expect(redacted.replaceAll("[secret]", "")).toBe(parts.map((part) => part.before).join(""));
      }),
    );
  });
});
