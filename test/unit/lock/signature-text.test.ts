import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { readFileSignature, readImageBundle } from "../../../src/lock/signature-text.js";
import { cosignText } from "../../support/cosign.js";
import { bundleOf, Signer } from "../../support/signer.js";

const signer = new Signer();

describe("the signature of a file", () => {
  const value = signer.sign("text");

  it.each([
    ["alone", value],
    ["alone, with a line's end", `${value}\r\n`],
    ["in cosign's own bundle", JSON.stringify({ base64Signature: value, cert: "", rekorBundle: {} })],
    [
      "in a bundle of an earlier version",
      JSON.stringify({
        mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.2",
        messageSignature: { signature: value },
      }),
    ],
  ])("is read: %s", (_, text) => {
    expect(readFileSignature(text)).toBe(value);
  });

  it.each([
    ["nothing", ""],
    ["a page", "<html>sign in</html>"],
    ["JSON of something else", '{"signature":"AAAA"}'],
    ["a bundle without a signature", '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}'],
    ["a bundle of another kind", JSON.stringify({ mediaType: "text/plain", messageSignature: { signature: value } })],
    ["a bundle about an image", cosignText("image.sigstore.json")],
    ["a list", `[${JSON.stringify(value)}]`],
  ])("is not %s", (_, text) => {
    expect(readFileSignature(text)).toBeUndefined();
  });

  it("is not in a bundle that was cut", () => {
    const bundle = cosignText("file.sigstore.json").trimEnd();
    fc.assert(
      fc.property(fc.nat(bundle.length - 1), (length) => {
        expect(readFileSignature(bundle.slice(0, length))).toBeUndefined();
      }),
    );
  });
});

describe("a bundle about an image", () => {
  const signature = signer.stateImage(`sha256:${"a".repeat(64)}`);

  it("is read", () => {
    expect(readImageBundle(bundleOf(signature))).toEqual(signature);
  });

  it.each([
    ["one about a file", cosignText("file.sigstore.json")],
    ["one with two signatures", bundleOf(signature).replace(/\[(\{"sig":[^\]]*)\]/, "[$1,$1]")],
    ["an envelope of another type", bundleOf(signature).replace("application/vnd.in-toto+json", "text/plain")],
    ["something else", "{}"],
  ])("is not %s", (_, text) => {
    expect(readImageBundle(text)).toBeUndefined();
  });
});
