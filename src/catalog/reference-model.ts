import type { Json } from "../lib/canonical.js";
import type { ReferenceModel } from "./reference-export.js";

/** What a stack file can say of a model's source. */
export interface ConvertedSource {
  /** Undefined where nothing can be said. */
  readonly model: Record<string, Json> | undefined;
  /** What a person must still say. */
  readonly toComplete: string;
}

/** A GGUF model is one file; others are folders. */
export function isGguf(model: ReferenceModel): boolean {
  const files = [model.huggingface_filename, model.model_scope_file_path, model.local_path];
  return model.source === "ollama_library" || files.some((file) => file?.toLowerCase().endsWith(".gguf") === true);
}

/** A model's source, as far as Berth has one like it. GPUStack pins no model, so a SHA-256 is always missing. */
export function convertSource(model: ReferenceModel): ConvertedSource {
  switch (model.source) {
    case "huggingface":
      return fromHub("Hugging Face", model.huggingface_repo_id ?? "", model.huggingface_filename ?? undefined);
    case "model_scope":
      return fromHub("ModelScope", model.model_scope_model_id ?? "", model.model_scope_file_path ?? undefined);
    case "local_path":
      return fromPath(model.local_path ?? "");
    case "ollama_library":
      return none(`the model ${model.ollama_library_model_name ?? ""} of the Ollama library`);
    default:
      return none(`a model from ${model.source}`);
  }
}

const digestMissing = "the model's sha256";

function fromHub(hub: string, repository: string, file: string | undefined): ConvertedSource {
  if (file === undefined || file === "") return none(`all files of ${repository} on ${hub}`);
  const name = file.split("/").at(-1) ?? file;
  const isOneFile = /^[A-Za-z0-9._-]{1,200}$/.test(name) && !/-\d{5}-of-\d{5}\./.test(name);
  if (hub !== "Hugging Face" || !isOneFile || !/^[\w.-]+\/[\w.-]+$/.test(repository)) {
    return none(`${file} of ${repository} on ${hub}`);
  }
  const path = file.split("/").map(encodeURIComponent).join("/");
  const url = `https://huggingface.co/${repository}/resolve/main/${path}`;
  return { model: { source: "url", url, file: name }, toComplete: digestMissing };
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
