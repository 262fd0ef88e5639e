import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { shown } from "../lib/shown.js";
import type { LockFile } from "../schema/lock.js";
import { buildLock, decideAlike, findStaleness, type LockEdges } from "./build.js";
import { editedLock, findEdits } from "./integrity.js";
import { describeMissing, keepFiles, type NeededFile } from "./kept-files.js";
import { commitLock, type LockCommit } from "./lock-commit.js";
import { lockPath, readLock, writeLock } from "./lock-file.js";
import { lockedEngines } from "./previous.js";
import { assertRules } from "./rules.js";
import type { Project } from "./project.js";

export interface CurrentLock {
  readonly lock: LockFile;
  /** Shown to people, relative to the project. */
  readonly path: string;
  /** `kept`: the file holds. `solved`: it was missing or stale, for the reason given. */
  readonly outcome:
    | { readonly kind: "kept" }
    | {
        readonly kind: "solved";
        readonly reason: string;
        readonly changed: boolean;
        /** One line for each deployment: what was chosen, and why. */
        readonly choices: readonly string[];
        readonly warnings: readonly string[];
      };
}

export interface CurrentLockOptions {
  /** Whose stack it is, as project/stack: its own claims are not in its way. */
  readonly owner: string;
  /** Refuse instead of solving anew, as CI does. */
  readonly frozen: boolean;
  /** Write what was solved. A preview solves and does not write. */
  readonly write: boolean;
  /** Solve even when the file holds; one that cannot be read counts as none. */
  readonly anew?: boolean;
  /** Take the present commits of models' revisions. */
  readonly upgradeModels?: boolean;
  /** Choose versions and artifacts of these deployments, or of all, as if there had been no lock. */
  readonly renewed?: "all" | readonly string[];
}

/** The lock of a stack: the file beside it while that holds, else solved anew. */
export async function currentLock(
  project: Project,
  edges: LockEdges,
  options: CurrentLockOptions,
): Promise<CurrentLock> {
  const absolute = lockPath(project.stackPath);
  const path = shown(project.root, absolute);
  const { previous, lack } = await readPrevious(absolute, path, options.anew === true);
  // An edited lock holds nothing that anybody verified: where it may be solved anew, it is.
  const edits = previous === undefined ? [] : findEdits(previous);
  if (edits.length > 0 && (options.frozen || project.promoted !== undefined)) throw editedLock(path, edits);
  refuseUnpromoted(project, previous, path);
  const reason = previous === undefined ? lack : findStaleness(previous, project, edits);
  if (previous !== undefined && reason === undefined && options.anew !== true) {
    assertRules(project.environment, previous);
    if (options.write && !options.frozen) await keepReleased(project, previous, edges);
    return { lock: previous, path, outcome: { kind: "kept" } };
  }
  if (options.frozen)
    throw refusal(path, shown(project.root, project.stackPath), previous === undefined ? undefined : reason);
  const solution = await buildLock(
    {
      ...{ ...project, owner: options.owner, previous, resolved: await readResolved(project.root, previous) },
      upgradeModels: options.upgradeModels === true,
      renewed: options.renewed ?? [],
    },
    edges,
  );
  const { lock, files, reasons } = solution;
  const warnings = [...solution.warnings];
  assertRules(project.environment, lock);
  const same = previous !== undefined && decideAlike(previous, lock);
  if (options.write) {
    for (const [file, text] of Object.entries(files)) await writeResolved(project.root, file, text);
    warnings.push(...describeMissing(await keepReleased(project, lock, edges)));
    if (!same) await writeSolved(project, { path: absolute, shownPath: path, lock });
  }
  const solved = { kind: "solved", reason: reason ?? "it was asked for", changed: !same } as const;
  const told = [...tellUnpromoted(project), ...warnings];
  return { lock: same ? previous : lock, path, outcome: { ...solved, choices: reasons, warnings: told } };
}

/** Releases that go on to other environments keep what they need; tells what is nowhere. */
async function keepReleased(
  { root, environment }: Project,
  lock: LockFile,
  { readContent }: Pick<LockEdges, "readContent">,
): Promise<NeededFile[]> {
  return environment === undefined ? [] : keepFiles(root, lock, readContent);
}

/** What was promoted meanwhile is not written over. */
async function writeSolved(
  { promoted, lockText }: Project,
  writing: Pick<LockCommit, "path" | "shownPath" | "lock">,
): Promise<void> {
  if (promoted === undefined) return writeLock(writing.path, writing.lock);
  const record = () => Promise.resolve();
  return commitLock({ ...writing, before: lockText, record, now: () => new Date() });
}

function tellUnpromoted({ unpromoted = [], environment }: Project): string[] {
  const from = environment?.predecessor ?? "";
  return unpromoted.map((name) => `${name}: left out, because nothing of this name was promoted from ${from}`);
}

function refuseUnpromoted({ promoted, environment }: Project, previous: LockFile | undefined, path: string): void {
  if (promoted === undefined || previous !== undefined || Object.keys(promoted.release).length > 0) return;
  const { name = "", predecessor = "" } = environment ?? {};
  throw new BerthError("lock-missing", {
    where: path,
    what: "nothing was promoted to this environment yet",
    expected: `the releases of ${predecessor}`,
    hint: `run \`berth promote ${predecessor} ${name}\``,
  });
}

/** What of the files that a lock resolved is there, by SHA-256. */
async function readResolved(root: string, previous: LockFile | undefined): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { install } of Object.values(lockedEngines(previous))) {
    if (install.method !== "pipx" || install.request === undefined) continue;
    const { file } = install.requirements;
    const text = await readFile(join(root, "stacks", file), "utf8").catch(() => undefined);
    if (text !== undefined) found[file] = sha256(text);
  }
  return found;
}

/** Below `stacks`, wherever the stack file is: its provider knows the project, and not which stack asks. */
async function writeResolved(root: string, file: string, text: string): Promise<void> {
  const path = join(root, "stacks", file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** The lock beside the stack's file; undefined where there is none. */
export async function readPreviousLock(project: Pick<Project, "root" | "stackPath">): Promise<LockFile | undefined> {
  const absolute = lockPath(project.stackPath);
  return readLock(absolute, shown(project.root, absolute));
}

async function readPrevious(
  absolute: string,
  path: string,
  anew: boolean,
): Promise<{ previous: LockFile | undefined; lack: string }> {
  try {
    return { previous: await readLock(absolute, path), lack: "there was none" };
  } catch (error) {
    if (!anew || !(error instanceof BerthError)) throw error;
    return { previous: undefined, lack: "it could not be read" };
  }
}

function refusal(path: string, stackPath: string, reason: string | undefined): BerthError {
  return new BerthError(reason === undefined ? "lock-missing" : "lock-stale", {
    where: path,
    what: reason === undefined ? "the lock is missing" : `the lock is stale: ${reason}`,
    expected: `the lock of ${stackPath}, because this run may not write it (frozen)`,
    hint: "run `berth lock` where locks are made, and commit the file",
  });
}
