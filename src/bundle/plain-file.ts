/** Files that somebody else may have made: read without following links, and without waiting for a writer. */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

import { systemCode } from "../lib/errors.js";

type Handle = Awaited<ReturnType<typeof open>>;

/** A file's content; or why it cannot be had, as the end of a sentence. */
export async function readPlain(path: string, mostBytes: number): Promise<Uint8Array | string> {
  return withPlain(path, async (file) => {
    const { size } = await file.stat();
    return size > mostBytes ? `has ${size} bytes, expected at most ${mostBytes}` : readFile(file);
  });
}

/** What is wrong with a file, as the end of a sentence; undefined when it has the SHA-256 and the size. */
export async function findFileDamage(
  path: string,
  sha256: string,
  sizeBytes: number | undefined,
  signal?: AbortSignal,
): Promise<string | undefined> {
  return withPlain(path, async (file) => {
    const { size } = await file.stat();
    if (sizeBytes !== undefined && size !== sizeBytes) return `has ${size} bytes, expected ${sizeBytes}`;
    const hash = createHash("sha256");
    const content = file.createReadStream({ autoClose: false, highWaterMark: 1 << 20 });
    await pipeline(content, hash, signal === undefined ? {} : { signal });
    const found = hash.digest("hex");
    return found === sha256 ? undefined : `has sha256 ${found}`;
  });
}

async function withPlain<T>(path: string, use: (file: Handle) => Promise<T>): Promise<T | string> {
  let file: Handle | undefined;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    return (await file.stat()).isFile() ? await use(file) : "is not a file";
  } catch (error) {
    const reason = reasons[systemCode(error) ?? ""];
    if (reason === undefined) throw error;
    return reason;
  } finally {
    await file?.close();
  }
}

const reasons: Readonly<Record<string, string | undefined>> = {
  ENOENT: "is missing",
  ENOTDIR: "is missing",
  ELOOP: "is a symbolic link",
  EACCES: "may not be read by this user",
  EPERM: "may not be read by this user",
  EISDIR: "is not a file",
  ENXIO: "is not a file",
  // The disk, or the way to it.
  EIO: "cannot be read: the disk has an error there",
  ESTALE: "cannot be read: the disk was taken away",
  ENODEV: "cannot be read: the disk was taken away",
};
