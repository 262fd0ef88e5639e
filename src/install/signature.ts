/**
 * Whether what is pinned was signed by whom it must be. Its digest stands for its bytes, so nothing is looked up.
 * Formats are those of cosign: github.com/sigstore/cosign, specs/SIGNATURE_SPEC.md and specs/BUNDLE_SPEC.md. Pure.
 */
import { z } from "zod";

import { sha256 } from "../lib/canonical.js";
import { isSignedBy, readEcdsaKey, type EcdsaKey } from "../lib/ecdsa.js";
import { BerthError } from "../lib/errors.js";
import { parseJson } from "../lib/json.js";
import type { LockedFileSignature, LockedImageSignature } from "../schema/signature.js";

type PinnedKey = LockedFileSignature["key"];
/** An image's signature, before it is known whose it is. */
export type FoundImageSignature = Omit<LockedImageSignature, "key">;

/** What statements about images are that `cosign sign` makes; attestations are others. */
const signPredicate = "https://sigstore.dev/cosign/sign/v1";
/** The only type of what is in an envelope. */
export const statementType = "application/vnd.in-toto+json";

/** `docker-reference` beside them does not count: an image is the same wherever it was copied to. */
const simpleSigning = z.object({
  critical: z.object({
    image: z.object({ "docker-manifest-digest": z.string() }),
    type: z.literal("cosign container image signature"),
  }),
});
const statement = z.object({
  predicateType: z.string(),
  subject: z.array(z.object({ digest: z.record(z.string(), z.string()) })),
});

const otherBytes = "a signature by another key or of other bytes";

/**
 * @param text of the key's file
 * @throws BerthError `file-invalid` when it is no key that signatures are verified with
 */
export function readSignerKey({ file }: PinnedKey, text: string): EcdsaKey {
  const key = readEcdsaKey(text);
  if (key !== undefined) return key;
  throw new BerthError("file-invalid", {
    where: `backends/${file}`,
    what: "the file is no public key that signatures can be verified with",
    expected: "a PEM file that begins with -----BEGIN PUBLIC KEY----- and holds an ECDSA key of P-256",
    hint: "use the cosign.pub that `cosign generate-key-pair` wrote",
  });
}

/** What is wrong with a signature of the file that has a SHA-256; undefined when it is right. */
export function findFileFlaw(fileSha256: string, value: string, key: EcdsaKey): string | undefined {
  return isSignedBy(key, fileSha256, value) ? undefined : otherBytes;
}

/** What is wrong with a signature of the image, or index, that has a digest; undefined when it is right. */
export function findImageFlaw(
  digest: string,
  { format, payload, value }: FoundImageSignature,
  key: EcdsaKey,
): string | undefined {
  const signed = format === "statement" ? inEnvelope(payload) : payload;
  if (!isSignedBy(key, sha256(signed), value)) return otherBytes;
  const told = parseJson(payload);
  if (format === "simpleSigning") {
    const image = simpleSigning.safeParse(told).data?.critical.image["docker-manifest-digest"];
    if (image === undefined) return "a payload that is none of an image's signature";
    return image === digest ? undefined : `a signature of ${image}`;
  }
  const { data } = statement.safeParse(told);
  if (data?.predicateType !== signPredicate) return `a statement of the type ${data?.predicateType ?? "unknown"}`;
  const images = data.subject.map((subject) => `sha256:${subject.digest.sha256 ?? ""}`);
  return images.includes(digest) ? undefined : `a signature of ${images.join(", ") || "nothing"}`;
}

/** What an envelope's signature is of: DSSE's pre-authentication encoding (github.com/secure-systems-lab/dsse). */
function inEnvelope(payload: string): string {
  return `DSSEv1 ${statementType.length} ${statementType} ${Buffer.byteLength(payload)} ${payload}`;
}

/**
 * @param where what must be signed
 * @param got what there is instead of the signature
 */
export function signatureInvalid(where: string, got: string, { file }: PinnedKey): BerthError {
  return new BerthError("signature-invalid", {
    where,
    what: "it is not signed as its backend file asks for",
    got,
    expected: `a signature by the key backends/${file}`,
    hint: "do not use it before you know why: ask whoever publishes it; only if their key is another one now, change the key",
  });
}
