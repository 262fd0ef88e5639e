import { generateKeyPairSync } from "node:crypto";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { sha256 } from "../../../src/lib/canonical.js";
import { isSignedBy, readEcdsaKey } from "../../../src/lib/ecdsa.js";
import { Signer } from "../../support/signer.js";

function keyOf({ pem }: Signer) {
  const key = readEcdsaKey(pem);
  if (key === undefined) throw new Error("no key");
  return key;
}

describe("a signature that Node made", () => {
  const signer = new Signer();
  const key = keyOf(signer);

  it("is verified by the digest of its bytes, and by no other", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (bytes, others) => {
        const signature = signer.sign(bytes);
        expect(isSignedBy(key, sha256(bytes), signature)).toBe(true);
        expect(isSignedBy(key, sha256(others), signature)).toBe(sha256(bytes) === sha256(others));
      }),
      { numRuns: 50 },
    );
  });

  it("is refused when a bit of it is another", () => {
    const signature = Buffer.from(signer.sign("text"), "base64");
    fc.assert(
      fc.property(fc.nat(signature.length * 8 - 1), (at) => {
        const changed = Buffer.from(signature);
        changed[at >> 3] = (changed[at >> 3] ?? 0) ^ (1 << (at & 7));
        expect(isSignedBy(key, sha256("text"), changed.toString("base64"))).toBe(false);
      }),
    );
  });

  it("is refused with another key", () => {
    expect(isSignedBy(keyOf(new Signer()), sha256("text"), signer.sign("text"))).toBe(false);
  });

  it.each(["", "AAAA", "no base64!", "MAYCAQACAQA="])("is not %j", (signature) => {
    expect(isSignedBy(key, sha256("text"), signature)).toBe(false);
  });
});

describe("a key", () => {
  const { pem } = new Signer();
  const spki = { type: "spki", format: "pem" } as const;

  it.each([
    ["one with blank lines around it", `\n${pem}\n`],
    ["one with lines of Windows", pem.replaceAll("\n", "\r\n")],
  ])("is %s", (_, text) => {
    expect(readEcdsaKey(text)).toEqual(readEcdsaKey(pem));
  });

  it.each([
    ["nothing", ""],
    ["a word", "key"],
    ["the beginning of one", pem.slice(0, 80)],
    [
      "a private key",
      generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    ],
    ["a key of RSA", generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export(spki).toString()],
    ["a key of another curve", generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export(spki).toString()],
    ["a key of Ed25519", generateKeyPairSync("ed25519").publicKey.export(spki).toString()],
  ])("is not %s", (_, text) => {
    expect(readEcdsaKey(text)).toBeUndefined();
  });
});
