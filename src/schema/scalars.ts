import { z } from "zod";

import { variable } from "./variable.js";

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

/** What a Python wheel's file is called. */
export const wheelFile = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._+!-]{0,240}\.whl$/, { error: "expected the file name of a wheel, no path" })
  .describe("File name of a wheel, by which pip knows what it is for");

/** A file that a backend file names. */
export const relativeFile = z
  .string()
  .regex(/^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/, {
    error: "expected a path below the folder of the backend file",
  })
  .describe("A path relative to the folder of the backend file");

/** What no path of a model's file holds: control characters, and those that hide or turn text. */
const pathCharacter = String.raw`[^/\\\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]`;

/** Where a file lies in a model's folder. `placement.json` there is Berth's own record. */
export const modelFilePath = z
  .string()
  .max(1000)
  .regex(
    new RegExp(
      String.raw`^(?!placement\.json$)(?:(?!\.{1,2}/)${pathCharacter}{1,200}/)*(?!\.{1,2}$)${pathCharacter}{1,200}$`,
    ),
    { error: "expected a relative path without . .. \\ and control characters, other than placement.json" },
  )
  .describe("A path in the model's folder");

/** A repository of a model hub. */
export const repositoryName = z
  .string()
  .regex(/^(?!.*(?:--|\.\.))[A-Za-z0-9_][\w.-]{0,95}(?:\/[A-Za-z0-9_][\w.-]{0,95})?$/, {
    error: "expected a repository such as Qwen/Qwen3-0.6B",
  })
  .describe("The repository, as OWNER/NAME");

/** A revision of a repository. */
export const revision = z
  .string({ error: "expected a string; put a revision of digits in quotes" })
  .regex(/^(?!.*\.\.)[A-Za-z0-9][\w./+-]{0,199}$/, { error: "expected a branch, a tag or a commit" })
  .describe("A branch, tag or commit");

/** A commit names its content for ever: by SHA-1, or SHA-256, as Git does. */
export const commit = z
  .string()
  .regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, { error: "expected the 40 or 64 hexadecimal digits of a commit" })
  .describe("The commit");

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

/** 24 days: a timer of Node.js that waits longer than 2^31 ms ends at once. */
export const mostSeconds = 24 * 24 * 3600;

/** A duration as people write it. */
export const durationText = z
  .string({ error: 'expected a duration with its unit, such as "30s"' })
  .regex(/^\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h)$/, {
    error: 'expected a duration with its unit, such as "500ms", "30s", "20m" or "1h"',
  })
  .refine((text) => !(durationSeconds(text) > mostSeconds), { error: "expected at most 24 days, 576h" });

/** How long something may take, as people write it: some time at all. */
export const timeoutText = durationText.refine((text) => durationSeconds(text) !== 0, {
  error: 'expected a duration above 0, such as "30s"',
});

/** A duration as people write it, parsed to seconds. */
export const duration = durationText
  .transform(durationSeconds)
  .describe('A duration with its unit, at most 576h: "500ms", "30s", "20m", "1h"');

/** Seconds of a text that {@link duration} accepts. */
export function durationSeconds(text: string): number {
  const [, amount = "0", unit = "s"] = /^([\d.]+)([a-z]+)$/.exec(text) ?? [];
  return (Number(amount) * millisecondsPerUnit[unit as keyof typeof millisecondsPerUnit]) / 1000;
}

const bytesPerUnit = {
  ...{ B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 },
  ...{ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
} as const;

/** An amount of memory as people write it; see {@link byteSizeBytes}. */
export const byteSize = z
  .string({ error: 'expected a size with its unit, such as "10GiB"' })
  .regex(/^(?=.*[1-9])\d{1,12}(?:\.\d{1,6})?(?:[KMGT]i?)?B$/, {
    error: 'expected a size above 0 with its unit, such as "512MiB", "10GiB" or "1.5TB"',
    abort: true,
  })
  .refine((text) => byteSizeBytes(text) <= Number.MAX_SAFE_INTEGER, { error: "expected at most 8191TiB" })
  .describe('A size with its unit: "512MiB", "10GiB"');

/** Bytes of a text that {@link byteSize} accepts. */
export function byteSizeBytes(text: string): number {
  const [, amount = "0", unit = "B"] = /^([\d.]+)([A-Za-z]+)$/.exec(text) ?? [];
  return Math.max(1, Math.round(Number(amount) * bytesPerUnit[unit as keyof typeof bytesPerUnit]));
}

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

const registryForm = String.raw`(?=[^/]*[.:]|localhost(?:/|$))[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*`;

/** A registry of container images, or a folder of one. */
export const registry = z
  .string()
  .regex(new RegExp(`^${registryForm}$`), {
    error: "expected a registry, such as registry.example.net or registry.example.net:5000/hub, without https://",
  })
  .describe("A registry of container images, or a folder of one: `ghcr.io`, `registry.example.net:5000/hub`");

const imagePath = String.raw`[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*`;
const imageHost = String.raw`(?=[^/]*[.:]|localhost/)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::\d{1,5})?`;

/**
 * A container image by its name, of which addresses are made
 * (https://pkg.go.dev/github.com/distribution/reference#pkg-overview).
 */
export const imageReference = z
  .string()
  .max(400)
  .regex(new RegExp(`^(?:${imageHost}/)?${imagePath}(?:/${imagePath})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$`), {
    error: "expected the name of an image, such as registry/repository:tag, without a digest",
  })
  .describe("A container image, as registry/repository:tag");

/** What images' names begin with. Docker Hub's is `docker.io`, also of names that have no registry. */
export const publicRegistry = z
  .string()
  .regex(new RegExp(`^(?!(?:index|registry-1)\\.docker\\.io(?:/|$))${registryForm}$`), {
    error: "expected a registry, such as docker.io or ghcr.io/ggml-org; Docker Hub is docker.io",
  })
  .describe("A registry, or a folder of one; `docker.io` is that of names without a registry");

/** A registry alone, without a folder: what a login is for. Docker Hub is `docker.io`. */
export const registryHost = z
  .string()
  .regex(/^(?!(?:index|registry-1)\.docker\.io$)(?=.*[.:]|localhost$)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?$/, {
    error:
      "expected a registry without a folder, such as ghcr.io or registry.example.net:5000; Docker Hub is docker.io",
  })
  .describe("A registry, such as `ghcr.io` or `registry.example.net:5000`");

export const registryUser = z
  .string()
  // What comes before the first colon of a login is the user.
  .regex(/^[^:\s\u0000-\u001f\u007f]{1,256}$/, { error: "expected a user's name without colons and blanks" })
  .describe("User of the registry, as `docker login --username` takes it; $oauthtoken is one");

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

/** What is done about something that a state does not know of. */
export const adoption = z.enum(["never", "ifLabelled", "always"]);
