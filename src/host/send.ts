import { createReadStream } from "node:fs";
import { Transform } from "node:stream";

import pRetry, { AbortError } from "p-retry";

import { BerthError, messageOf, systemCode } from "../lib/errors.js";
import { formatBytes } from "../lib/format.js";
import { diskFull } from "./download-failure.js";
import type { PartFile } from "./part-file.js";
import { defaultPace, type DownloadPace } from "./transfer-watch.js";

export interface SendOptions {
  readonly sizeBytes: number;
  /** The host, for errors. */
  readonly where: string;
  readonly onProgress?: ((current: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly pace?: Pick<DownloadPace, "retries" | "firstWaitSeconds">;
}

/**
 * Sends a file of this machine into a part on a host, going on where a broken transfer stopped. What is there is taken
 * as its beginning: whoever asks checks the whole.
 *
 * @throws BerthError `disk-full` before the first byte when the rest has no room, and `download-failed`
 */
export async function sendFile(path: string, part: PartFile, options: SendOptions): Promise<void> {
  const { signal, pace = defaultPace } = options;
  await part.makeFolder();
  try {
    await pRetry(() => sendRest(path, part, options), {
      retries: pace.retries,
      minTimeout: pace.firstWaitSeconds * 1000,
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof BerthError) throw error;
    throw new BerthError("download-failed", {
      where: `${options.where}: ${part.path}`,
      what: "a file could not be sent to the host",
      got: messageOf(error),
      hint: "check the connection, then run it again: it goes on where it stopped",
      cause: error,
    });
  }
}

async function sendRest(path: string, part: PartFile, options: SendOptions): Promise<void> {
  const { sizeBytes, onProgress, signal } = options;
  let current = await part.size();
  if (current > sizeBytes) {
    await part.cut(0);
    current = 0;
  }
  onProgress?.(current, sizeBytes);
  if (current === sizeBytes) return;
  const freeBytes = await part.freeBytes();
  const missing = sizeBytes - current;
  if (missing > freeBytes) throw new AbortError(noRoom(part, options, missing, freeBytes));
  const progress = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      current += chunk.byteLength;
      onProgress?.(current, sizeBytes);
      done(null, chunk);
    },
  });
  const begun = current;
  try {
    const source = createReadStream(path, { start: current, highWaterMark: 1 << 18, ...(signal ? { signal } : {}) });
    await part.append([source, progress]);
  } catch (error) {
    if (error instanceof BerthError) throw new AbortError(error);
    if (systemCode(error) !== "ENOSPC") throw error;
    await part.cut(begun);
    throw new AbortError(diskFull(`${options.where}: ${part.path}`));
  }
  if ((await part.size()) < sizeBytes) throw new Error("the transfer ended early");
}

function noRoom(part: PartFile, { where }: SendOptions, missing: number, freeBytes: number): BerthError {
  const figures = { got: `${formatBytes(freeBytes)} free`, expected: `${formatBytes(missing)} for what is missing` };
  return diskFull(`${where}: ${part.path}`, figures);
}
