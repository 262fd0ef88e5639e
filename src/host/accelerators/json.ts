import { readBytes } from "./values.js";

const mostCandidates = 20;

/** The JSON in a text that may have lines of another kind before and after it; undefined when there is none. */
export function parseJson(text: string): unknown {
  const end = Math.max(text.lastIndexOf("}"), text.lastIndexOf("]")) + 1;
  // A line such as "[WARN] ..." begins like JSON too.
  const begins = [...text.matchAll(/^[ \t]*[[{]/gm)].slice(0, mostCandidates);
  for (const { index } of begins) {
    try {
      return JSON.parse(text.slice(index, end));
    } catch {
      continue;
    }
  }
  return undefined;
}

/** The value at a path of keys. */
export function valueAt(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const key of path) found = entriesOf(found).find(([name]) => name === key)?.[1];
  return found;
}

/** A text or number at a path of keys, as text. */
export function jsonText(value: unknown, ...path: readonly string[]): string | undefined {
  const found = valueAt(value, ...path);
  if (typeof found === "number") return String(found);
  return typeof found === "string" ? found.trim() : undefined;
}

/** The keys and values of an object; none of anything else. */
export function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}

export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

/** Bytes of `{"value": 196592, "unit": "MB"}`, or of a text or number. */
export function jsonBytes(value: unknown, bareUnit: "B" | "MiB"): number | undefined {
  const amount = jsonText(value, "value") ?? jsonText(value);
  return readBytes(`${amount ?? ""} ${jsonText(value, "unit") ?? ""}`.trim(), bareUnit);
}
