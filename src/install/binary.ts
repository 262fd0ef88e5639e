import { posix } from "node:path";

import { z } from "zod";

import { diskFull } from "../host/download-failure.js";
import type { DownloadOptions } from "../host/host.js";
import { dataPaths, executableName } from "../host/paths.js";
import { targetStatus } from "../host/target.js";
import { BerthError } from "../lib/errors.js";
import { formatBytes, lastLines } from "../lib/format.js";
import { isWebPage } from "./web-page.js";
import { runPythonScript, type LazyPythonContext } from "./python.js";

/** One file of a backend's release, fully pinned: an archive, or the executable itself. */
export interface BinaryRelease {
  readonly backend: string;
  readonly version: string;
  readonly url: string;
  readonly sha256: string;
  readonly sizeBytes?: number | undefined;
  /** Where in the archive the executable is. A release without is the executable. */
  readonly executable?: string | undefined;
  /** Most that the archive may unpack to, bytes. */
  readonly unpackedBytes: number;
}

/** What an installation of a release is made of. Python is asked for only by archives. */
export type ReleaseContext = LazyPythonContext;

export interface UnpackedRelease {
  readonly folder: string;
  /** The executable in it. */
  readonly executable: string;
}

type OnProgress = NonNullable<DownloadOptions["onProgress"]>;

const mostMembers = 100_000;
const shownNames = 5;

/**
 * Where in the host's cache the release's file lies, which is fetched when it is not there. What is in the cache is
 * verified again; a file that is not the pinned one is removed and fetched anew. Throws `checksum-mismatch`,
 * `download-failed` and `disk-full`; a broken download goes on the next time.
 */
export function fetchRelease(context: ReleaseContext, release: BinaryRelease, onProgress: OnProgress): Promise<string> {
  const path = posix.join(dataPaths(context.dataDir).cache, "archives", release.sha256);
  return context.serial.run(path, async () => {
    const { host, signal } = context;
    if ((await host.status(path))?.kind === "file" && (await host.sha256(path, signal)) === release.sha256) return path;
    await host.remove(path);
    const part = `${path}.part`;
    const begun = await host.status(part);
    const isResumed = begun !== undefined;
    await assertRoom(context, release, begun?.size ?? 0);
    let found = await download(context, release, part, onProgress);
    // What was there may be the beginning of something else.
    if (found !== release.sha256 && isResumed) {
      await host.remove(part);
      found = await download(context, release, part, onProgress);
    }
    if (found !== release.sha256) throw await mismatch(context, release, part, found);
    await host.rename(part, path);
    return path;
  });
}

/** What comes out of the archive is not known before: only the file itself has to fit. */
async function assertRoom(context: ReleaseContext, release: BinaryRelease, begunBytes: number): Promise<void> {
  if (release.sizeBytes === undefined) return;
  const { host, dataDir } = context;
  const neededBytes = Math.max(0, release.sizeBytes - begunBytes);
  const freeBytes = await host.freeBytes(dataDir);
  if (neededBytes <= freeBytes) return;
  throw diskFull(`host ${host.name}: ${dataDir}`, {
    got: `${formatBytes(freeBytes)} free`,
    expected: `${formatBytes(neededBytes)} for the release of ${release.backend} ${release.version}`,
  });
}

/** The SHA-256 of what was fetched. */
async function download(
  { host, signal }: ReleaseContext,
  release: BinaryRelease,
  part: string,
  onProgress: OnProgress,
): Promise<string> {
  return host.download(release.url, part, {
    onProgress,
    // What is packed is not larger than what comes out of it.
    maxBytes: release.sizeBytes ?? release.unpackedBytes,
    ...(signal === undefined ? {} : { signal }),
  });
}

/** The error for a file that is not the pinned one, which is removed. */
async function mismatch(
  { host }: ReleaseContext,
  release: BinaryRelease,
  part: string,
  found: string,
): Promise<BerthError> {
  const { stdout: start } = await host.run(["head", "-c", "512", part], { timeoutSeconds: 60 });
  const size = (await host.status(part))?.size ?? 0;
  await host.remove(part);
  const isPage = isWebPage(start);
  const bytes = release.sizeBytes === undefined ? "" : ` (${release.sizeBytes} bytes)`;
  return new BerthError("checksum-mismatch", {
    where: release.url,
    what: isPage
      ? "the server gave an HTML page, not the release that is pinned"
      : "the file that was fetched is not the one that is pinned",
    got: `sha256 ${found} (${size} bytes${isPage ? " of HTML" : ""})`,
    expected: `sha256 ${release.sha256}${bytes}`,
    hint: isPage
      ? "open the address in a browser: it may be wrong, or something on the way, such as a proxy, asks for a login"
      : "if the address is a mirror, check what it serves; otherwise correct `sha256` in the backend file",
  });
}

