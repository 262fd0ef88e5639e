import { randomBytes } from "node:crypto";

import pRetry, { AbortError } from "p-retry";

import { BerthError, messageOf } from "../lib/errors.js";
import {
  brokenOff,
  diskFull,
  endlessRedirects,
  isDiskFull,
  isTransientStatus,
  refusal,
  tooLarge,
} from "./download-failure.js";
import type { DownloadOptions } from "./host.js";
import { LineSplitter } from "./line-splitter.js";
import type { CommandOptions, Output } from "./shell-output.js";
import { failureOfTools } from "./system-message.js";
import { newTransfer, noTool, takeLine, transferScript, type DownloadTool, type Transfer } from "./transfer-script.js";
import { TransferWatch, type DownloadPace } from "./transfer-watch.js";

/** Less than this is no room: what is written in blocks does not fill a disk to the last byte. */
const noRoomBytes = 1 << 20;

export type DownloadCommandOptions = Pick<CommandOptions, "env" | "input" | "signal" | "onStdout">;

/** A machine that fetches by its own tools. */
export interface DownloadShell {
  /** Its name in the stack. */
  readonly host: string;
  /** Runs a command once. What it has started ends with the signal, and with this process. */
  command(argv: readonly string[], options: DownloadCommandOptions): Promise<Output>;
  /** Leaves so many bytes of a file; with none the file goes. */
  cutFile(path: string, sizeBytes: number): Promise<void>;
}

interface DownloadRequest {
  readonly shell: DownloadShell;
  /** What may be used, the best first. */
  readonly tools: readonly DownloadTool[];
  readonly url: string;
  readonly path: string;
  readonly options: DownloadOptions;
  readonly pace: DownloadPace;
}

interface Download extends DownloadRequest {
  transfer: Transfer;
}

/**
 * A machine's own tools fetch a URL into a file; as by Node (`downloadFile`), broken transfers go on where they stopped.
 *
 * @returns the file's SHA-256, unless the machine did not tell it
 * @throws BerthError `host-unsuitable` if the machine has no such tool, or its tool does not trust the server
 */
export async function downloadByTool(request: DownloadRequest): Promise<string | undefined> {
  const { shell, url, path, options, pace } = request;
  const download: Download = { ...request, transfer: newTransfer() };
  try {
    await pRetry(() => fetchRest(download), {
      retries: pace.retries,
      minTimeout: pace.firstWaitSeconds * 1000,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    return download.transfer.sha256;
  } catch (error) {
    if (options.signal?.aborted === true) throw options.signal.reason;
    if (isDiskFull(error)) await shell.cutFile(path, download.transfer.begun);
    if (error instanceof BerthError) throw error;
    const { current, total } = download.transfer;
    throw brokenOff({ url, current, total }, messageOf(error), error);
  }
}

async function fetchRest(download: Download): Promise<void> {
  const { shell, url, path, options } = download;
  const transfer = await runTransfer(download);
  const { status, current, begun, total, ended } = transfer;
  if (status === 416 && total === begun) return;
  if (begun > 0 && lacksRange(transfer)) {
    // The whole file the server may have.
    await shell.cutFile(path, 0);
    return fetchRest(download);
  }
  const { maxBytes } = options;
  if (maxBytes !== undefined && (current > maxBytes || (total !== undefined && total > maxBytes))) {
    await shell.cutFile(path, 0);
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
  if (isDistrust(ended)) throw new AbortError(distrust(download));
  throw new Error(describeExit(ended));
}

/** One try. Ends it when the server is too slow, or sends what has no room. */
async function runTransfer(download: Download): Promise<Transfer> {
  const { shell, tools, path, options, pace } = download;
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
  const words = [path, options.maxBytes === undefined ? "" : String(options.maxBytes), tag, ...tools];
  // As the standard for addresses writes it, it has no blank and no line feed.
  const { href } = new URL(download.url);
  try {
    const { exitCode, stderr } = await shell.command(["/bin/sh", "-c", transferScript, "sh", ...words], {
      env: { LC_ALL: "C" },
      input: Buffer.from(`${href}\n${options.headers?.authorization ?? ""}\n`),
      signal: AbortSignal.any(signals),
      onStdout: (bytes) => lines.write(bytes),
    });
    if (exitCode === noTool) throw missingTool(download);
    if (transfer.ended === undefined) {
      throw new AbortError(failureOfTools(shell.host, path, exitCode, stderr.toString("utf8")));
    }
    return transfer;
  } catch (error) {
    throw error instanceof BerthError ? new AbortError(error) : error;
  } finally {
    watch.stop();
  }
}

/** Whether the server answered with something else than what is missing; curl adds nothing of it to the file. */
function lacksRange({ status, ended }: Transfer): boolean {
  if (ended?.tool !== "curl" || status === 416) return status === 416 || status === 200;
  // Of another end, 200 may be what a proxy said before the server could say anything.
  return ended.exitCode === 33 || (ended.exitCode === 0 && status === 200);
}

/** It does not trust the server's certificate, or has none that it could trust it by. */
function isDistrust(ended: Transfer["ended"]): boolean {
  return ["curl 60", "curl 77", "wget 5"].includes(`${ended?.tool} ${ended?.exitCode}`);
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
    "wget 4": "nothing answers at the address, or the connection broke off",
  };
  const what = `${ended.tool} ${ended.exitCode}`;
  return reasons[what] ?? `${ended.tool} ended with code ${ended.exitCode}`;
}

function missingTool({ shell, tools, options: { headers } }: Download): BerthError {
  const names = tools.map((tool) => (tool === "wget" ? "GNU wget" : tool));
  return new BerthError("host-unsuitable", {
    where: `host ${shell.host}`,
    what: "the host has no tool to download with",
    expected: headers?.authorization === undefined ? names.join(" or ") : "curl, because the download needs a login",
    hint: "install curl on the host",
  });
}

function distrust({ shell, url, transfer }: Download): BerthError {
  return new BerthError("host-unsuitable", {
    where: `host ${shell.host}: ${url}`,
    what: "the host does not trust the server's certificate",
    got: describeExit(transfer.ended),
    hint: "add the server's authority to the host's certificates, or name its file in SSL_CERT_FILE there",
  });
}
