import { canonicalJson, type Json } from "../lib/canonical.js";
import type { DifferenceTable, FieldChange, FieldRule } from "./kind.js";

/** Stands for a value that Pulumi does not know yet (`rpc.unknownValue` of its Node SDK). */
export const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export function containsUnknown(value: unknown): boolean {
  if (value === unknownValue) return true;
  if (Array.isArray(value)) return value.some(containsUnknown);
  return typeof value === "object" && value !== null && Object.values(value).some(containsUnknown);
}

export interface FieldDifference {
  readonly field: string;
  readonly change: Exclude<FieldChange, "none">;
  readonly reason: string;
}

/** The fields that differ, with what each means. An unknown value counts as a change. */
export function compareFields<Inputs>(
  table: DifferenceTable<Inputs>,
  olds: Partial<Inputs>,
  news: Partial<Inputs>,
): FieldDifference[] {
  const differences: FieldDifference[] = [];
  for (const field of Object.keys(table) as (keyof Inputs & string)[]) {
    const before = olds[field];
    const after = news[field];
    if (isEqual(before, after)) continue;
    const rule: FieldRule<Inputs[typeof field]> = table[field];
    const decide =
      typeof rule.change === "function" && before !== undefined && after !== undefined && !containsUnknown(after);
    const change = decide
      ? decideChange(rule, before, after)
      : typeof rule.change === "function"
        ? "update"
        : rule.change;
    if (change !== "none") differences.push({ field, change, reason: rule.reason });
  }
  return differences;
}

function decideChange<Value>(rule: FieldRule<Value>, before: Value, after: Value): FieldChange {
  return typeof rule.change === "function" ? rule.change(before, after) : rule.change;
}

function isEqual(before: unknown, after: unknown): boolean {
  if (containsUnknown(after)) return false;
  return canonicalJson((before ?? null) as Json) === canonicalJson((after ?? null) as Json);
}
