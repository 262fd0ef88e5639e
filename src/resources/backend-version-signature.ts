import { findFileFlaw, findImageFlaw, readSignerKey, signatureInvalid } from "../install/signature.js";
import type { LockedFileSignature } from "../schema/signature.js";
import { wantedArtifact, type BackendVersionInputs } from "./backend-version-inputs.js";
import { subjectOf } from "./installers.js";
import type { Context } from "./kind.js";

/**
 * Verifies the signature that a backend version has with what is pinned, and changes nothing. One without is as good:
 * whether there must be one was decided by the lock.
 *
 * @throws BerthError `signature-invalid`, and what reading the key's file throws
 */
export async function assertSigned(context: Context, inputs: BackendVersionInputs): Promise<void> {
  const { method, digest = "", signature, reference = "" } = inputs;
  const subject = subjectOf(context, inputs);
  if (method === "image" && signature !== undefined) {
    const flaw = findImageFlaw(digest, signature, await readKey(context, signature));
    if (flaw !== undefined) throw signatureInvalid(`${subject}: ${reference}@${digest}`, flaw, signature.key);
  }
  if (method !== "binary") return;
  const wanted = wantedArtifact(inputs, await context.facts());
  const file = wanted.method === "binary" ? wanted.file : undefined;
  if (file?.signature === undefined) return;
  const flaw = findFileFlaw(file.sha256, file.signature.value, await readKey(context, file.signature));
  if (flaw !== undefined) throw signatureInvalid(`${subject}: ${file.url}`, flaw, file.signature.key);
}

async function readKey({ content }: Context, { key }: Pick<LockedFileSignature, "key">) {
  return readSignerKey(key, await content.backendFile(key));
}
