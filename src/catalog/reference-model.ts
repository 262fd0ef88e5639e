import type { Json } from "../lib/canonical.js";
import { modelSource } from "../schema/model.js";
import type { ReferenceModel } from "./reference-export.js";

/** What a stack file can say of a model's source. */
export interface ConvertedSource {
  /** Undefined where nothing can be said. */
  readonly model: Record<string, Json> | undefined;
  /** What a person must still say. */
  readonly toComplete: string | undefined;
}

/** A GGUF model is one file; others are folders. */
export function isGguf(model: ReferenceModel): boolean {
  const files = [model.huggingface_filename, model.model_scope_file_path, model.local_path];
  return model.source === "ollama_library" || files.some((file) => file?.toLowerCase().endsWith(".gguf") === true);
}

/**
 * A model's source, as far as Berth has one like it. GPUStack pins no model: the SHA-256 of a file is missing, and the
 * lock finds out those of a repository.
 */
export function convertSource(model: ReferenceModel): ConvertedSource {
  switch (model.source) {
    case "huggingface":
      return fromHub(model.huggingface_repo_id ?? "", model.huggingface_filename ?? undefined);
    case "model_scope":
      return none(`${model.model_scope_file_path ?? "all files"} of ${model.model_scope_model_id ?? ""} on ModelScope`);
    case "local_path":
      return fromPath(model.local_path ?? "");
    case "ollama_library":
      return none(`the model ${model.ollama_library_model_name ?? ""} of the Ollama library`);
    default:
      return none(`a model from ${model.source}`);
  }
}

const digestMissing = "the model's sha256";

/** Files are patterns in both. Of a model that was split GPUStack names the first part, and means all. */
function fromHub(repo: string, file: string | undefined): ConvertedSource {
  const pattern = file?.replace(/-\d{5}-of-(\d{5}\.gguf)$/i, "-*-of-$1");
  const model = {
    source: "huggingface",
    repo,
    ...(pattern === undefined || pattern === "" ? {} : { files: [pattern] }),
  };
  if (modelSource.safeParse(model).success) return { model, toComplete: undefined };
  return none(`${file ?? "all files"} of ${repo} on Hugging Face`);
}

function fromPath(path: string): ConvertedSource {
  const isFile = /^\/(?:.*\/)?[^/]+\.(?:gguf|safetensors|bin|pt|pth|onnx)$/i.test(path);
  return isFile
    ? { model: { source: "file", path }, toComplete: digestMissing }
    : none(`the folder ${path} of a worker`);
}

function none(what: string): ConvertedSource {
  return { model: undefined, toComplete: `the model: GPUStack has ${what}, which Berth has no source for` };
}
