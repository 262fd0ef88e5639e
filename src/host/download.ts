import { createWriteStream } from "node:fs";
import { mkdir, rm, stat, statfs, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

import pRetry, { AbortError } from "p-retry";

import { BerthError, messageOf, systemCode } from "../lib/errors.js";
import type { DownloadOptions } from "./host.js";
import { defaultPace, TransferWatch, type DownloadPace } from "./transfer-watch.js";

const transientStatus = new Set([408, 425, 429, 500, 502, 503, 504]);
/** The Fetch standard's own limit. */
const mostRedirects = 20;

interface Download {
  readonly url: string;
  readonly path: string;
  readonly options: DownloadOptions;
  readonly pace: DownloadPace;
  /** How far it is, bytes. */
  current: number;
  /** As the server told last. */
  total: number | undefined;
}

/**
 * Fetches a URL into a file. A file that is there already is taken as the beginning and the rest is asked for by
 * range; a server without ranges sends it whole. Broken transfers are retried from where they stopped.
 */
export async function downloadFile(
  url: string,
  path: string,
  options: DownloadOptions,
  pace: DownloadPace = defaultPace,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const download: Download = { url, path, options, pace, current: 0, total: undefined };
  try {
    await pRetry(() => fetchRest(download), {
      retries: pace.retries,
      minTimeout: pace.firstWaitSeconds * 1000,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  } catch (error) {
    if (options.signal?.aborted === true) throw options.signal.reason;
    throw error instanceof BerthError ? error : brokenOff(download, error);
  }
}

async function fetchRest(download: Download): Promise<void> {
  const { path, options, pace } = download;
  const begun = await usableSize(download);
  const watch = new TransferWatch(pace);
  const signals = [watch.signal, ...(options.signal === undefined ? [] : [options.signal])];
  try {
    const response = await ask(download, begun, AbortSignal.any(signals));
    if (response.status === 416 && completeSize(response) === begun) return;
    if (response.status === 416 || !beginsAt(response, begun)) {
      await truncate(path, 0);
      throw new Error("the server does not have the range that is missing");
    }
    if (!response.ok || response.body === null) throw refusal(download.url, response.status);
    await receive(download, response, response.body, watch);
  } catch (error) {
    if (systemCode(error) === "ENOSPC") throw new AbortError(diskFull(path));
    throw error;
  } finally {
    watch.stop();
  }
}

async function ask({ url }: Download, begun: number, signal: AbortSignal): Promise<Response> {
  // A server that packs what it sends gives other sizes than those of the file.
  const headers = { "accept-encoding": "identity", ...(begun > 0 ? { range: `bytes=${begun}-` } : {}) };
  try {
    return await fetch(url, { headers, signal });
  } catch (error) {
    if (!/redirect count exceeded/.test(messageOf(causeOf(error)))) throw error;
    throw new AbortError(
      new BerthError("download-failed", {
        where: url,
        what: "the server redirects without end",
        got: `more than ${mostRedirects} redirects`,
        expected: "the file",
        hint: "check the address in a browser: the server, or something on the way such as a login page, is set up wrong",
        cause: error,
      }),
    );
  }
}

async function receive(
  download: Download,
  response: Response,
  body: NonNullable<Response["body"]>,
  watch: TransferWatch,
): Promise<void> {
  const { path, options } = download;
  const resumed = response.status === 206;
  download.current = resumed ? await sizeOf(path) : 0;
  download.total = totalOf(response, download.current);
  const { total } = download;
  if (total !== undefined) {
    assertWithin(download, total, `${total} bytes`);
    if (total - download.current > (await freeBytes(path))) throw new AbortError(diskFull(path));
  }
  const progress = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      watch.received(chunk.byteLength);
      download.current += chunk.byteLength;
      options.onProgress?.(download.current, total);
      done(tooLarge(download, download.current, `${download.current} bytes and no end`), chunk);
    },
  });
  try {
    await pipeline(Readable.fromWeb(body), progress, createWriteStream(path, { flags: resumed ? "a" : "w" }));
  } catch (error) {
    // What has become too large is not the beginning of the file.
    if (error instanceof BerthError) await rm(path, { force: true });
    throw error instanceof BerthError ? new AbortError(error) : error;
  }
  if (total !== undefined && download.current < total) throw new Error("the server ended the transfer early");
}

function assertWithin(download: Download, size: number, got: string): void {
  const error = tooLarge(download, size, got);
  if (error !== null) throw new AbortError(error);
}

function tooLarge({ url, options: { maxBytes } }: Download, size: number, got: string): BerthError | null {
  if (maxBytes === undefined || size <= maxBytes) return null;
  return new BerthError("download-failed", {
    where: url,
    what: "the server sends more than the file can have",
    got,
    expected: `at most ${maxBytes} bytes`,
    hint: "check the address, and the size that is pinned for it",
  });
}

function refusal(url: string, status: number): Error {
  const error = new BerthError("download-failed", {
    where: url,
    what: "the server refused the download",
    got: `HTTP status ${status}`,
    expected: "200 or 206",
    hint: status === 404 ? "check the address" : "check that the address can be read without a login",
  });
  return transientStatus.has(status) ? error : new AbortError(error);
}

function brokenOff({ url, current, total }: Download, error: unknown): BerthError {
  const cause = causeOf(error);
  const code = systemCode(cause);
  const reason = code === undefined ? messageOf(cause) : `${code}: ${messageOf(cause)}`;
  return new BerthError("download-failed", {
    where: url,
    what: "the download failed",
    got: total === undefined ? reason : `${current} of ${total} bytes, then ${reason}`,
    ...(total === undefined ? {} : { expected: `${total} bytes` }),
    hint: "check that this machine reaches the address, then run it again: the download goes on where it stopped",
    cause: error,
  });
}

export function diskFull(path: string): BerthError {
  return new BerthError("disk-full", {
    where: path,
    what: "no space is left on the host's disk",
    hint: "free some space on that file system, or give the host another dataDir, and run it again",
  });
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(dirname(path));
  return bavail * bsize;
}

/** How much of the file is there. More than it can have is nothing that it begins with. */
async function usableSize({ path, options: { maxBytes } }: Download): Promise<number> {
  const size = await sizeOf(path);
  if (maxBytes === undefined || size <= maxBytes) return size;
  await truncate(path, 0);
  return 0;
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return 0;
    throw error;
  }
}

function totalOf(response: Response, begun: number): number | undefined {
  const length = response.headers.get("content-length");
  return length === null || response.headers.has("content-encoding") ? undefined : Number(length) + begun;
}

function completeSize(response: Response): number | undefined {
  const total = /\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1];
  return total === undefined ? undefined : Number(total);
}

/** Whether a range is the one that was asked for; anything else than a range is. */
function beginsAt(response: Response, begun: number): boolean {
  const start = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
  return response.status !== 206 || start === undefined || Number(start) === begun;
}

/** What fetch and streams wrap is the reason. */
function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}
