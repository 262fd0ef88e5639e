/** What differs between two values of locks, field by field. Pure. */
import { holdsSecret, isSecretName } from "../catalog/secret-words.js";
import { digest, type Json } from "../lib/canonical.js";
import { lookUp } from "../lib/record.js";
import { differingWords } from "../lib/words.js";
import { describeValue, hidden, joinWords, shownWords } from "./value-text.js";

/** A field, with what it is on either side in a few words; undefined where it is not there. */
export interface Difference {
  readonly path: string;
  readonly left: string | undefined;
  readonly right: string | undefined;
}

export type Fields = Readonly<Record<string, Json | undefined>>;

/** So many items of a list are told one by one. */
const mostItems = 3;
/** Lists that are parts of a command. */
const wordLists = ["parameters", "arguments"];

/** How two values that are there on both sides differ, and what one is in a few words that is there on one side alone. */
export interface Comparison<Value> {
  readonly describe: (value: Value) => string;
  readonly compare: (path: string, left: Value, right: Value) => readonly Difference[];
}

/** Entries by name. */
export function compareEntries<Entry>(
  path: string,
  left: Readonly<Record<string, Entry>> = {},
  right: Readonly<Record<string, Entry>> = {},
  comparison: Comparison<Entry>,
): Difference[] {
  return namesOf(left, right).flatMap((name) =>
    compareValues(below(path, name), lookUp(left, name), lookUp(right, name), comparison),
  );
}

export function compareValues<Value>(
  path: string,
  left: Value | undefined,
  right: Value | undefined,
  { describe, compare }: Comparison<Value>,
): readonly Difference[] {
  if (left !== undefined && right !== undefined) return compare(path, left, right);
  const texts = [left, right].map((value) => (value === undefined ? undefined : describe(value)));
  return compareTexts(path, texts[0], texts[1]);
}

/** Texts that stand for values; nothing where they are equal. */
export function compareTexts(path: string, left: string | undefined, right: string | undefined): Difference[] {
  return left === right ? [] : [{ path, left, right }];
}

export function compareFields(path: string, left: Fields, right: Fields): Difference[] {
  return namesOf(left, right).flatMap((field) => {
    const values = [lookUp(left, field), lookUp(right, field)] as const;
    if (digest(values[0] ?? null) === digest(values[1] ?? null)) return [];
    // Elsewhere what is named so is the name of a secret, not the secret.
    if (/(?:^|\.)(?:env|options)$/.test(path) && isSecretName(field))
      return [difference(below(path, field), values, () => hidden)];
    return compareField(below(path, field), field, values);
  });
}

function below(path: string, field: string): string {
  return path === "" ? field : `${path}.${field}`;
}

type Pair<Value> = readonly [left: Value, right: Value];

function compareField(path: string, field: string, values: Pair<Json | undefined>): Difference[] {
  const told = values.filter((value) => value !== undefined);
  if (told.every(isFields)) return compareFields(path, fieldsOf(values[0]), fieldsOf(values[1]));
  if (told.every(isList)) {
    const lists: Pair<readonly Json[]> = [listOf(values[0]), listOf(values[1])];
    if (wordLists.includes(field)) return [wordDifference(path, [wordsOf(lists[0]), wordsOf(lists[1])])];
    if (lists.flat().every(isFields)) return compareItems(path, field, lists);
  }
  if (told.every((value) => typeof value === "string" && !holdsSecret(value)) && told.some(isCommand))
    return [wordDifference(path, [shownCommand(values[0]), shownCommand(values[1])])];
  return [difference(path, values, (value) => describeValue(field, value))];
}

/** Few items are told by name, many by their number. */
function compareItems(path: string, field: string, [left, right]: Pair<readonly Json[]>): Difference[] {
  const [one, other] = [byName(left), byName(right)];
  const differing = namesOf(one, other).filter((name) => digest(one[name] ?? null) !== digest(other[name] ?? null));
  if (differing.length > mostItems) {
    const both = namesOf(one, other).length - differing.length;
    return [{ path, left: `${left.length} ${field}`, right: `${right.length} ${field}, ${both} of them the same` }];
  }
  return compareEntries(path, one, other, { describe: () => "there", compare: compareFields });
}

function byName(items: readonly Json[]): Record<string, Fields> {
  return Object.fromEntries(items.map((item, index) => [nameOf(fieldsOf(item)) ?? String(index), fieldsOf(item)]));
}

function nameOf({ path, name, os, arch }: Fields): string | undefined {
  const platform = typeof os === "string" && typeof arch === "string" ? `${os}/${arch}` : undefined;
  return [path, name, platform].find((each) => typeof each === "string");
}

/** What is between the equal beginnings and ends of two commands. */
function wordDifference(path: string, [left, right]: Pair<readonly string[]>): Difference {
  const [removed, added] = differingWords(left, right);
  // Words that differ in nothing that may be shown hold other secrets.
  const shown = removed.length + added.length === 0 ? [left, right] : [removed, added];
  const texts = shown.map((words) => (words.length === 0 ? undefined : joinWords(words)));
  return apart({ path, left: texts[0], right: texts[1] });
}

function difference(path: string, values: Pair<Json | undefined>, describe: (value: Json) => string): Difference {
  const texts = values.map((value) => (value === undefined ? undefined : describe(value)));
  return apart({ path, left: texts[0], right: texts[1] });
}

/** Texts that are shortened, or stand for secrets, may be the same. */
function apart({ path, left, right }: Difference): Difference {
  return left === right && right !== undefined ? { path, left, right: `${right}, another` } : { path, left, right };
}

function namesOf(left: object, right: object): string[] {
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].sort();
}

function isCommand(value: Json): boolean {
  return typeof value === "string" && /\s/.test(value);
}

function shownCommand(value: Json | undefined): string[] {
  return typeof value === "string" ? shownWords(value) : [];
}

function wordsOf(items: readonly Json[]): string[] {
  return shownWords(items.map(String));
}

function isList(value: Json): boolean {
  return Array.isArray(value);
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function isFields(value: Json): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldsOf(value: Json | undefined): Fields {
  return value !== undefined && isFields(value) ? (value as Fields) : {};
}
