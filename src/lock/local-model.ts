import { open, readdir, readFile, stat, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { BerthError, systemCode } from "../lib/errors.js";
import type { ModelFiles } from "./model-memory.js";

/**
 * The files of a folder, or of the folder of a file, as those of a repository.
 *
 * @throws BerthError `file-not-found`
 */
export async function openLocalModel(path: string): Promise<ModelFiles & { readonly name: string | undefined }> {
  const found = await stat(path).catch((error: unknown) => {
    throw systemCode(error) === "ENOENT" ? missing(path) : error;
  });
  const folder = found.isDirectory() ? path : dirname(path);
  const entries = await readdir(folder, { withFileTypes: true });
  const files = await Promise.all(
    entries
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith("."))
      .map(async ({ name }) => {
        const { size } = await stat(join(folder, name));
        return { path: name, sizeBytes: size, sha256: undefined, gitSha1: undefined };
      }),
  );
  return {
    name: found.isDirectory() ? undefined : basename(path),
    files,
    read: (name) => readFile(join(folder, name)),
    readRange: (name, offset, bytes) =>
      withFile(join(folder, name), async (file) => {
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(bytes), 0, bytes, offset);
        return buffer.subarray(0, bytesRead);
      }),
  };
}

async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

function missing(path: string): BerthError {
  return new BerthError("file-not-found", {
    where: path,
    what: "there is no such file or folder, and it is no repository of the Hub",
    hint: "name a GGUF file, a folder with a model, or a repository as OWNER/NAME",
  });
}
