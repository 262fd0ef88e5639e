import { posix } from "node:path";

import { z } from "zod";

import { digestFiles } from "../host/file-digests.js";
import type { FileStatus, Host } from "../host/host.js";

const manifestFile = z.strictObject({
  kind: z.enum(["file", "link"]),
  size: z.int(),
  mode: z.int(),
  changedAt: z.string(),
  /** Of a file's content. Links have none. */
  sha256: z.string().optional(),
});

export const manifest = z.strictObject({ schemaVersion: z.literal(1), files: z.record(z.string(), manifestFile) });

/** What a folder held when it was verified, by relative path. */
export type Manifest = z.output<typeof manifest>;

/** Python writes these when it likes. */
const ignored = /(?:^|\/)__pycache__\//;

/** Reads every file below a folder. */
export async function makeManifest(host: Host, folder: string, signal?: AbortSignal): Promise<Manifest> {
  const files: Manifest["files"] = {};
  const found = [...(await walk(host, folder))].sort(([a], [b]) => (a < b ? -1 : 1));
  const readable = found.filter(([, { kind }]) => kind === "file").map(([path]) => posix.join(folder, path));
  const digests = await digestFiles(host, readable, signal);
  for (const [path, { kind, size, mode, changedAt }] of found) {
    if (kind === "file") {
      files[path] = { kind, size, mode, changedAt, sha256: digests.get(posix.join(folder, path)) };
    } else if (kind === "link") {
      files[path] = { kind, size, mode, changedAt };
    }
  }
  return { schemaVersion: 1, files };
}

/** Which files are read again: only those whose status-change time is another, or all. */
export type Reading = "changed" | "all";

/**
 * How a folder differs from its manifest, one sentence a file. A file whose status-change time and size are as before
 * is not read again, unless all are: that time cannot be set back by programs, so its content is as before too.
 */
export async function compareManifest(
  host: Host,
  folder: string,
  expected: Manifest,
  reading: Reading = "changed",
): Promise<string[]> {
  const present = await walk(host, folder);
  const drift: string[] = [];
  for (const [path, file] of Object.entries(expected.files)) {
    const status = present.get(path);
    present.delete(path);
    const difference =
      status === undefined ? "is missing" : await fileDifference(host, posix.join(folder, path), file, status, reading);
    if (difference !== undefined) drift.push(`${path} ${difference}`);
  }
  for (const path of present.keys()) drift.push(`${path} was added`);
  return drift;
}

async function walk(host: Host, folder: string): Promise<Map<string, FileStatus>> {
  const found = await host.walk(folder);
  for (const path of found.keys()) if (ignored.test(path)) found.delete(path);
  return found;
}

async function fileDifference(
  host: Host,
  path: string,
  expected: Manifest["files"][string],
  status: FileStatus,
  reading: Reading,
): Promise<string | undefined> {
  if (status.kind !== expected.kind) return `is now a ${status.kind}`;
  if (status.size !== expected.size) return `has ${status.size} bytes, expected ${expected.size}`;
  if (status.mode !== expected.mode)
    return `has mode ${status.mode.toString(8)}, expected ${expected.mode.toString(8)}`;
  const isUntouched = status.changedAt === expected.changedAt;
  if (isUntouched && (reading === "changed" || expected.sha256 === undefined)) return undefined;
  if (expected.sha256 === undefined) return "was replaced";
  return (await host.sha256(path)) === expected.sha256 ? undefined : "was changed";
}
