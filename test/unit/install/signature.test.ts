import { describe, expect, it } from "vitest";

import {
  findFileFlaw,
  findImageFlaw,
  readSignerKey,
  type FoundImageSignature,
} from "../../../src/install/signature.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { readFileSignature, readImageBundle } from "../../../src/lock/signature-text.js";
import { cosignImage, cosignText } from "../../support/cosign.js";
import { Signer } from "../../support/signer.js";
import { thrownBy } from "../support/thrown.js";

const pinned = { file: "keys/team.pub", sha256: "a".repeat(64) };
const cosignKey = readSignerKey(pinned, cosignText("key.pub"));
const signer = new Signer();
const key = readSignerKey(pinned, signer.pem);
const digest = `sha256:${"b".repeat(64)}`;
const other = `sha256:${"c".repeat(64)}`;
const ofOthers = "a signature by another key or of other bytes";

/** The signature at cosign's tag. */
function cosignTagged(): FoundImageSignature {
  const [, value = ""] = /"dev.cosignproject.cosign\/signature":"([^"]*)"/.exec(cosignText("image.sig.json")) ?? [];
  return { format: "simpleSigning", payload: cosignText("image.payload.json"), value };
}

describe("what cosign signed", () => {
  it.each(["file.sig", "file.bundle.json", "file.sigstore.json", "file.v3.sigstore.json"])("is right: %s", (name) => {
    const value = readFileSignature(cosignText(name)) ?? "";
    expect(findFileFlaw(sha256(cosignText("file")), value, cosignKey)).toBeUndefined();
    expect(findFileFlaw(sha256(`${cosignText("file")} `), value, cosignKey)).toBe(ofOthers);
    expect(findFileFlaw(sha256(cosignText("file")), value, key)).toBe(ofOthers);
  });

  it("is right: an image's, at a tag and in a bundle", () => {
    const bundles = ["image.sigstore.json", "image.v3.sigstore.json"].map((name) => readImageBundle(cosignText(name)));
    for (const signature of [cosignTagged(), ...bundles]) {
      if (signature === undefined) throw new Error("no signature");
      expect(findImageFlaw(cosignImage, signature, cosignKey)).toBeUndefined();
      expect(findImageFlaw(digest, signature, cosignKey)).toBe(`a signature of ${cosignImage}`);
      expect(findImageFlaw(cosignImage, signature, key)).toBe(ofOthers);
    }
  });
});

describe("a signature of an image", () => {
  const changed = (signature: FoundImageSignature, changes: Partial<FoundImageSignature>) => ({
    ...signature,
    ...changes,
  });
  const simple = signer.signImage(digest);
  const stated = signer.stateImage(digest);
  const loose = (payload: string): FoundImageSignature => ({
    format: "simpleSigning",
    payload,
    value: signer.sign(payload),
  });

  it.each([
    ["simple", simple],
    ["a statement", stated],
  ])("is right: %s", (_, signature) => {
    expect(findImageFlaw(digest, signature, key)).toBeUndefined();
  });

  it.each([
    ["of another image", signer.signImage(other), `a signature of ${other}`],
    ["stated of another image", signer.stateImage(other), `a signature of ${other}`],
    ["whose payload names this image since", changed(simple, { payload: signer.signImage(other).payload }), ofOthers],
    ["whose payload got a blank", changed(simple, { payload: `${simple.payload} ` }), ofOthers],
    ["of another key", new Signer().signImage(digest), ofOthers],
    ["in the other form", changed(simple, { format: "statement" }), ofOthers],
    ["of a statement without its envelope", changed(stated, { format: "simpleSigning" }), ofOthers],
    ["cut short", changed(simple, { value: simple.value.slice(0, 40) }), ofOthers],
    [
      "an attestation",
      signer.stateImage(digest, "https://spdx.dev/Document"),
      "a statement of the type https://spdx.dev/Document",
    ],
    [
      "of another type",
      signer.signImage(digest, "atomic container signature"),
      "a payload that is none of an image's signature",
    ],
    ["of a file that is no JSON", loose("text"), "a payload that is none of an image's signature"],
    [
      "of a file that names the image elsewhere",
      loose(JSON.stringify({ image: digest })),
      "a payload that is none of an image's signature",
    ],
  ])("is wrong: %s", (_, signature, flaw) => {
    expect(findImageFlaw(digest, signature, key)).toBe(flaw);
  });
});

describe("a key's file", () => {
  it("that holds no key is an error which names it", () => {
    const error = thrownBy(() => readSignerKey(pinned, "text"));
    expect([error.code, error.message]).toEqual(["file-invalid", expect.stringContaining("backends/keys/team.pub")]);
  });
});
