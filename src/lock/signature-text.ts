/** Signatures as cosign writes them. Pure. */
import { z } from "zod";

import { statementType, type FoundImageSignature } from "../install/signature.js";
import { parseJson } from "../lib/json.js";

/** Media types of Sigstore's bundles, in whichever version and notation. */
export const bundleType = /^application\/vnd\.dev\.sigstore\.bundle[.+]/;

const base64 = z.base64().min(1);
const mediaType = z.string().regex(bundleType);
/** Of `cosign sign-blob --bundle`, before its version 3 by default. */
const plainBundle = z.object({ base64Signature: base64 });
const fileBundle = z.object({ mediaType, messageSignature: z.object({ signature: base64 }) });
const statementBundle = z.object({
  mediaType,
  dsseEnvelope: z.object({
    payload: base64,
    payloadType: z.literal(statementType),
    signatures: z.tuple([z.object({ sig: base64 })]),
  }),
});

/** The signature in what `cosign sign-blob` wrote, in base64: a bundle, or the signature alone; else undefined. */
export function readFileSignature(text: string): string | undefined {
  const alone = base64.safeParse(text.trim());
  if (alone.success) return alone.data;
  const told = parseJson(text);
  return (
    fileBundle.safeParse(told).data?.messageSignature.signature ?? plainBundle.safeParse(told).data?.base64Signature
  );
}

/** The signature in a bundle that `cosign sign` put beside an image; undefined for other bundles. */
export function readImageBundle(text: string): FoundImageSignature | undefined {
  const envelope = statementBundle.safeParse(parseJson(text)).data?.dsseEnvelope;
  if (envelope === undefined) return undefined;
  const payload = Buffer.from(envelope.payload, "base64").toString("utf8");
  return { format: "statement", payload, value: envelope.signatures[0].sig };
}
