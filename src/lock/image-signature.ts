/** The signatures that a registry has of an image, in the two ways in which cosign puts them there. */
import { z } from "zod";

import type { FoundImageSignature } from "../install/signature.js";
import { BerthError, messageOf } from "../lib/errors.js";
import { parseJson } from "../lib/json.js";
import { readWithin } from "../lib/response-body.js";
import { askRegistry, readImageReference, type Asker } from "./image-digest.js";
import { bundleType, readImageBundle } from "./signature-text.js";

/** What a registry says about the signatures of an image. */
export type SignatureAnswer =
  /** It has these; whose they are, and whether they are right, is not known yet. */
  | { readonly kind: "found"; readonly signatures: readonly FoundImageSignature[] }
  /** It does not answer, or only those who log in. */
  | { readonly kind: "refused"; readonly reason: string };

const mostSignatures = 50;
const mostBytes = 1024 * 1024;
const payloadType = "application/vnd.dev.cosign.simplesigning.v1+json";
const valueAnnotation = "dev.cosignproject.cosign/signature";

const layer = z.object({
  mediaType: z.string(),
  digest: z.string(),
  annotations: z.record(z.string(), z.string()).optional(),
});
const manifest = z.object({ layers: z.array(layer) });
/** What it says of their types is not asked: in lists at tags it is not that of bundles. */
const referrers = z.object({ manifests: z.array(z.object({ digest: z.string() })) });

/** Asks one repository. */
interface Repository {
  readonly origin: string;
  readonly name: string;
  readonly asker: Asker;
}

/**
 * Asks for the signatures of an image, or an index, by its digest: those at cosign's tag, and bundles that refer to it.
 *
 * @param reference the image, as `registry/repository:tag`; its tag does not count
 */
export async function askImageSignatures(
  reference: string,
  digest: string,
  asker: Asker = {},
): Promise<SignatureAnswer> {
  const { origin, repository: name } = readImageReference(reference);
  const repository = { origin, name, asker };
  try {
    const signatures = [...(await readTagged(repository, digest)), ...(await readReferring(repository, digest))];
    return { kind: "found", signatures };
  } catch (error) {
    asker.signal?.throwIfAborted();
    if (error instanceof BerthError) throw error;
    return { kind: "refused", reason: messageOf(error instanceof Error && error.cause ? error.cause : error) };
  }
}

/** specs/SIGNATURE_SPEC.md, tag-based discovery. */
async function readTagged(repository: Repository, digest: string): Promise<FoundImageSignature[]> {
  const tagged = parseJson(await read(repository, `manifests/${tagOf(digest)}.sig`));
  const layers = manifest.safeParse(tagged).data?.layers.filter(({ mediaType }) => mediaType === payloadType) ?? [];
  const found: FoundImageSignature[] = [];
  for (const { digest: blob, annotations } of layers.slice(0, mostSignatures)) {
    const value = z.base64().safeParse(annotations?.[valueAnnotation]).data;
    const payload = value === undefined ? undefined : await read(repository, `blobs/${blob}`);
    if (value !== undefined && payload !== undefined) found.push({ format: "simpleSigning", payload, value });
  }
  return found;
}

/** specs/BUNDLE_SPEC.md; registries that cannot list what refers to an image have the list at a tag. */
async function readReferring(repository: Repository, digest: string): Promise<FoundImageSignature[]> {
  const list =
    (await read(repository, `referrers/${digest}`)) ?? (await read(repository, `manifests/${tagOf(digest)}`));
  const referring = referrers.safeParse(parseJson(list)).data?.manifests ?? [];
  const found: FoundImageSignature[] = [];
  for (const { digest: one } of referring.slice(0, mostSignatures)) {
    const [blob] = manifest.safeParse(parseJson(await read(repository, `manifests/${one}`))).data?.layers ?? [];
    if (blob === undefined || !bundleType.test(blob.mediaType)) continue;
    const text = await read(repository, `blobs/${blob.digest}`);
    const signature = text === undefined ? undefined : readImageBundle(text);
    if (signature !== undefined) found.push(signature);
  }
  return found;
}

function tagOf(digest: string): string {
  return digest.replace(":", "-");
}

/** Undefined when the registry does not have it, or does not know what is asked. */
async function read({ origin, name, asker }: Repository, what: string): Promise<string | undefined> {
  const response = await askRegistry("GET", `${origin}/v2/${name}/${what}`, origin, asker);
  if (response.ok) {
    const bytes = await readWithin(response, mostBytes);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString("utf8");
  }
  await response.body?.cancel();
  if ([401, 403, 429].includes(response.status) || response.status >= 500)
    throw new Error(`HTTP status ${response.status}`);
  return undefined;
}
