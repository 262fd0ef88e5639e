/** Signatures by ECDSA on P-256 with SHA-256. Pure. */
import { createPublicKey } from "node:crypto";

import { p256 } from "@noble/curves/nist";

/** A public key on P-256. */
export interface EcdsaKey {
  /** Its point, uncompressed. */
  readonly point: Uint8Array;
}

/** The public key of a PEM text; undefined for anything else, such as a private key or one of another kind. */
export function readEcdsaKey(pem: string): EcdsaKey | undefined {
  if (!/^-----BEGIN PUBLIC KEY-----\s/.test(pem.trimStart())) return undefined;
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1") return undefined;
    const { x = "", y = "" } = key.export({ format: "jwk" });
    return { point: Buffer.concat([Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]) };
  } catch {
    return undefined;
  }
}

/**
 * Whether a key signed the bytes that have a SHA-256. The bytes themselves are not needed, so that what lies on another
 * machine can be verified by its digest; Node's own verification asks for them.
 *
 * @param sha256 64 hexadecimal digits
 * @param signature base64 of the signature as ASN.1
 */
export function isSignedBy({ point }: EcdsaKey, sha256: string, signature: string): boolean {
  try {
    // Signers need not choose the lower of the two values that are both right, and Go's do not.
    const options = { prehash: false, lowS: false, format: "der" } as const;
    return p256.verify(Buffer.from(signature, "base64"), Buffer.from(sha256, "hex"), point, options);
  } catch {
    return false;
  }
}
