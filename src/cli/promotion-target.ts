import { join } from "node:path";

import { execa } from "execa";

import { createContent } from "../install/content.js";
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { currentLock } from "../lock/current.js";
import { editedLock, findEdits } from "../lock/integrity.js";
import { keepEvidence } from "../lock/kept-evidence.js";
import { keepFiles } from "../lock/kept-files.js";
import { commitLock, readText } from "../lock/lock-commit.js";
import { lockPath } from "../lock/lock-file.js";
import { promotableDigest } from "../lock/promotion.js";
import { writePromotion } from "../lock/promotion-file.js";
import { recordMove } from "../lock/promotion-record.js";
import type { Evidence } from "../schema/evidence.js";
import type { LockFile, Promotable } from "../schema/lock.js";
import type { PromotionRecord } from "../schema/promotion.js";
import { readEnvironmentLock } from "./environment-lock.js";
import { openLock } from "./lock.js";
import { packageRoot, projectName, stackFileOf, type Workplace } from "./workplace.js";

/** An environment's lock as a command found it. */
export interface FoundLock {
  /** Absolute. */
  readonly path: string;
  readonly shownPath: string;
  readonly text: string | undefined;
  readonly lock: LockFile | undefined;
}

/** @throws BerthError `lock-edited` when somebody has changed it by hand */
export async function findLock({ root }: Workplace, environment: string): Promise<FoundLock> {
  const shownPath = lockPath(stackFileOf(root, environment));
  const path = join(root, shownPath);
  const text = await readText(path);
  const lock = await readEnvironmentLock(root, environment);
  const edits = lock === undefined ? [] : findEdits(lock);
  if (edits.length > 0) throw editedLock(shownPath, edits);
  return { path, shownPath, text, lock };
}

/**
 * Solves an environment's placement for releases that it is to have. Writes nothing.
 *
 * @throws BerthError `stack-inconsistent` when its stack file does not have all of them
 */
export async function solveTarget(
  workplace: Workplace,
  environment: string,
  promoted: Promotable,
): Promise<{ lock: LockFile; warnings: readonly string[] }> {
  const { project, edges } = openLock(workplace, environment, { promoted });
  const owner = `${projectName(workplace.root)}/${environment}`;
  const { lock, outcome } = await currentLock(project, edges, { owner, frozen: false, write: false, anew: true });
  assertAll(promoted, lock, stackFileOf(workplace.root, environment));
  return { lock, warnings: outcome.kind === "solved" ? outcome.warnings : [] };
}

/** What the stack file does not name has no place, and would go without a word. */
function assertAll(promoted: Promotable, lock: LockFile, where: string): void {
  if (promotableDigest(promoted) === promotableDigest(lock)) return;
  const lost = [
    ...Object.keys(promoted.release).filter((name) => lookUp(lock.release, name) === undefined),
    ...Object.keys(promoted.preload ?? {}).filter((name) => lookUp(lock.preload ?? {}, name) === undefined),
  ];
  throw new BerthError("stack-inconsistent", {
    where,
    what: "the stack file does not have what the environment would have",
    got: `nothing of ${lost.join(", ")}`,
    hint: `name it there, as \`${lost[0] ?? ""}: {}\`, or take it away first: run \`berth lock\`, and go on from there`,
  });
}

export type Circumstances = Pick<PromotionRecord, "kind" | "from" | "to" | "reason" | "forced">;

export interface Writing extends Circumstances {
  /** What it relies on; undefined of a rollback. */
  readonly evidence?: Evidence;
  readonly before: FoundLock;
  readonly lock: LockFile;
  /** The deployments whose present bundles are applied and healthy in the environment. */
  readonly applied: ReadonlySet<string>;
}

/** Writes what releases need, the evidence, the record, and then the lock; returns the record's path. Two at once have one winner. */
export async function writeMove(workplace: Workplace, writing: Writing): Promise<string> {
  const { root } = workplace;
  const { before, lock, applied, evidence, ...circumstances } = writing;
  const git = await askGit(root);
  const relied = evidence === undefined ? {} : { evidence: evidence.digest };
  const moved = { ...git, ...relied, at: new Date(), before: before.lock, after: lock, applied };
  const record = recordMove({ ...circumstances, ...moved });
  if (record === undefined) throw new BerthError("usage", { what: "nothing moves: the lock has all of it already" });
  const { backendFile } = createContent(packageRoot, root);
  for (const kept of before.lock === undefined ? [lock] : [before.lock, lock]) await keepFiles(root, kept, backendFile);
  let written = "";
  await commitLock({
    ...{ path: before.path, shownPath: before.shownPath, before: before.text, lock },
    now: () => new Date(),
    record: async () => {
      if (evidence !== undefined) await keepEvidence(root, evidence);
      written = await writePromotion(root, record);
    },
  });
  return written;
}

/** Who asks, and of which commit. */
export async function askGit(root: string): Promise<Pick<PromotionRecord, "by" | "commit" | "dirty">> {
  const git = async (...args: string[]) => {
    const { exitCode, stdout } = await execa("git", args, { cwd: root, reject: false });
    return exitCode === 0 ? stdout.trim() : undefined;
  };
  const [name, email, commit, changes] = await Promise.all([
    git("config", "user.name"),
    git("config", "user.email"),
    git("rev-parse", "HEAD"),
    git("status", "--porcelain"),
  ]);
  return {
    ...(name === undefined || email === undefined ? {} : { by: { name, email } }),
    ...(commit === undefined ? {} : { commit }),
    dirty: changes === undefined || changes !== "",
  };
}

/** What promotions end with, by the code of what is wrong. */
const exitCodes: Readonly<Record<string, number>> = {
  "gate-failed": 3,
  "evidence-foreign": 3,
  "evidence-expired": 3,
  "evidence-invalid": 3,
  "does-not-fit": 4,
  "host-unsuitable": 4,
  "stack-inconsistent": 4,
  "rule-broken": 4,
  "artifact-gone": 4,
  "artifact-moved": 4,
  "artifact-unknown": 4,
  "promotion-conflict": 5,
};

/** Runs a promotion or a rollback; what refuses it is told, and by the exit code too. */
export async function withExitCode(workplace: Workplace, isJson: boolean, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    if (isJson) {
      const { code, message } = error;
      workplace.print(JSON.stringify({ outcome: "refused", code, message }, undefined, 2));
    }
    const exitCode = exitCodes[error.code];
    if (exitCode === undefined) throw error;
    workplace.note(`error: ${error.message} (${error.code})`);
    return exitCode;
  }
}
