import { BerthError } from "../lib/errors.js";

const transientStatus = new Set([408, 425, 429, 500, 502, 503, 504]);
/** The Fetch standard's own limit. */
export const mostRedirects = 20;

/** Whether a server that answers so may answer otherwise a moment later. */
export function isTransientStatus(status: number): boolean {
  return transientStatus.has(status);
}

export function refusal(url: string, status: number): BerthError {
  return new BerthError("download-failed", {
    where: url,
    what: "the server refused the download",
    got: `HTTP status ${status}`,
    expected: "200 or 206",
    hint: status === 404 ? "check the address" : "check that the address can be read without a login",
  });
}

export function endlessRedirects(url: string, cause?: unknown): BerthError {
  return new BerthError("download-failed", {
    where: url,
    what: "the server redirects without end",
    got: `more than ${mostRedirects} redirects`,
    expected: "the file",
    hint: "check the address in a browser: the server, or something on the way such as a login page, is set up wrong",
    cause,
  });
}

export function tooLarge(url: string, got: string, maxBytes = 0): BerthError {
  return new BerthError("download-failed", {
    where: url,
    what: "the server sends more than the file can have",
    got,
    expected: `at most ${maxBytes} bytes`,
    hint: "check the address, and the size that is pinned for it",
  });
}

/** How far a download is. */
export interface DownloadState {
  readonly url: string;
  /** Bytes. */
  readonly current: number;
  /** As the server told last. */
  readonly total: number | undefined;
}

export function brokenOff({ url, current, total }: DownloadState, reason: string, cause?: unknown): BerthError {
  return new BerthError("download-failed", {
    where: url,
    what: "the download failed",
    got: total === undefined ? reason : `${current} of ${total} bytes, then ${reason}`,
    ...(total === undefined ? {} : { expected: `${total} bytes` }),
    hint: "check that this machine reaches the address, then run it again: the download goes on where it stopped",
    cause,
  });
}

/** What a download that fails so has added goes again: others on the host need the room. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof BerthError && error.code === "disk-full";
}

/** @param figures what there is and what is needed, where that is known */
export function diskFull(path: string, figures: { got?: string; expected?: string } = {}): BerthError {
  return new BerthError("disk-full", {
    where: path,
    what: "no space is left on the host's disk",
    ...figures,
    hint: "free some space on that file system (`berth models evict` removes models that nobody wants), or give the host another dataDir, and run it again",
  });
}
