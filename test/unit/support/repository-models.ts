import { lockedModel, type LockedModel } from "../../../src/schema/model.js";

/** A locked model of a repository, of files with such paths. */
export function repositoryModel(paths: readonly string[], changes: Partial<LockedModel> = {}): LockedModel {
  const files = paths.map((path, index) => ({ path, sizeBytes: 1, sha256: String(index % 10).repeat(64) }));
  const from = { source: "huggingface", repo: "acme/tiny", revision: "main", commit: "c".repeat(40), files };
  return lockedModel.parse({ from, file: ".", sha256: "b".repeat(64), ...changes });
}
