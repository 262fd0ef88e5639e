import { BerthError } from "../lib/errors.js";
import type { RepositoryFile } from "./repository.js";

/** A GGUF model: one file, or the parts of one that was split. */
export interface GgufModel {
  /** The file, or the first part: llama.cpp finds the others by their names beside it. */
  readonly path: string;
  /** A pattern that matches its files alone. */
  readonly pattern: string;
  readonly files: readonly RepositoryFile[];
  readonly sizeBytes: number;
}

/** Names of parts as llama.cpp writes them: `gguf-split`, `llama_split_path` in llama.cpp. */
const partName = /^(?<prefix>.*)-(?<part>\d{5})-of-(?<parts>\d{5})\.gguf$/i;

/** A pattern of the file with this name, or of all parts of the model that it is a part of. */
export function partPattern(path: string): string {
  const { prefix, parts } = partName.exec(path)?.groups ?? {};
  return prefix === undefined ? path : `${prefix}-*-of-${parts ?? ""}.gguf`;
}

/** A model's projector, by the name that llama.cpp's conversion gives it (`convert_hf_to_gguf.py --mmproj`). */
export function isProjector(path: string): boolean {
  return baseOf(path).toLowerCase().includes("mmproj");
}

/**
 * The models among GGUF files, by path. Projectors and the importance matrices that quantisers leave are none.
 *
 * @throws BerthError `model-unavailable` when a part of one is missing
 */
export function findGgufModels(files: readonly RepositoryFile[], where: string): GgufModel[] {
  const groups = new Map<string, RepositoryFile[]>();
  for (const file of files) {
    if (isProjector(file.path) || /imatrix/i.test(baseOf(file.path))) continue;
    const key = partPattern(file.path);
    groups.set(key, [...(groups.get(key) ?? []), file]);
  }
  return [...groups].map(([pattern, group]) => {
    const sorted = group.sort((a, b) => (a.path < b.path ? -1 : 1));
    const [first] = sorted;
    if (first === undefined) throw new Error("a group without files");
    assertComplete(sorted, where);
    const sizeBytes = sorted.reduce((sum, file) => sum + file.sizeBytes, 0);
    return { path: first.path, pattern, files: sorted, sizeBytes };
  });
}

function assertComplete(files: readonly RepositoryFile[], where: string): void {
  const told = files.map(({ path }) => partName.exec(path)?.groups);
  const parts = Number(told[0]?.parts ?? 1);
  if (files.length === parts && told.every((group, index) => Number(group?.part ?? 1) === index + 1)) return;
  throw new BerthError("model-unavailable", {
    where,
    what: "a GGUF model that was split lacks parts",
    got: files.map(({ path }) => path).join(", "),
    expected: `${parts} parts`,
    hint: "check `files`, which must match all parts, or take another repository",
  });
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
