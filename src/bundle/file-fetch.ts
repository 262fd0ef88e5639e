import { lstat } from "node:fs/promises";

import { fetchRelease } from "../install/binary.js";
import { bringModel } from "../install/model-files.js";
import type { LazyPythonContext } from "../install/python.js";
import type { ArchiveNeed, ModelNeed } from "../lock/needs.js";
import { describeOrigin } from "../model/origin-text.js";
import { filesOf, type PinnedFile } from "../model/repository.js";
import type { BundledFile } from "../schema/bundle.js";
import { fileName, type BundleFolder } from "./folder.js";

type OnProgress = (current: number, total: number | undefined) => void;

/** This machine, as what fetches. What is begun is in the bundle's own folder for it. */
export type FetchContext = Omit<LazyPythonContext, "dataDir">;

/** Brings the file of a release into a bundle, as a host would bring it into its cache. */
export async function fetchArchive(
  folder: BundleFolder,
  context: FetchContext,
  need: ArchiveNeed,
  onProgress: OnProgress,
): Promise<BundledFile> {
  const { sha256, sizeBytes, url, of } = need;
  if (!(await isThere(folder, sha256, sizeBytes, context.signal))) {
    const fetched = await fetchRelease({ ...context, dataDir: folder.partial }, need, onProgress);
    await folder.place(fetched, fileName(sha256));
  }
  return fileOf(folder, { sha256, kind: "archive", name: of, from: url.replace(/[?#].*$/s, "") });
}

/** Brings a model's files into a bundle. A model that is on the host already has none. */
export async function fetchModel(
  folder: BundleFolder,
  context: FetchContext,
  { model, indexUrl }: ModelNeed,
  token: string | undefined,
  onProgress: OnProgress,
): Promise<BundledFile[]> {
  const { from, file, sha256: identity } = model;
  if (from.source === "file") return [];
  const files = filesOf(model);
  const missing: PinnedFile[] = [];
  for (const each of files)
    if (!(await isThere(folder, each.sha256, each.sizeBytes, context.signal))) missing.push(each);
  if (missing.length > 0) {
    const rest =
      from.source === "huggingface" ? { ...from, files: from.files.filter((one) => isAmong(one, missing)) } : from;
    const model = { from: rest, file, sha256: identity, token };
    const found = await bringModel({ ...context, indexUrl, dataDir: folder.partial }, model, undefined, onProgress);
    const paths = new Map(missing.map(({ path, sha256 }) => [sha256, found.get(path)]));
    for (const [sha256, path] of paths) if (path !== undefined) await folder.place(path, fileName(sha256));
  }
  const distinct = [...new Map(files.map((each) => [each.sha256, each])).values()];
  return Promise.all(
    distinct.map(({ sha256, path }) =>
      fileOf(folder, { sha256, kind: "model", name: path, from: describeOrigin(from) }),
    ),
  );
}

function isAmong({ path }: { readonly path: string }, files: readonly { readonly path: string }[]): boolean {
  return files.some((file) => file.path === path);
}

async function isThere(
  folder: BundleFolder,
  sha256: string,
  sizeBytes: number | undefined,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  return (await folder.findDamage(fileName(sha256), sizeBytes, signal)) === undefined;
}

export async function fileOf(folder: BundleFolder, file: Omit<BundledFile, "sizeBytes">): Promise<BundledFile> {
  const { size } = await lstat(folder.at(fileName(file.sha256)));
  return { ...file, sizeBytes: size };
}
