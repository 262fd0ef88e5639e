import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, open, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { downloadFile } from "../host/download.js";
import { LocalPart } from "../host/part-file.js";
import { isWebPage } from "../install/web-page.js";
import { BerthError } from "../lib/errors.js";
import type { BinaryArtifact } from "../schema/backend.js";

export interface ReleaseFile {
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** A file of a release that nothing pins yet. */
export interface ReleaseRequest {
  readonly url: string;
  /** Whether the executable is in it; otherwise it is the executable. */
  readonly isArchive: boolean;
  /** Most that it may have, bytes. */
  readonly maxBytes: number;
}

/** How the archives that Berth unpacks begin: tar.gz, tar.xz and zip. */
const archiveBeginnings: readonly (readonly number[])[] = [
  [0x1f, 0x8b],
  [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
  [0x50, 0x4b, 0x03, 0x04],
];

/** What a page, or anything else that is in the place of a file, is told by, bytes. */
const beginningBytes = 512;

/** A bundle with a certificate and a log's proofs has less than 20 kB. */
const mostSignatureBytes = 1024 * 1024;

/** What is to be fetched of an artifact. What is packed is not larger than what comes out of it. */
export function releaseRequest(artifact: BinaryArtifact, url: string): ReleaseRequest {
  const { executable, sizeBytes, unpackedBytes } = artifact;
  return { url, isArchive: executable !== undefined, maxBytes: sizeBytes ?? unpackedBytes };
}

/**
 * Fetches a file of a release to this machine, once, to learn the SHA-256 and size that a version is pinned by.
 *
 * @throws BerthError `download-failed` if it cannot be fetched, is larger than it may be, is no archive where the backend
 * file names an executable in it, or is a web page: what asks for a login must not become what is pinned
 */
export async function fetchReleaseFile(request: ReleaseRequest, signal?: AbortSignal): Promise<ReleaseFile> {
  return withDownload(request, signal, async (path) => {
    assertRelease(await readBeginning(path), request);
    const hash = createHash("sha256");
    await pipeline(createReadStream(path), hash, signal === undefined ? {} : { signal });
    return { sha256: hash.digest("hex"), sizeBytes: (await stat(path)).size };
  });
}

/**
 * Fetches what lies beside a file of a release: the text of its signature; undefined when the server has none.
 *
 * @throws BerthError `download-failed` if it cannot be fetched, or is too large for a signature
 */
export async function fetchSignature(url: string, signal?: AbortSignal): Promise<string | undefined> {
  try {
    return await withDownload({ url, maxBytes: mostSignatureBytes }, signal, (path) => readFile(path, "utf8"));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** What is fetched is gone when it was looked at. */
async function withDownload<T>(
  { url, maxBytes }: Pick<ReleaseRequest, "url" | "maxBytes">,
  signal: AbortSignal | undefined,
  look: (path: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "berth-release-"));
  const path = join(folder, "file");
  try {
    await downloadFile(url, new LocalPart(path), { maxBytes, ...(signal === undefined ? {} : { signal }) });
    return await look(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether a server says that it does not have a file. Anything else may be otherwise the next time. */
export function isNotFound(error: unknown): error is BerthError {
  return (
    error instanceof BerthError && error.code === "download-failed" && /\b(?:404|410)\b/.test(error.parts.got ?? "")
  );
}

async function readBeginning(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(beginningBytes), 0, beginningBytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function assertRelease(beginning: Buffer, { url, isArchive }: ReleaseRequest): void {
  const text = beginning.toString("latin1");
  if (isArchive) {
    if (archiveBeginnings.some((bytes) => bytes.every((byte, at) => beginning[at] === byte))) return;
    throw new BerthError("download-failed", {
      where: url,
      what: "what the server gives is no archive, and the backend file names an executable in it",
      got: isWebPage(text) ? "an HTML page" : `a file that begins with ${JSON.stringify(text.slice(0, 16))}`,
      expected: "a tar.gz, tar.xz or zip archive",
      hint: "check the address: a page that asks for a login may be in its place; leave `executable` out if the file is the executable itself",
    });
  }
  if (beginning.length > 0 && !isWebPage(text)) return;
  throw new BerthError("download-failed", {
    where: url,
    what: "what the server gives is no executable",
    got: beginning.length === 0 ? "an empty file" : "an HTML page",
    hint: "open the address in a browser: it may be wrong, or something on the way, such as a proxy, asks for a login",
  });
}
