import { z } from "zod";

/** A name that becomes part of file names, labels and host names: no separators, no `..`. */
export const name = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, {
    error: "expected 1 to 63 characters of a-z, 0-9 and -, beginning and ending with a letter or digit",
  })
  .describe("1 to 63 characters of a-z, 0-9 and -, beginning and ending with a letter or digit");

/** A backend version; it becomes part of file names. */
export const version = z
  .string({ error: "expected a string; put the version in quotes, because 0.10 without them is the number 0.1" })
  .regex(/^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/, {
    error: "expected 1 to 64 characters of letters, digits and . _ + -, without ..",
  })
  .describe('A version, in quotes: "0.10" without them is a number');

/** The name of one file, not a path. */
export const fileName = z
  .string()
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,200}$/, { error: "expected a file name of letters, digits and . _ -, no path" })
  .describe("A file name, not a path");

export const sha256 = z
  .string()
  .regex(/^[0-9a-fA-F]{64}$/, { error: "expected 64 hexadecimal digits" })
  .transform((digest) => digest.toLowerCase())
  .describe("SHA-256, 64 hexadecimal digits");

export const imageDigest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, { error: "expected sha256: and 64 hexadecimal digits" })
  .describe("Digest of a container image or its index: sha256: and 64 hexadecimal digits");

export const category = z
  .enum(["llm", "vlm", "embedding", "reranker", "stt", "tts", "image", "other"])
  .describe("What a model does: llm, vlm, embedding, reranker, stt, tts, image, or other");

export const port = z.int().min(1).max(65535).describe("TCP port, 1 to 65535");

const millisecondsPerUnit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** A duration as people write it, parsed to seconds. */
export const duration = z
  .string({ error: 'expected a duration with its unit, such as "30s"' })
  .regex(/^\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h)$/, {
    error: 'expected a duration with its unit, such as "500ms", "30s", "20m" or "1h"',
  })
  .transform(durationSeconds)
  .describe('A duration with its unit: "500ms", "30s", "20m", "1h"');

/** Seconds of a text that {@link duration} accepts. */
export function durationSeconds(text: string): number {
  const [, amount = "0", unit = "s"] = /^([\d.]+)([a-z]+)$/.exec(text) ?? [];
  return (Number(amount) * millisecondsPerUnit[unit as keyof typeof millisecondsPerUnit]) / 1000;
}

export const variable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: "expected the name of an environment variable" })
  .describe("The name of an environment variable");

export const environment = z
  .record(variable, z.string({ error: "expected a string; put numbers and booleans in quotes" }))
  .describe("Environment variables, name to value");

export const secretReference = z
  .strictObject({
    secret: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, { error: "expected a secret's name: letters, digits, _ and -" })
      .describe("Name of the secret"),
  })
  .describe(
    "A secret by name: from `pulumi config set --secret berth:NAME`, the environment variable BERTH_SECRET_NAME, or the file .berth/secrets/NAME",
  );

/** An http or https address without user, password or fragment. */
export const httpUrl = addressExpecting("an address without user, password or fragment", /[@#]/);

/** The same of a folder: paths are put behind it, so it has no query either. */
export const folderUrl = addressExpecting("an address without user, password, query or fragment", /[@#?]/);

/** The same for a package index: the stack file and the lock are shown and committed, so no password stands in them. */
export const indexUrl = addressExpecting(
  "an address without user, password, query or fragment; give an index that asks for them as PIP_INDEX_URL, or its password in ~/.netrc of the host",
  /[@#?]/,
);

function addressExpecting(form: string, refused: RegExp) {
  return z
    .url({ protocol: /^https?$/, error: "expected an http or https address" })
    .refine((text) => !refused.test(text), { error: `expected ${form}` })
    .describe("An http or https address");
}
