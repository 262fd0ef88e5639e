/** Signatures that backend files ask for: found, verified and pinned. */
import { findFile, type PinnedFile } from "../catalog/artifact.js";
import type { Catalogue } from "../catalog/catalogue.js";
import {
  findFileFlaw,
  findImageFlaw,
  readSignerKey,
  signatureInvalid,
  type FoundImageSignature,
} from "../install/signature.js";
import type { EcdsaKey } from "../lib/ecdsa.js";
import { BerthError } from "../lib/errors.js";
import type { BackendFile } from "../schema/backend.js";
import type { LockedFileSignature, LockedImageSignature } from "../schema/signature.js";
import type { SignatureAnswer } from "./image-signature.js";
import { readFileSignature } from "./signature-text.js";

/** What has to be looked up to pin a signature. */
export interface SignatureEdges {
  /** The text of a file beside a backend file, of the very bytes asked for. */
  readonly readContent: (file: PinnedFile) => Promise<string>;
  /** The text at an address; undefined when there is nothing. */
  fetchSignature(url: string): Promise<string | undefined>;
  askImageSignatures(image: { readonly reference: string; readonly digest: string }): Promise<SignatureAnswer>;
}

interface Signed<Locked> {
  readonly catalogue: Catalogue;
  readonly backend: BackendFile;
  /** The key's file, as the backend file names it. */
  readonly keyFile: string;
  /** What was pinned before for the same bytes: it stays while it is right. */
  readonly before: Locked | undefined;
  /** What must be signed, for errors. */
  readonly where: string;
}

export interface SignedFile extends Signed<LockedFileSignature> {
  readonly sha256: string;
  /** Where its signature is. */
  readonly url: string;
}

export interface SignedImage extends Signed<LockedImageSignature> {
  /** Where it is asked for. */
  readonly place: string;
  readonly digest: string;
}

/**
 * @throws BerthError `signature-invalid` when there is no signature, or one that is not right; `download-failed` when it
 * cannot be told; `file-invalid` and `file-not-found` for the key
 */
export async function pinFileSignature(file: SignedFile, edges: SignatureEdges): Promise<LockedFileSignature> {
  const { sha256, url, before, where } = file;
  const { pinned, key } = await readKey(file, edges);
  if (before !== undefined && findFileFlaw(sha256, before.value, key) === undefined)
    return { key: pinned, value: before.value };
  const text = await edges.fetchSignature(url);
  if (text === undefined) throw signatureInvalid(where, `no signature at ${url}`, pinned);
  const value = readFileSignature(text);
  if (value === undefined) throw signatureInvalid(where, `something that is no signature at ${url}`, pinned);
  const flaw = findFileFlaw(sha256, value, key);
  if (flaw !== undefined) throw signatureInvalid(where, `${flaw} at ${url}`, pinned);
  return { key: pinned, value };
}

/** Of several signatures one that is right is enough. Throws as {@link pinFileSignature} does. */
export async function pinImageSignature(image: SignedImage, edges: SignatureEdges): Promise<LockedImageSignature> {
  const { place, digest, before, where } = image;
  const { pinned, key } = await readKey(image, edges);
  const isRight = (signature: FoundImageSignature) => findImageFlaw(digest, signature, key) === undefined;
  if (before !== undefined && isRight(before)) return { ...before, key: pinned };
  const answer = await edges.askImageSignatures({ reference: place, digest });
  if (answer.kind === "refused") throw notTold(where, answer.reason);
  const right = answer.signatures.find(isRight);
  if (right !== undefined) return { key: pinned, ...right };
  const flaws = new Set(answer.signatures.map((signature) => findImageFlaw(digest, signature, key)));
  throw signatureInvalid(where, [...flaws].join("; ") || "no signature in its registry", pinned);
}

async function readKey(
  { catalogue, backend, keyFile }: Signed<unknown>,
  edges: SignatureEdges,
): Promise<{ pinned: PinnedFile; key: EcdsaKey }> {
  const pinned = findFile(catalogue, backend, keyFile);
  return { pinned, key: readSignerKey(pinned, await edges.readContent(pinned)) };
}

/** Where cosign's users put the signature of a file. */
export function signatureAddress(url: string): string {
  const { origin, pathname, search } = new URL(url);
  return `${origin}${pathname}.sig${search}`;
}

function notTold(where: string, reason: string): BerthError {
  return new BerthError("download-failed", {
    where,
    what: "the registry did not tell the image's signatures",
    got: reason,
    hint: "check the network, and log in with `docker login` where the registry asks for it",
  });
}
