import { Transform } from "node:stream";

import pRetry, { AbortError } from "p-retry";
import type { Agent, Dispatcher } from "undici";

import { BerthError, messageOf, systemCode } from "../lib/errors.js";
import { formatBytes } from "../lib/format.js";
import {
  brokenOff,
  diskFull,
  endlessRedirects,
  isTransientStatus,
  mostRedirects,
  refusal,
  tooLarge,
} from "./download-failure.js";
import type { DownloadOptions } from "./host.js";
import type { PartFile } from "./part-file.js";
import { defaultPace, TransferWatch, type DownloadPace } from "./transfer-watch.js";

interface Download {
  readonly url: string;
  readonly part: PartFile;
  readonly options: DownloadOptions;
  readonly pace: DownloadPace;
  /** What this try goes on from, bytes. */
  begun: number;
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
  const download: Download = { url, part, options, pace, begun: 0, current: 0, total: undefined };
  await part.makeFolder();
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
  // What takes time comes before the server is asked: what it sends then is taken at once.
  const [begun, freeBytes] = await Promise.all([usableSize(download), part.freeBytes()]);
  const watch = new TransferWatch(pace);
  const signals = [watch.signal, ...(options.signal === undefined ? [] : [options.signal])];
  try {
    const response = await ask(download, begun, AbortSignal.any(signals));
    const { statusCode: status } = response;
    if (status === 416 && completeSize(response) === begun) return;
    if (status === 416 || !beginsAt(response, begun)) {
      await part.cut(0);
      throw new Error("the server does not have the range that is missing");
    }
    if (status >= 300 && status < 400) throw new AbortError(endlessRedirects(download.url));
    if (status < 200 || status > 299) {
      const error = refusal(download.url, status);
      throw isTransientStatus(status) ? error : new AbortError(error);
    }
    const isRest = status === 206;
    if (!isRest && begun > 0) await part.cut(0);
    download.begun = isRest ? begun : 0;
    download.current = download.begun;
    await receive(download, response, watch, isRest ? freeBytes : freeBytes + begun);
  } catch (error) {
    if (systemCode(error) !== "ENOSPC") throw error;
    await part.cut(download.begun);
    throw new AbortError(diskFull(part.path));
  } finally {
    watch.stop();
  }
}

type Response = Dispatcher.ResponseData;

/** It follows redirects; `authorization` it leaves out when one leads to another origin. The watch knows about time. */
let agent: Agent | undefined;

async function ask({ url, options }: Download, begun: number, signal: AbortSignal): Promise<Response> {
  // A server that packs what it sends gives other sizes than those of the file.
  const sizes = { "accept-encoding": "identity", ...(begun > 0 ? { range: `bytes=${begun}-` } : {}) };
  // Most runs download nothing, and loading it takes a while.
  const undici = await import("undici");
  agent ??= new undici.Agent({ maxRedirections: mostRedirects, headersTimeout: 0, bodyTimeout: 0 });
  const response = await undici.request(url, { headers: { ...options.headers, ...sizes }, signal, dispatcher: agent });
  // It may break off before somebody reads it, who then sees that it did.
  response.body.on("error", () => undefined);
  return response;
}

async function receive(download: Download, response: Response, watch: TransferWatch, freeBytes: number): Promise<void> {
  const { part, options } = download;
  download.total = totalOf(response, download.current);
  const { total } = download;
  if (total !== undefined) {
    assertWithin(download, total, `${total} bytes`);
    const missing = total - download.current;
    const figures = { got: `${formatBytes(freeBytes)} free`, expected: `${formatBytes(missing)} for what is missing` };
    if (missing > freeBytes) throw new AbortError(diskFull(part.path, figures));
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
    await part.append([response.body, progress]);
  } catch (error) {
    // What has become too large is not the beginning of the file.
    if (exceeds(download, download.current)) await part.cut(0);
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
  await part.cut(0);
  return 0;
}

function totalOf({ headers }: Response, begun: number): number | undefined {
  const length = headers["content-length"];
  return length === undefined || headers["content-encoding"] !== undefined ? undefined : Number(length) + begun;
}

function completeSize({ headers }: Response): number | undefined {
  const total = /\/(\d+)$/.exec(String(headers["content-range"] ?? ""))?.[1];
  return total === undefined ? undefined : Number(total);
}

/** Whether a range is the one that was asked for; anything else than a range is. */
function beginsAt({ statusCode, headers }: Response, begun: number): boolean {
  const start = /^bytes (\d+)-/.exec(String(headers["content-range"] ?? ""))?.[1];
  return statusCode !== 206 || start === undefined || Number(start) === begun;
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
