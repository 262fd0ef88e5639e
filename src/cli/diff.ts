import { compareLocks, type LockDifference } from "../lock/release-difference.js";
import type { Difference } from "../lock/value-difference.js";
import { expectEnvironmentLock } from "./environment-lock.js";
import { assertStack } from "./known-stacks.js";
import { plainTable } from "./table.js";
import type { Workplace } from "./workplace.js";

export interface DiffOptions {
  json?: boolean;
}

/** Tells how the locks of two environments differ: what a promotion moves, and what is each environment's own. */
export async function diff(workplace: Workplace, left: string, right: string, options: DiffOptions): Promise<void> {
  const { root } = workplace;
  for (const environment of [left, right]) await assertStack(root, environment);
  const found = compareLocks(await expectEnvironmentLock(root, left), await expectEnvironmentLock(root, right));
  workplace.print(
    options.json === true ? JSON.stringify({ left, right, ...found }, undefined, 2) : formatDiff(left, right, found),
  );
}

/** For people. */
export function formatDiff(left: string, right: string, { release, environment }: LockDifference): string {
  return [
    formatPart(
      `RELEASE: what a promotion moves`,
      `the release part is the same in ${left} and ${right}`,
      differenceTable([left, right], release),
    ),
    formatPart(
      `ENVIRONMENT: what is each one's own`,
      `nothing else differs between ${left} and ${right}`,
      differenceTable([left, right], environment),
    ),
  ].join("\n\n");
}

function formatPart(head: string, same: string, table: string | undefined): string {
  return table === undefined ? same : `${head}\n${table}`;
}

/** Undefined where nothing differs. */
export function differenceTable(
  heads: readonly [string, string],
  differences: readonly Difference[],
): string | undefined {
  if (differences.length === 0) return undefined;
  const rows = differences.map(({ path, left, right }) => [path, left ?? "-", right ?? "-"]);
  return plainTable(["FIELD", ...heads], rows).replace(/ +$/gm, "");
}
