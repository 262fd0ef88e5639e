import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { execa } from "execa";

/** A member of an archive. Names, modes and targets are written as they are, however wrong. */
export interface Member {
  readonly name: string;
  readonly kind?: "file" | "folder" | "link" | "hardLink" | "device" | "pipe" | "unknown";
  readonly text?: string;
  /** Instead of a text, so many zero bytes. */
  readonly zeros?: number;
  /** Permission bits. Null leaves modes out, as zip files of Windows do. */
  readonly mode?: number | null;
  readonly target?: string;
  /** Bytes of extended attributes, in tar archives. */
  readonly attributes?: number;
  /** In zip archives. */
  readonly compression?: "ZIP_STORED" | "ZIP_BZIP2" | "ZIP_LZMA";
}

export type ArchiveFormat = "tar.gz" | "tar.xz" | "zip";

export interface ArchiveRequest {
  readonly format: ArchiveFormat;
  readonly members: readonly Member[];
}

/** Makes archives by Python's own libraries, all in one go. */
export async function makeArchives(requests: readonly ArchiveRequest[]): Promise<Buffer[]> {
  const folder = await mkdtemp(join(tmpdir(), "berth-archives-"));
  try {
    const named = requests.map((request, index) => ({ ...request, path: join(folder, String(index)) }));
    const script = fileURLToPath(new URL("archives.py", import.meta.url));
    await execa("python3", ["-I", script], { input: JSON.stringify(named) });
    return await Promise.all(named.map(({ path }) => readFile(path)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function makeArchive(format: ArchiveFormat, members: readonly Member[]): Promise<Buffer> {
  const [archive = Buffer.alloc(0)] = await makeArchives([{ format, members }]);
  return archive;
}
