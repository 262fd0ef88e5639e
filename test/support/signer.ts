/** Signs with Node as cosign does with a key: ECDSA on P-256 with SHA-256 (specs/SIGNATURE_SPEC.md of cosign). */
import { generateKeyPairSync, sign } from "node:crypto";

import type { FoundImageSignature } from "../../src/install/signature.js";

const statementType = "application/vnd.in-toto+json";

export class Signer {
  /** The public key, as `cosign.pub` holds it. */
  readonly pem: string;
  readonly #key;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    this.#key = privateKey;
  }

  /** In base64, as `cosign sign-blob` writes it. */
  sign(bytes: string | Uint8Array): string {
    return sign("sha256", Buffer.from(bytes), this.#key).toString("base64");
  }

  /** As at cosign's tag in a registry. */
  signImage(digest: string, type = "cosign container image signature"): FoundImageSignature {
    const identity = { "docker-reference": "registry.example.net/team/engine" };
    const critical = { identity, image: { "docker-manifest-digest": digest }, type };
    const payload = JSON.stringify({ critical, optional: null });
    return { format: "simpleSigning", payload, value: this.sign(payload) };
  }

  /** As in the envelope of a bundle that refers to an image. */
  stateImage(digest: string, predicateType = "https://sigstore.dev/cosign/sign/v1"): FoundImageSignature {
    const subject = [{ digest: { sha256: digest.replace("sha256:", "") } }];
    const payload = JSON.stringify({ _type: "https://in-toto.io/Statement/v1", subject, predicateType });
    const envelope = `DSSEv1 ${statementType.length} ${statementType} ${payload.length} ${payload}`;
    return { format: "statement", payload, value: this.sign(envelope) };
  }
}

/** A statement's signature in the bundle that `cosign sign` puts into a registry. */
export function bundleOf({ payload, value }: FoundImageSignature): string {
  return JSON.stringify({
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: { publicKey: { hint: "" } },
    dsseEnvelope: {
      payload: Buffer.from(payload).toString("base64"),
      payloadType: statementType,
      signatures: [{ sig: value }],
    },
  });
}
