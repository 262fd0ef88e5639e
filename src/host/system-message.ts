import { BerthError } from "../lib/errors.js";

/** What tools say of a system's error under the locale C: glibc's words, macOS', musl's, and those of `dash` itself. */
const messages: Readonly<Record<string, readonly string[]>> = {
  ENOENT: ["No such file or directory", "No such file", "Directory nonexistent"],
  ENOTDIR: ["Not a directory"],
  EISDIR: ["Is a directory"],
  EEXIST: ["File exists"],
  ENOTEMPTY: ["Directory not empty"],
  EACCES: ["Permission denied"],
  EPERM: ["Operation not permitted"],
  ENOSPC: ["No space left on device"],
  EDQUOT: ["Disk quota exceeded", "Disc quota exceeded", "Quota exceeded"],
  EFBIG: ["File too large"],
  EROFS: ["Read-only file system"],
  EBUSY: ["Device or resource busy", "Resource busy"],
  ENAMETOOLONG: ["File name too long", "Filename too long"],
  ELOOP: ["Too many levels of symbolic links", "Symbolic link loop"],
  EXDEV: ["Invalid cross-device link", "Cross-device link"],
  EINVAL: ["Invalid argument"],
  EIO: ["Input/output error", "I/O error"],
  ETXTBSY: ["Text file busy"],
  ESTALE: ["Stale file handle", "Stale NFS file handle"],
};

/** What `mv` says where `rename` would have failed with a code. */
const refusals: readonly (readonly [RegExp, string])[] = [
  [/cannot overwrite directory /, "EISDIR"],
  [/cannot overwrite non-directory /, "ENOTDIR"],
];

/** The system's code for what a tool said of its failure; undefined when it said nothing of the system's. */
export function codeOfMessage(said: string): string | undefined {
  const refusal = refusals.find(([pattern]) => pattern.test(said));
  if (refusal !== undefined) return refusal[1];
  const lines = said.split("\n").map((line) => line.trimEnd());
  return Object.keys(messages).find((code) => lines.some((line) => messages[code]?.some((end) => line.endsWith(end))));
}

/** An error as the system throws it. */
export function systemError(code: string, path: string, said: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${path}: ${said.trim()}`), { code, path });
}

/** The system's error that a host's tools tell of, or what else they say. */
export function failureOfTools(host: string, path: string, exitCode: number, said: string): Error {
  const code = codeOfMessage(said);
  if (code !== undefined) return systemError(code, path, said);
  return new BerthError("command-failed", {
    where: `host ${host}: ${path}`,
    what: "the host's tools failed",
    got: `exit code ${exitCode}`,
    detail: said,
  });
}
