import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { downloadFile } from "../host/download.js";
import { BerthError } from "../lib/errors.js";

export interface ReleaseFile {
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** How the archives that Berth unpacks begin. */
const beginnings: readonly { ending: RegExp; bytes: readonly number[] }[] = [
  { ending: /\.(?:tar\.gz|tgz)$/, bytes: [0x1f, 0x8b] },
  { ending: /\.tar\.xz$/, bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { ending: /\.zip$/, bytes: [0x50, 0x4b, 0x03, 0x04] },
];

/**
 * Fetches a file of a release to this machine, once, to learn the SHA-256 and size that a version is pinned by.
 *
 * @throws BerthError `download-failed` if it cannot be fetched, or is no archive though its name says so: a page that
 * asks for a login must not become what is pinned
 */
export async function fetchReleaseFile(url: string, signal?: AbortSignal): Promise<ReleaseFile> {
  const folder = await mkdtemp(join(tmpdir(), "berth-release-"));
  const path = join(folder, "file");
  try {
    await downloadFile(url, path, signal === undefined ? {} : { signal });
    await requireArchive(path, url);
    const hash = createHash("sha256");
    await pipeline(createReadStream(path), hash, signal === undefined ? {} : { signal });
    return { sha256: hash.digest("hex"), sizeBytes: (await stat(path)).size };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function requireArchive(path: string, url: string): Promise<void> {
  const expected = beginnings.find(({ ending }) => ending.test(new URL(url).pathname))?.bytes;
  if (expected === undefined) return;
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(expected.length), 0, expected.length, 0);
    if (bytesRead === expected.length && expected.every((byte, at) => buffer[at] === byte)) return;
    throw new BerthError("download-failed", {
      where: url,
      what: "what the server gives is not the archive that the name says",
      got: `a file that begins with ${JSON.stringify(buffer.subarray(0, bytesRead).toString("latin1"))}`,
      hint: "check the address; a page that asks for a login may be in its place",
    });
  } finally {
    await file.close();
  }
}
