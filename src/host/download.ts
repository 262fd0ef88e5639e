import { Readable, Transform } from "node:stream";

import pRetry, { AbortError } from "p-retry";

import { BerthError, messageOf, systemCode } from "../lib/errors.js";
import { formatBytes } from "../lib/format.js";
import { brokenOff, diskFull, endlessRedirects, isTransientStatus, refusal, tooLarge } from "./download-failure.js";
import type { DownloadOptions } from "./host.js";
import type { PartFile } from "./part-file.js";
import { defaultPace, TransferWatch, type DownloadPace } from "./transfer-watch.js";

interface Download {
  readonly url: string;
  readonly part: PartFile;
  readonly options: DownloadOptions;
  readonly pace: DownloadPace;
  /** How far it is, bytes. */
  current: number;
  /** As the server told last. */
  total: number | undefined;
}

/**
 * This machine fetches a URL into a file of its own or of a host. A file that is there already is taken as the beginning
 * and the rest is asked for by range; a server without ranges sends it whole. Broken transfers are retried from where
 * they stopped.
 */
export async function downloadFile(
  url: string,
  part: PartFile,
  options: DownloadOptions,
  pace: DownloadPace = defaultPace,
): Promise<void> {
  const download: Download = { url, part, options, pace, current: 0, total: undefined };
  try {
    await pRetry(() => fetchRest(download), {
      retries: pace.retries,
      minTimeout: pace.firstWaitSeconds * 1000,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  } catch (error) {
    if (options.signal?.aborted === true) throw options.signal.reason;
    throw error instanceof BerthError ? error : brokenOff(download, describeCause(error), error);
  }
}

async function fetchRest(download: Download): Promise<void> {
  const { part, options, pace } = download;
  const begun = await usableSize(download);
  const watch = new TransferWatch(pace);
  const signals = [watch.signal, ...(options.signal === undefined ? [] : [options.signal])];
  try {
    const response = await ask(download, begun, AbortSignal.any(signals));
    if (response.status === 416 && completeSize(response) === begun) return;
    if (response.status === 416 || !beginsAt(response, begun)) {
      await part.empty();
      throw new Error("the server does not have the range that is missing");
    }
    if (!response.ok || response.body === null) {
      const error = refusal(download.url, response.status);
      throw isTransientStatus(response.status) ? error : new AbortError(error);
    }
    await receive(download, response, response.body, watch);
  } catch (error) {
    if (systemCode(error) === "ENOSPC") throw new AbortError(diskFull(part.path));
    throw error;
  } finally {
    watch.stop();
  }
}

async function ask({ url, options }: Download, begun: number, signal: AbortSignal): Promise<Response> {
  // A server that packs what it sends gives other sizes than those of the file.
  const sizes = { "accept-encoding": "identity", ...(begun > 0 ? { range: `bytes=${begun}-` } : {}) };
  // Fetch leaves out `authorization` when it follows a redirect to another origin (Fetch standard, HTTP-redirect fetch).
  const headers = { ...options.headers, ...sizes };
  try {
    return await fetch(url, { headers, signal });
  } catch (error) {
    if (!/redirect count exceeded/.test(messageOf(causeOf(error)))) throw error;
    throw new AbortError(endlessRedirects(url, error));
  }
}

async function receive(
  download: Download,
  response: Response,
  body: NonNullable<Response["body"]>,
  watch: TransferWatch,
): Promise<void> {
  const { part, options } = download;
  if (response.status !== 206) await part.empty();
  download.current = await part.size();
  download.total = totalOf(response, download.current);
  const { total } = download;
  if (total !== undefined) {
    assertWithin(download, total, `${total} bytes`);
    const free = await part.freeBytes();
    const missing = total - download.current;
    const figures = { got: `${formatBytes(free)} free`, expected: `${formatBytes(missing)} for what is missing` };
    if (missing > free) throw new AbortError(diskFull(part.path, figures));
  }
  const progress = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      watch.received(chunk.byteLength);
      download.current += chunk.byteLength;
      options.onProgress?.(download.current, total);
      if (exceeds(download, download.current)) {
        done(tooLarge(download.url, `${download.current} bytes and no end`, options.maxBytes));
      } else {
        done(null, chunk);
      }
    },
  });
  try {
    await part.append([Readable.fromWeb(body), progress]);
  } catch (error) {
    // What has become too large is not the beginning of the file.
    if (exceeds(download, download.current)) await part.remove();
    throw error instanceof BerthError ? new AbortError(error) : error;
  }
  if (total !== undefined && download.current < total) throw new Error("the server ended the transfer early");
}

function assertWithin(download: Download, size: number, got: string): void {
  if (exceeds(download, size)) throw new AbortError(tooLarge(download.url, got, download.options.maxBytes));
}

function exceeds({ options: { maxBytes } }: Download, size: number): boolean {
  return maxBytes !== undefined && size > maxBytes;
}

/** How much of the file is there. More than it can have is nothing that it begins with. */
async function usableSize({ part, options: { maxBytes } }: Download): Promise<number> {
  const size = await part.size();
  if (maxBytes === undefined || size <= maxBytes) return size;
  await part.empty();
  return 0;
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

function describeCause(error: unknown): string {
  const cause = causeOf(error);
  const code = systemCode(cause);
  return code === undefined ? messageOf(cause) : `${code}: ${messageOf(cause)}`;
}

/** What fetch and streams wrap is the reason. */
function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}
