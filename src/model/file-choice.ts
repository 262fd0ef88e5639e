import type { ModelFormat } from "../catalog/selection.js";
import { BerthError } from "../lib/errors.js";
import { formatBytes } from "../lib/format.js";
import { findGgufModels, isProjector, type GgufModel } from "./gguf-files.js";
import type { RepositoryFile } from "./repository.js";

/** What of a repository a model is. */
export interface FileChoice {
  /** By path. */
  readonly files: readonly RepositoryFile[];
  readonly format: ModelFormat;
  /** What the engine is given: a GGUF file, the first of its parts, or `.` for the folder. */
  readonly file: string;
  /** The file that reads images or sound for a GGUF model. */
  readonly projector: string | undefined;
}

/**
 * Chooses the files of a model. Pure. With patterns, those that one of them matches. Without, safetensors count before
 * GGUF, and these before PyTorch's files, as vLLM and the Hub itself prefer them; beside weights in folders go the
 * configuration and the tokenizer, and copies for other frameworks stay behind.
 *
 * @throws BerthError `model-unavailable` if there is no model among the files; `stack-inconsistent` if there are several
 */
export function chooseFiles(
  all: readonly RepositoryFile[],
  patterns: readonly string[] | undefined,
  where: string,
): FileChoice {
  const sorted = [...all].sort((a, b) => (a.path < b.path ? -1 : 1));
  const offered = patterns === undefined ? sorted.filter(isOriginal) : sorted.filter(matching(patterns));
  const safetensors = offered.filter(({ path }) => /\.safetensors$/i.test(path));
  if (safetensors.length > 0) {
    const chosen = patterns === undefined ? [...withoutTwins(safetensors), ...offered.filter(isCompanion)] : offered;
    return folderOf("safetensors", chosen);
  }
  const gguf = offered.filter(({ path }) => /\.gguf$/i.test(path));
  if (gguf.length > 0) return chooseGguf(gguf, offered, patterns, where);
  const pytorch = offered.filter(({ path }) => isPytorch(path));
  if (pytorch.length > 0)
    return folderOf("other", patterns === undefined ? [...pytorch, ...offered.filter(isCompanion)] : offered);
  if (patterns !== undefined && offered.length > 0) return folderOf("other", offered);
  throw nothingToServe(sorted, patterns, where);
}

/** Whether a path matches a pattern as huggingface_hub's `allow_patterns` do: `*` stands for any text, also slashes. */
export function matchesPattern(path: string, pattern: string): boolean {
  const source = pattern
    .replace(/\*+/g, "*")
    .replace(/[.+^$()|]/g, String.raw`\$&`)
    .replaceAll("?", ".")
    .replaceAll("*", ".*");
  return new RegExp(`^${source}$`, "s").test(path);
}

function matching(patterns: readonly string[]) {
  return ({ path }: RepositoryFile) => patterns.some((pattern) => matchesPattern(path, pattern));
}

/** Folders in which repositories keep the same weights for something else, and what training left. */
const copies = /(?:^|\/)(?:onnx|openvino|coreml|original|metal|flax|tf|runs|checkpoint-\d+)\//i;

function isOriginal({ path }: RepositoryFile): boolean {
  return !copies.test(path) && !path.split("/").some((part) => part.startsWith("."));
}

/** Configuration, tokenizer, template and the code that some models bring. */
function isCompanion({ path }: RepositoryFile): boolean {
  return /\.(?:json|txt|model|jinja|tiktoken|py|vocab|spm|bpe|ya?ml)$/i.test(path);
}

function isPytorch(path: string): boolean {
  return (
    /\.(?:bin|pt|pth)$/i.test(path) && !/(?:^|\/)(?:training_args|optimizer|scheduler|rng_state)[^/]*$/i.test(path)
  );
}

/**
 * Weights that are there twice: Mistral's own `consolidated*.safetensors` beside `model*.safetensors`, and diffusers'
 * variants such as `model.fp16.safetensors` beside `model.safetensors`.
 */
