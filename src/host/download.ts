import { createWriteStream } from "node:fs";
import { mkdir, stat, statfs, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

import pRetry, { AbortError } from "p-retry";

import { BerthError, messageOf, systemCode } from "../lib/errors.js";
import type { DownloadOptions } from "./host.js";

const retries = 4;
/** A server that sends nothing for this long counts as broken off. */
const idleSeconds = 30;
const transientStatus = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * Fetches a URL into a file. A file that is there already is taken as the beginning and the rest is asked for by
 * range; a server without ranges sends it whole. Broken transfers are retried from where they stopped.
 */
export async function downloadFile(url: string, path: string, options: DownloadOptions): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  try {
    await pRetry(() => fetchRest(url, path, options), {
      retries,
      minTimeout: 500,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  } catch (error) {
    if (options.signal?.aborted === true) throw options.signal.reason;
    if (error instanceof BerthError) throw error;
    throw new BerthError("download-failed", {
      where: url,
      what: "the download failed",
      got: reasonOf(error),
      hint: "check that this machine reaches the address, then run it again: the download goes on where it stopped",
      cause: error,
    });
  }
}

async function fetchRest(url: string, path: string, options: DownloadOptions): Promise<void> {
  const begun = await sizeOf(path);
  const idle = new IdleTimer(idleSeconds);
  const signals = [idle.signal, ...(options.signal === undefined ? [] : [options.signal])];
  try {
    const response = await fetch(url, {
      headers: begun > 0 ? { range: `bytes=${begun}-` } : {},
      signal: AbortSignal.any(signals),
    });
    if (response.status === 416 && completeSize(response) === begun) return;
    if (response.status === 416) {
      await truncate(path, 0);
      throw new Error("the server does not have the range that is missing");
    }
    if (!response.ok || response.body === null) throw refusal(url, response.status);

    const resumed = response.status === 206;
    const length = response.headers.get("content-length");
    const total = length === null ? undefined : Number(length) + (resumed ? begun : 0);
    let current = resumed ? begun : 0;
    if (total !== undefined && total - current > (await freeBytes(path))) throw new AbortError(diskFull(path));
    const progress = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        idle.restart();
        current += chunk.byteLength;
        options.onProgress?.(current, total);
        done(null, chunk);
      },
    });
    const body = Readable.fromWeb(response.body);
    await pipeline(body, progress, createWriteStream(path, { flags: resumed ? "a" : "w" }));
  } catch (error) {
    if (systemCode(error) === "ENOSPC") throw new AbortError(diskFull(path));
    throw error;
  } finally {
    idle.stop();
  }
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

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return 0;
    throw error;
  }
}

function completeSize(response: Response): number | undefined {
  const total = /\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1];
  return total === undefined ? undefined : Number(total);
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const code = systemCode(cause);
  return code === undefined ? messageOf(cause) : `${code}: ${messageOf(cause)}`;
}

class IdleTimer {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(seconds: number) {
    this.#timer = setTimeout(() => {
      this.#controller.abort(new Error(`the server sent nothing for ${seconds} s`));
    }, seconds * 1000);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  restart(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
