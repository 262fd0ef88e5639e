import { digest } from "../lib/canonical.js";
import type { LockedFile, LockedModel } from "../schema/model.js";

/** A file as a hub lists it. */
export interface RepositoryFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Undefined for a small file that the hub knows by Git's own digest alone. */
  readonly sha256: string | undefined;
  /** Git's SHA-1 of the file, when that is what the hub knows it by. */
  readonly gitSha1: string | undefined;
}

/**
 * A repository of models at one commit: all that a lock asks of a place that models come from. Hugging Face's Hub is
 * one; another hub, a registry or an object store is another implementation.
 */
export interface ModelRepository {
  readonly commit: string;
  /** What the hub says the model is for, such as `text-generation`. */
  readonly task: string | undefined;
  readonly files: readonly RepositoryFile[];
  /** The content of a file, or no more than its first bytes. Files larger than 64 MB are not read whole. */
  read(path: string, firstBytes?: number): Promise<Uint8Array>;
  /** So many bytes of a file from an offset on; fewer where it ends. */
  readRange(path: string, offset: number, bytes: number): Promise<Uint8Array>;
  /** The metadata of a GGUF file, read from its beginning by ranges. */
  readGguf(path: string): Promise<Readonly<Record<string, unknown>>>;
}

/** A model's identity by content: the SHA-256 of its one file; of several the digest of their paths and SHA-256s. */
export function identifyFiles(files: readonly LockedFile[]): string {
  const [only, ...others] = files;
  if (only !== undefined && others.length === 0) return only.sha256;
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  return digest(sorted.map(({ path, sha256 }) => ({ path, sha256 })));
}

/** The files of a model. The size of a single one that a person has pinned is not known. */
export function filesOf({ from, file, sha256 }: Pick<LockedModel, "from" | "file" | "sha256">): readonly PinnedFile[] {
  return from.source === "huggingface" ? from.files : [{ path: file, sha256, sizeBytes: undefined }];
}

/** `Qwen/Qwen3-0.6B` or `model.gguf`: what people know a model by. */
export function labelOf({ from, file }: Pick<LockedModel, "from" | "file">): string {
  return from.source === "huggingface" ? from.repo : file;
}

export interface PinnedFile {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number | undefined;
}

export const publicHub = "https://huggingface.co";

/**
 * Where a file of a repository is at a commit. The Hub's and its mirrors' address for downloads
 * (https://huggingface.co/docs/huggingface_hub/package_reference/file_download, `hf_hub_url`).
 */
export function fileAddress(
  {
    endpoint,
    repo,
    commit,
  }: { readonly endpoint?: string | undefined; readonly repo: string; readonly commit: string },
  path: string,
): string {
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  return `${(endpoint ?? publicHub).replace(/\/+$/, "")}/${repo}/resolve/${commit}/${encoded}`;
}
