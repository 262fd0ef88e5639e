import { BerthError } from "../lib/errors.js";
import { printable } from "../lib/printable.js";
import { checkEvidence, evidencePath, type EvidenceState } from "../lock/kept-evidence.js";
import { readPromotions } from "../lock/promotion-file.js";
import { tellHistory, type History, type HistoryEntry } from "../lock/promotion-history.js";
import { recordName } from "../lock/promotion-record.js";
import type { PromotionRecord } from "../schema/promotion.js";
import { readEnvironmentLock } from "./environment-lock.js";
import { assertStack } from "./known-stacks.js";
import { plainTable } from "./table.js";
import { nameStack, type Workplace } from "./workplace.js";

export interface HistoryOptions {
  json?: boolean;
}

/** One promotion or rollback. */
export interface HistoryRow extends Pick<
  PromotionRecord,
  "at" | "kind" | "from" | "to" | "by" | "commit" | "dirty" | "reason" | "forced"
> {
  /** The file of `promotions` that tells more. */
  readonly record: string;
  /** What it relied on, and whether that is there as it was; undefined of rollbacks and of records of earlier versions. */
  readonly evidence?: { readonly file: string; readonly state: EvidenceState };
  readonly tookEffect: boolean;
  readonly changes: readonly HistoryChange[];
}

export interface HistoryChange {
  readonly part: "release" | "preload";
  readonly name: string;
  readonly previous: string | null;
  readonly bundle: string | null;
  /** Whether the bundle before was applied and healthy when it was replaced; not told of what lies ready. */
  readonly previousApplied?: boolean;
  readonly isCurrent: boolean;
}

/** Tells what was promoted to an environment and rolled back in it, by whom, and what of that it has now. */
export async function history(workplace: Workplace, named: string | undefined, options: HistoryOptions): Promise<void> {
  const { root } = workplace;
  const environment = await nameStack(workplace, named);
  const records = await readPromotions(root);
  // One that is no more has its history.
  if (!records.some(({ to }) => to === environment)) await assertStack(root, environment);
  const lock = await readEnvironmentLock(root, environment);
  const told = tellHistory(environment, records, lock);
  const rows = historyRows(told, await checkAll(root, told));
  workplace.print(options.json === true ? JSON.stringify(rows, undefined, 2) : formatHistory(environment, rows));
  const changed = rows.flatMap(({ evidence }) => (evidence?.state === "changed" ? [evidence.file] : []));
  if (changed.length === 0) return;
  throw new BerthError("evidence-invalid", {
    where: changed.join(", "),
    what: "it is not the evidence that a promotion relied on",
    hint: "restore it from git",
  });
}

type EvidenceStates = ReadonlyMap<string, EvidenceState>;

async function checkAll(root: string, { entries }: Pick<History, "entries">): Promise<EvidenceStates> {
  const digests = entries.flatMap(({ record: { evidence } }) => (evidence === undefined ? [] : [evidence]));
  return new Map(
    await Promise.all(digests.map(async (digest) => [digest, await checkEvidence(root, digest)] as const)),
  );
}

/** Newest first. */
export function historyRows({ entries }: Pick<History, "entries">, states: EvidenceStates = new Map()): HistoryRow[] {
  return entries.map((entry) => {
    const { recordVersion: _, digest: __, releaseBefore: ___, releaseAfter: ____, ...told } = entry.record;
    const { bundles, preload, evidence, ...rest } = told;
    const state = evidence === undefined ? undefined : states.get(evidence);
    return {
      ...rest,
      ...(evidence === undefined || state === undefined ? {} : { evidence: { file: evidencePath(evidence), state } }),
      record: `promotions/${recordName(entry.record)}`,
      tookEffect: entry.tookEffect,
      changes: [...changesOf("release", bundles, entry), ...changesOf("preload", preload ?? {}, entry)],
    };
  });
}

type Moved = Pick<HistoryChange, "bundle" | "previous" | "previousApplied">;

function changesOf(
  part: HistoryChange["part"],
  moves: Readonly<Record<string, Moved>>,
  { current }: HistoryEntry,
): HistoryChange[] {
  return Object.entries(moves).map(([name, { bundle, previous, previousApplied }]) => ({
    ...{ part, name, previous, bundle },
    ...(previousApplied === undefined ? {} : { previousApplied }),
    isCurrent: current[part].includes(name),
  }));
}

/** The table for people, one line for each change. */
export function formatHistory(environment: string, rows: readonly HistoryRow[]): string {
  if (rows.length === 0) return `nothing was promoted to ${environment} yet`;
  const table = plainTable(
    ["WHEN", "WHAT", "FROM", "BY", "DEPLOYMENT", "BEFORE", "AFTER", ""],
    rows.map((row) => {
      const lines = (text: (change: HistoryChange) => string) => row.changes.map(text).join("\n");
      return [
        row.at.slice(0, 16).replace("T", " "),
        row.kind,
        row.from,
        row.by === undefined ? "-" : printable(row.by.name),
        lines(({ part, name }) => (part === "release" ? name : `preload ${name}`)),
        lines(({ previous }) => shortId(previous)),
        lines(({ bundle }) => shortId(bundle)),
        row.tookEffect ? lines(({ isCurrent }) => (isCurrent ? "current" : "")) : "did not take effect",
      ];
    }),
  );
  const forced = rows.filter((row) => row.forced.length > 0).map(describeForced);
  return [table.replace(/ +$/gm, ""), ...forced, ...rows.flatMap(describeEvidence)].join("\n");
}

function describeEvidence({ at, evidence }: HistoryRow): string[] {
  if (evidence === undefined || evidence.state === "kept") return [];
  const what = evidence.state === "missing" ? "is not there" : "was changed after it was relied on";
  return [`evidence ${at.slice(0, 16).replace("T", " ")}: ${evidence.file} ${what}`];
}

function describeForced({ at, forced, reason }: HistoryRow): string {
  const why = reason === undefined ? "" : `, because: ${reason}`;
  return `forced ${at.slice(0, 16).replace("T", " ")}: ${printable(forced.join("; ") + why)}`;
}

function shortId(id: string | null): string {
  return id === null ? "-" : id.slice(0, 7);
}
