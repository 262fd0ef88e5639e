import { printable } from "../lib/printable.js";
import { readPromotions } from "../lock/promotion-file.js";
import { tellHistory, type History, type HistoryEntry } from "../lock/promotion-history.js";
import { recordName } from "../lock/promotion-record.js";
import type { PromotionRecord } from "../schema/promotion.js";
import { readEnvironmentLock } from "./environment-lock.js";
import { plainTable } from "./table.js";
import { chooseStack, type Workplace } from "./workplace.js";

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
  const environment = await chooseStack(workplace, named);
  const lock = await readEnvironmentLock(root, environment);
  const told = tellHistory(environment, await readPromotions(root), lock);
  const rows = historyRows(told);
  workplace.print(options.json === true ? JSON.stringify(rows, undefined, 2) : formatHistory(environment, rows));
}

/** Newest first. */
export function historyRows({ entries }: Pick<History, "entries">): HistoryRow[] {
  return entries.map((entry) => {
    const { recordVersion: _, digest: __, releaseBefore: ___, releaseAfter: ____, ...told } = entry.record;
    const { bundles, preload, ...rest } = told;
    return {
      ...rest,
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
  return [table.replace(/ +$/gm, ""), ...forced].join("\n");
}

function describeForced({ at, forced, reason }: HistoryRow): string {
  const why = reason === undefined ? "" : `, because: ${reason}`;
  return `forced ${at.slice(0, 16).replace("T", " ")}: ${printable(forced.join("; ") + why)}`;
}

function shortId(id: string | null): string {
  return id === null ? "-" : id.slice(0, 7);
}
