import { randomBytes } from "node:crypto";

import pRetry, { AbortError } from "p-retry";

import { BerthError } from "../lib/errors.js";
import { brokenOff, diskFull, endlessRedirects, isTransientStatus, refusal, tooLarge } from "./download-failure.js";
import type { DownloadOptions } from "./host.js";
import { LineSplitter } from "./line-splitter.js";
import { fileScripts } from "./ssh-files.js";
import type { SshShell } from "./ssh-shell.js";
import { newTransfer, takeLine, transferScript, type Transfer } from "./transfer-script.js";
import { TransferWatch, type DownloadPace } from "./transfer-watch.js";

const noTool = 9;
/** Less than this is no room: what is written in blocks does not fill a disk to the last byte. */
const noRoomBytes = 1 << 20;

interface Download {
  readonly shell: SshShell;
  readonly url: string;
  readonly path: string;
  readonly options: DownloadOptions;
  readonly pace: DownloadPace;
  transfer: Transfer;
}

/**
 * Lets the host itself fetch a URL into a file; as for this machine, broken transfers go on where they stopped.
 *
 * @returns the file's SHA-256, unless the host did not tell it
 */
export async function downloadOver(
  shell: SshShell,
  url: string,
  path: string,
  options: DownloadOptions,
  pace: DownloadPace,
): Promise<string | undefined> {
  const download: Download = { shell, url, path, options, pace, transfer: newTransfer() };
  try {
    await pRetry(() => fetchRest(download), {
      retries: pace.retries,
      minTimeout: pace.firstWaitSeconds * 1000,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    return download.transfer.sha256;
  } catch (error) {
    if (options.signal?.aborted === true) throw options.signal.reason;
    if (error instanceof BerthError) throw error;
    const { current, total } = download.transfer;
    throw brokenOff({ url, current, total }, error instanceof Error ? error.message : String(error), error);
  }
}

async function fetchRest(download: Download): Promise<void> {
  const { url, path, options } = download;
  const transfer = await runTransfer(download);
  const { status, current, begun, total, ended } = transfer;
  if (status === 416 && total === begun) return;
  if (begun > 0 && (status === 416 || status === 200)) {
    await remove(download);
    throw new Error("the server does not have the range that is missing");
  }
  const { maxBytes } = options;
  if (maxBytes !== undefined && (current > maxBytes || (total !== undefined && total > maxBytes))) {
    await remove(download);
    const got = total === undefined ? `${current} bytes and no end` : `${total} bytes`;
    throw new AbortError(tooLarge(url, got, maxBytes));
  }
  if (ended?.exitCode === 0) return;
  if (status !== undefined && status >= 400) {
    const error = refusal(url, status);
    throw isTransientStatus(status) ? error : new AbortError(error);
  }
  if (status !== undefined && status >= 300) throw new AbortError(endlessRedirects(url));
  if (transfer.free !== undefined && transfer.free < noRoomBytes) throw new AbortError(diskFull(path));
  throw new Error(describeExit(ended));
}

/** One try. Ends it when the server is too slow, or sends what has no room. */
async function runTransfer(download: Download): Promise<Transfer> {
  const { shell, url, path, options, pace } = download;
  const transfer = newTransfer();
  download.transfer = transfer;
  const tag = randomBytes(8).toString("hex");
  const noRoom = new AbortController();
  const watch = new TransferWatch(pace);
  const lines = new LineSplitter((line) => {
    const before = transfer.current;
    const toldSize = takeLine(transfer, tag, line);
    if (transfer.ended !== undefined) watch.rest();
    if (!toldSize) return;
    const { current, total, free } = transfer;
    watch.received(Math.max(0, current - before));
    options.onProgress?.(current, total);
    if (total !== undefined && free !== undefined && total - current > free) noRoom.abort(diskFull(path));
  });
  const signals = [watch.signal, noRoom.signal, ...(options.signal === undefined ? [] : [options.signal])];
  const words = [path, options.maxBytes === undefined ? "" : String(options.maxBytes), tag];
  try {
    const { exitCode, stderr } = await shell.command(["/bin/sh", "-c", transferScript, "sh", ...words], {
      env: { LC_ALL: "C" },
      input: Buffer.from(`${url}\n${options.headers?.authorization ?? ""}\n`),
      signal: AbortSignal.any(signals),
      onStdout: (bytes) => lines.write(bytes),
    });
    if (exitCode === noTool) throw new AbortError(missingTool(shell, options));
    if (transfer.ended === undefined) throw new AbortError(shell.failure(path, exitCode, stderr));
    return transfer;
  } catch (error) {
    throw error instanceof BerthError ? new AbortError(error) : error;
  } finally {
    watch.stop();
  }
}

async function remove({ shell, path }: Download): Promise<void> {
  await shell.files(fileScripts.remove, [path], { again: true });
}

function describeExit(ended: Transfer["ended"]): string {
  if (ended === undefined) return "the transfer was ended";
  const reasons: Readonly<Record<string, string>> = {
    "curl 6": "the server's name is not known",
    "curl 7": "nothing answers at the address",
    "curl 18": "the server ended the transfer early",
    "curl 28": "the server did not answer in time",
    "curl 52": "the server sent nothing",
    "curl 56": "the connection to the server broke off",
    "curl 60": "the server's certificate is not trusted",
    "wget 4": "nothing answers at the address, or the connection broke off",
    "wget 5": "the server's certificate is not trusted",
  };
  const what = `${ended.tool} ${ended.exitCode}`;
  return reasons[what] ?? `${ended.tool} ended with code ${ended.exitCode}`;
}

function missingTool(shell: SshShell, { headers }: DownloadOptions): BerthError {
  return new BerthError("host-unsuitable", {
    where: `host ${shell.connections.target.name}`,
    what: "the host has no tool to download with",
    expected: headers?.authorization === undefined ? "curl or GNU wget" : "curl, because the download needs a login",
    hint: "install curl on the host",
  });
}
