import { z } from "zod";

import { httpUrl, relativeFile, sha256 } from "./scalars.js";

const key = relativeFile.describe(
  "The signer's public key, a PEM file with an ECDSA key of P-256 as `cosign generate-key-pair` makes it; relative to the folder of the backend file",
);

export const fileSignature = z
  .strictObject({
    key,
    url: httpUrl
      .optional()
      .describe(
        "Where the signature is, as `cosign sign-blob` writes it: a bundle, or the signature alone; `mirrors: { downloadBaseUrl }` replaces its host. Default: the file's address with .sig at its end",
      ),
  })
  .describe("Who must have signed the file; without it nobody must have");

export const imageSignature = z
  .strictObject({ key })
  .describe("Who must have signed the image with `cosign sign`; without it nobody must have");

const pinned = {
  key: z
    .strictObject({ file: z.string().describe("Path below a backends folder"), sha256 })
    .describe("The signer's public key"),
  value: z.base64().describe("The signature in base64: ECDSA of P-256 with SHA-256, as ASN.1"),
};

export const lockedFileSignature = z.strictObject(pinned).describe("Who signed the file, and how; verified");

export const lockedImageSignature = z
  .strictObject({
    ...pinned,
    format: z
      .enum(["simpleSigning", "statement"])
      .describe(
        "What was signed. simpleSigning: cosign's payload with the image's digest. statement: an in-toto statement about it in a DSSE envelope",
      ),
    payload: z.string().describe("What was signed, as text; it names the image's digest"),
  })
  .describe("Who signed the image, and how; verified");

export type FileSignature = z.output<typeof fileSignature>;
export type ImageSignature = z.output<typeof imageSignature>;
export type LockedFileSignature = z.output<typeof lockedFileSignature>;
export type LockedImageSignature = z.output<typeof lockedImageSignature>;