function withoutTwins(weights: readonly RepositoryFile[]): RepositoryFile[] {
  const paths = new Set(weights.map(({ path }) => path));
  const folder = (path: string) => path.slice(0, path.lastIndexOf("/") + 1);
  const withModel = new Set([...paths].filter((path) => /(?:^|\/)model[^/]*$/.test(path)).map(folder));
  return weights.filter(({ path }) => {
    if (/(?:^|\/)consolidated[^/]*$/.test(path)) return !withModel.has(folder(path));
    const plain = path.replace(/\.(?:fp16|bf16|fp32|non_ema)(?=[.-])/, "");
    return plain === path || !paths.has(plain);
  });
}

function folderOf(format: ModelFormat, files: readonly RepositoryFile[]): FileChoice {
  const [only, ...others] = [...new Set(files)].sort((a, b) => (a.path < b.path ? -1 : 1));
  if (only === undefined) throw new Error("a folder without files");
  return { files: [only, ...others], format, file: ".", projector: undefined };
}

function chooseGguf(
  gguf: readonly RepositoryFile[],
  offered: readonly RepositoryFile[],
  patterns: readonly string[] | undefined,
  where: string,
): FileChoice {
  const models = findGgufModels(gguf, where);
  const [model, ...others] = models;
  if (model === undefined) throw nothingToServe(offered, patterns, where);
  if (others.length > 0) throw severalModels(models, patterns, where);
  const projector = chooseProjector(
    gguf.filter(({ path }) => isProjector(path)),
    patterns,
    where,
  );
  const files = [...model.files, ...(projector === undefined ? [] : [projector])];
  const sorted = files.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { files: sorted, format: "gguf", file: model.path, projector: projector?.path };
}

/** Of several, which differ in precision only, the half-precision one: it is what models are trained in, nearly. */
function chooseProjector(
  projectors: readonly RepositoryFile[],
  patterns: readonly string[] | undefined,
  where: string,
): RepositoryFile | undefined {
  const [only, ...others] = projectors;
  if (others.length === 0) return only;
  const half = projectors.filter(({ path }) => /[-_.]f16\.gguf$/i.test(path));
  if (half.length === 1) return half[0];
  throw new BerthError("stack-inconsistent", {
    where,
    what: "the repository holds several projectors (mmproj), and an engine is given one",
    got: patterns === undefined ? "no `files`" : patterns.join(", "),
    hint: "name the model and one of these in `files`",
    detail: projectors.map(({ path, sizeBytes }) => `${path} (${formatBytes(sizeBytes)})`).join("\n"),
  });
}

function severalModels(
  models: readonly GgufModel[],
  patterns: readonly string[] | undefined,
  where: string,
): BerthError {
  const example = models.find(({ path }) => /Q4_K_M/i.test(path)) ?? models[0];
  return new BerthError("stack-inconsistent", {
    where,
    what: "the repository holds several GGUF models, such as quantisations, and an engine is given one",
    got: patterns === undefined ? "no `files`" : patterns.join(", "),
    hint: `name one, such as \`files: ["${example?.pattern ?? ""}"]\`, with its projector (mmproj) if it has one`,
    detail: models.map(({ path, sizeBytes }) => `${path} (${formatBytes(sizeBytes)})`).join("\n"),
  });
}

const mostListed = 40;

function nothingToServe(
  files: readonly RepositoryFile[],
  patterns: readonly string[] | undefined,
  where: string,
): BerthError {
  const more = files.length > mostListed ? [`and ${files.length - mostListed} more`] : [];
  return new BerthError("model-unavailable", {
    where,
    what:
      patterns === undefined
        ? "the repository holds no weights that Berth knows"
        : "no file of the repository matches the patterns",
    ...(patterns === undefined ? {} : { got: patterns.join(", ") }),
    expected: "safetensors, GGUF or PyTorch files",
    hint: "name the files that make the model: `files: [...]`",
    detail: [...files.slice(0, mostListed).map(({ path }) => path), ...more].join("\n"),
  });
}