/**
 * Unpacks a release into `files` below a new folder, or puts the plain executable there as `<backend>_<version>`. The
 * file comes from the cache, verified, or is fetched. Throws `install-failed` for an archive that does not hold what
 * it should or that has members it must not have; nothing is left in the folder then.
 */
export async function unpackRelease(
  context: ReleaseContext,
  release: BinaryRelease,
  folder: string,
): Promise<UnpackedRelease> {
  const archive = await fetchRelease(context, release, () => undefined);
  const files = posix.join(folder, "files");
  try {
    const name = release.executable ?? executableName(release.backend, release.version);
    if (release.executable === undefined) await place(context, archive, posix.join(files, name));
    else await unpack(context, { ...release, executable: name }, archive, files);
    const executable = posix.join(files, name);
    await assertExecutable(context, release, files, executable);
    return { folder: files, executable };
  } catch (error) {
    await context.host.remove(folder);
    throw error;
  }
}

async function place(context: ReleaseContext, file: string, to: string): Promise<void> {
  const { host, signal } = context;
  await host.makeDirectory(posix.dirname(to));
  const result = await host.run(["install", "-m", "0755", file, to], signal === undefined ? {} : { signal });
  if (result.exitCode === 0) return;
  if (/no space left/i.test(result.stderr)) throw diskFull(to);
  throw new BerthError("command-failed", {
    where: `host ${host.name}: ${to}`,
    what: "the executable could not be put in place",
    got: `exit code ${result.exitCode}`,
    detail: lastLines(result.stderr, 5),
  });
}

const unpacked = z.object({
  refused: z.object({ got: z.string(), expected: z.string() }).optional(),
});

async function unpack(
  context: ReleaseContext,
  release: BinaryRelease & { readonly executable: string },
  archive: string,
  folder: string,
): Promise<void> {
  const { executable, unpackedBytes: maxBytes } = release;
  const request = { archive, folder, executable, maxBytes, maxMembers: mostMembers };
  const subject = subjectOf(context, release);
  const python = { ...context, python: await context.python() };
  const { refused } = unpacked.parse(JSON.parse(await runPythonScript(python, "unpack.py", request, { subject })));
  if (refused === undefined) return;
  throw new BerthError("install-failed", {
    where: subject,
    what: "Berth does not unpack this archive",
    got: refused.got,
    expected: refused.expected,
    hint: `check the archive: ${release.url}`,
  });
}

/** An executable without its bit was packed wrong, or is not the executable: the bit is not set for it. */
async function assertExecutable(
  context: ReleaseContext,
  release: BinaryRelease,
  folder: string,
  executable: string,
): Promise<void> {
  const status = await targetStatus(context.host, executable);
  if (status !== undefined && (status.mode & 0o100) !== 0) return;
  const name = posix.relative(folder, executable);
  const problem =
    status === undefined
      ? { what: "the archive does not hold the executable", got: await candidates(context, folder), expected: name }
      : {
          what: "the executable has no executable bit in the archive",
          got: `${name} with mode ${status.mode.toString(8).padStart(4, "0")}`,
          expected: "mode 0755",
        };
  throw new BerthError("install-failed", {
    where: subjectOf(context, release),
    ...problem,
    hint: "correct `executable` in the backend file, or use an archive that is packed right",
  });
}

/** What could have been meant: the files that have the bit. */
async function candidates({ host }: ReleaseContext, folder: string): Promise<string> {
  const names = [...(await host.walk(folder))].filter(([, { kind, mode }]) => kind === "file" && (mode & 0o100) !== 0);
  const shown = names.slice(0, shownNames).map(([name]) => name);
  if (names.length > shownNames) shown.push(`and ${names.length - shownNames} more`);
  return shown.length === 0 ? "no executable at all" : `the executables ${shown.join(", ")}`;
}

function subjectOf({ host }: ReleaseContext, { backend, version }: BinaryRelease): string {
  return `host ${host.name}: ${backend} ${version}`;
}
