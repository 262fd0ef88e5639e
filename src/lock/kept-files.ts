/**
 * Files beside backend files that releases name by their digest. A release that is promoted, or that an environment
 * goes back to, needs them as they were, when the folder of backends has later ones.
 */
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import type { PinnedFile } from "../catalog/artifact.js";
import { keptFile, keptFolder } from "../install/content.js";
import { sha256 } from "../lib/canonical.js";
import { BerthError, systemCode } from "../lib/errors.js";
import type { LockedEngine, LockedInstall, Promotable } from "../schema/lock.js";
import type { PromotionRecord } from "../schema/promotion.js";
import { lockedEngines } from "./previous.js";
import { writeWhole } from "./whole-file.js";

/** A file that a release names, and who needs it. */
export interface NeededFile extends PinnedFile {
  /** What names the backend version, for people. */
  readonly of: string;
  /** Whether it is among what a lock resolved, which stays below `stacks` by itself. */
  readonly isResolved: boolean;
}

/** Reads a file of the very digest, from the backends' folders or from what is kept. */
export type ReadContent = (file: PinnedFile) => Promise<string>;

/** The files that releases need, each content once. Pure. */
export function neededFiles(promotable: Promotable): NeededFile[] {
  return filesOf(Object.values(lockedEngines(promotable)));
}

function filesOf(engines: readonly LockedEngine[]): NeededFile[] {
  const needed = engines.flatMap(({ backend, backendVersion, install }) => {
    const of = `${backend} ${backendVersion}`;
    return namedBy(install).map(({ file, isResolved }) => ({ ...file, of, isResolved }));
  });
  return [...new Map(needed.map((file) => [`${file.sha256} ${file.isResolved}`, file])).values()];
}

function namedBy(install: LockedInstall): { file: PinnedFile; isResolved: boolean }[] {
  const beside = (file: PinnedFile) => ({ file, isResolved: false });
  switch (install.method) {
    case "pipx": {
      const { requirements, request, launcher } = install;
      return [
        { file: requirements, isResolved: request !== undefined },
        ...(launcher === undefined ? [] : [beside(launcher)]),
      ];
    }
    case "binary":
      return install.artifacts.flatMap(({ signature }) => (signature === undefined ? [] : [beside(signature.key)]));
    case "image":
      return install.signature === undefined ? [] : [beside(install.signature.key)];
    case "manual":
      return [];
  }
}

/**
 * Keeps the files of releases by their content, in `stacks/files`. What is kept already stays as it is.
 *
 * @returns those that are nowhere to be found
 */
export async function keepFiles(root: string, promotable: Promotable, read: ReadContent): Promise<NeededFile[]> {
  const missing: NeededFile[] = [];
  for (const needed of neededFiles(promotable)) {
    const text = await readNeeded(needed, read);
    if (text === undefined) missing.push(needed);
    else if (!needed.isResolved) await keep(root, needed.sha256, text);
  }
  return missing;
}

/** The files of releases that are nowhere to be found. */
export async function findMissing(promotable: Promotable, read: ReadContent): Promise<NeededFile[]> {
  const needed = neededFiles(promotable);
  const found = await Promise.all(needed.map((file) => readNeeded(file, read)));
  return needed.filter((_, index) => found[index] === undefined);
}

/** What it means that files are nowhere, one sentence each. Pure. */
export function describeMissing(missing: readonly NeededFile[]): string[] {
  return missing.map(
    ({ file, sha256: digest, of }) =>
      `${of}: its ${file} of sha256 ${digest.slice(0, 12)} is nowhere, so a host that does not have ${of} cannot install it; restore the file, or ${keptFile(digest)}, from version control`,
  );
}

/** @throws BerthError `artifact-gone` when files of releases are nowhere to be found */
export async function assertFiles(promotable: Promotable, read: ReadContent): Promise<void> {
  const missing = await findMissing(promotable, read);
  if (missing.length === 0) return;
  throw new BerthError("artifact-gone", {
    what: "files beside backend files that these releases need are neither there nor kept",
    detail: describeMissing(missing).join("\n"),
    hint: "restore them; or run `berth lock` and `pulumi up` in the environment that makes releases, and promote what that gives",
  });
}

/** A kept file that nobody needs. */
export interface UnneededFile {
  /** Below the project's folder. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly keptAt: Date;
}

/** Kept files that no lock names, and no record of a promotion. */
export async function findUnneeded(
  root: string,
  locks: readonly Promotable[],
  records: readonly PromotionRecord[],
): Promise<UnneededFile[]> {
  const engines = [...locks.flatMap((lock) => Object.values(lockedEngines(lock))), ...records.flatMap(enginesOf)];
  const needed = new Set(filesOf(engines).map((file) => keptFile(file.sha256)));
  const paths = (await listKept(root)).filter((path) => !needed.has(path));
  return Promise.all(
    paths.map(async (path) => {
      const { size, mtime } = await stat(join(root, path));
      return { path, sizeBytes: size, keptAt: mtime };
    }),
  );
}

/** What was there before a record, and after it. */
function enginesOf({ bundles, preload = {} }: Pick<PromotionRecord, "bundles" | "preload">): LockedEngine[] {
  return [
    ...Object.values(bundles).flatMap(({ release, previousRelease }) => [release, previousRelease]),
    ...Object.values(preload).flatMap(({ release, previousRelease }) => [release?.engine, previousRelease?.engine]),
  ].filter((engine) => engine !== undefined);
}

async function listKept(root: string): Promise<string[]> {
  try {
    const names = await readdir(join(root, keptFolder));
    return names.filter((name) => /^sha256-[0-9a-f]{64}$/.test(name)).map((name) => `${keptFolder}/${name}`);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

async function readNeeded(file: PinnedFile, read: ReadContent): Promise<string | undefined> {
  try {
    return await read(file);
  } catch (error) {
    if (error instanceof BerthError) return undefined;
    throw error;
  }
}

async function keep(root: string, digest: string, text: string): Promise<void> {
  const path = join(root, keptFile(digest));
  const present = await readFile(path, "utf8").catch(() => undefined);
  if (present !== undefined && sha256(present) === digest) return;
  await mkdir(join(root, keptFolder), { recursive: true });
  await writeWhole(path, text);
}
