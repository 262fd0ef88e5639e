import { isCollection, isMap, isNode, isPair, isSeq, YAMLMap, YAMLSeq } from "yaml";
import type { CST, Node } from "yaml";

import { printFormatted } from "./formatted-yaml.js";
import { anchorOf, assertSays, findShared, shared, type CollectionBefore, type YamlEdit } from "./yaml-edit.js";

/** A part of the text with what comes into its place. */
interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** Where a collection stands. */
interface Place {
  /** Behind a key on lines of its own, behind a dash, or within brackets. */
  readonly kind: "key" | "dash" | "brackets";
  /** Column of its lines after the first. */
  readonly indent: number;
  /** The outermost part with an anchor that it is in. */
  readonly anchored: Node | undefined;
}

/**
 * The text of a document that was changed: what was added, changed and taken away is printed by the library, and every
 * other letter is as it was, comments, order and line ends too. Collections keep the order of what was in them.
 *
 * @throws BerthError `file-invalid` with its place where other parts of the file would change by anchor and alias, and
 * where the file is written so that it cannot be changed in place
 */
export function printEdit(edit: YamlEdit): string {
  const { contents } = edit.document;
  const splices = isCollection(contents)
    ? changesIn(edit, contents, { kind: "key", indent: 0, anchored: undefined })
    : [];
  let text = "";
  let at = 0;
  for (const { from, to, text: inserted } of splices) {
    text += edit.text.slice(at, from) + inserted;
    at = Math.max(at, to);
  }
  const printed = text + edit.text.slice(at);
  assertSays(printed, edit);
  return printed;
}

type Collection = YAMLMap | YAMLSeq;

/** In the order of the text. */
function changesIn(edit: YamlEdit, node: Collection, outer: Place): Splice[] {
  const before = edit.before.get(node);
  if (before === undefined) return [];
  const place = { ...outer, anchored: outer.anchored ?? (anchorOf(node) === undefined ? undefined : node) };
  const isFlow = place.kind === "brackets" || node.flow === true;
  const now = new Set<unknown>(node.items);
  const isLess = before.items.some((item) => !now.has(item));
  if (before.flow && (!isFlow || isLess || (before.items.length === 0 && node.items.length > 0)))
    return printAnew(edit, node, place, isFlow);
  return before.flow ? changesInBrackets(edit, node, before, place) : changesInLines(edit, node, before, place);
}

function changesInBrackets(edit: YamlEdit, node: Collection, before: CollectionBefore, place: Place): Splice[] {
  const first = node.items.find((item) => before.places.has(item));
  let hasBefore = false;
  let last = 0;
  return node.items.flatMap((item) => {
    if (before.places.has(item)) {
      hasBefore = true;
      last = endOf(before, item);
      return changesOfItem(edit, item, before, { ...place, kind: "brackets" });
    }
    refuseAnchored(edit, place);
    const text = printFormatted(wrapped(node, item, true)).join(" ");
    const inner = text.slice(1, -1).trim();
    const at = hasBefore ? last : beginOf(first);
    return [{ from: at, to: at, text: hasBefore ? `, ${inner}` : `${inner}, ` }];
  });
}

function changesInLines(edit: YamlEdit, node: Collection, before: CollectionBefore, place: Place): Splice[] {
  const { text } = edit;
  const column = columnOf(text, node.range?.[0] ?? 0);
  const splices: Splice[] = [];
  const now = new Set<unknown>(node.items);
  let last: unknown;
  // Items that were taken away are looked at too: what is new stands beside them.
  for (const item of merged(node.items, before.items)) {
    if (!before.places.has(item)) {
      refuseAnchored(edit, place);
      splices.push(insertLines(edit, printFormatted(wrapped(node, item, false)), { node, before, last, column }));
      continue;
    }
    if (now.has(item)) {
      const indent = isMap(node) ? column + 2 : columnOf(text, startOf(item));
      splices.push(...changesOfItem(edit, item, before, { ...place, kind: isMap(node) ? "key" : "dash", indent }));
    } else {
      refuseAnchored(edit, place);
      refuseShared(edit, isPair(item) ? item.value : item);
      splices.push(cut(edit, node, before, item));
    }
    last = item;
  }
  return splices;
}

/** What is in an item, or is the value of a pair. */
function changesOfItem(edit: YamlEdit, item: unknown, before: CollectionBefore, place: Place): Splice[] {
  if (!isPair(item)) return isCollection(item) ? changesIn(edit, item, place) : [];
  const old = before.values[placeOf(before, item)];
  const { value } = item;
  if (value === old) return isCollection(value) ? changesIn(edit, value, place) : [];
  refuseAnchored(edit, place);
  refuseShared(edit, old);
  if (!isNode(value) || !isNode(old)) return [];
  const [from = 0, to = 0] = old.range ?? [];
  // Of a text in a block the line's end is a part.
  const end = /\r?\n?$/.exec(edit.text.slice(from, to))?.[0] ?? "";
  return [{ from, to, text: printFormatted(value).join(" ") + end }];
}

/** A part that is to stand otherwise than it did. Comments before and behind it are not its own, and stay. */
function printAnew(edit: YamlEdit, node: Collection, place: Place, isFlow: boolean): Splice[] {
  refuseAnchored(edit, place);
  refuseShared(edit, node);
  const { text } = edit;
  const [from = 0, to = 0] = node.range ?? [];
  const bare = isMap(node) ? new YAMLMap() : new YAMLSeq();
  Object.assign(bare, { items: node.items, flow: isFlow });
  const lines = printFormatted(bare);
  const lineBreak = lineBreakOf(text);
  if (isFlow || place.kind !== "key") return [{ from, to, text: lines.join(lineBreak + " ".repeat(place.indent)) }];
  const blanks = /[ \t]*$/.exec(text.slice(0, from))?.[0].length ?? 0;
  return [{ from: from - blanks, to, text: "" }, linesAt(edit, lineAfter(text, to), lines, place.indent)];
}

/** Before the item that comes next, above its comments; where there is none, behind the one before. */
function insertLines(
  edit: YamlEdit,
  lines: readonly string[],
  { node, before, last, column }: { node: Collection; before: CollectionBefore; last: unknown; column: number },
): Splice {
  const { text } = edit;
  const floor = last === undefined ? 0 : lineAfter(text, endOf(before, last));
  const next = placeOf(before, last) + 1;
  if (next === before.items.length) return linesAt(edit, floor, lines, column);
  const begin = tokenBegin(node, next);
  let at = lineBegin(text, begin);
  // The first pair of a map behind a dash.
  if (text.slice(at, begin).trim() !== "") {
    const lineBreak = lineBreakOf(text) + " ".repeat(column);
    return { from: begin, to: begin, text: lines.map((line) => line + lineBreak).join("") };
  }
  for (let above = lineBegin(text, at - 1); above >= floor && at > floor; above = lineBegin(text, at - 1)) {
    const comment = /^ *(?=#)/.exec(text.slice(above, at))?.[0];
    // One that stands further in is about what is above it.
    if (comment === undefined || comment.length > column) break;
    at = above;
  }
  return linesAt(edit, at, lines, column);
}

/** A comment behind what is taken away stays where it is. */
function cut({ text }: YamlEdit, node: Collection, before: CollectionBefore, item: unknown): Splice {
  const index = placeOf(before, item);
  const begin = tokenBegin(node, index);
  const end = endOf(before, item);
  const rest = lineAfter(text, end);
  const blanks = /^[ \t]*/.exec(text.slice(end))?.[0].length ?? 0;
  if (text.slice(end, rest).trim() !== "") return { from: begin, to: end + blanks, text: "" };
  const line = lineBegin(text, begin);
  if (text.slice(line, begin).trim() === "") return { from: line, to: rest, text: "" };
  const next = index + 1 < before.items.length ? tokenBegin(node, index + 1) : end;
  return { from: begin, to: next, text: "" };
}

function refuseAnchored(edit: YamlEdit, { anchored }: Place): void {
  if (anchored !== undefined) throw shared(edit, anchored);
}

function refuseShared(edit: YamlEdit, node: unknown): void {
  const found = findShared(node);
  if (found !== undefined) throw shared(edit, found);
}

function endOf(before: CollectionBefore, item: unknown): number {
  return before.ends[placeOf(before, item)] ?? 0;
}

function placeOf({ places }: CollectionBefore, item: unknown): number {
  return places.get(item) ?? -1;
}

/** One item in a collection of its own. */
function wrapped(node: Collection, item: unknown, flow: boolean): Collection {
  return isSeq(node)
    ? Object.assign(new YAMLSeq(), { items: [item], flow })
    : Object.assign(new YAMLMap(), { items: [item], flow });
}

/** The items as they are now, and each that was taken away behind the one that it was behind. */
function merged(now: readonly unknown[], before: readonly unknown[]): unknown[] {
  const all: unknown[] = [...now];
  const there = new Set(now);
  for (const [index, item] of before.entries()) {
    if (!there.has(item)) all.splice(index === 0 ? 0 : all.indexOf(before[index - 1]) + 1, 0, item);
  }
  return all;
}

function startOf(item: unknown): number {
  return isNode(item) ? (item.range?.[0] ?? 0) : 0;
}

function beginOf(item: unknown): number {
  return startOf(isPair(item) ? item.key : item);
}

/** Where an item of a list or map on lines of its own begins: its dash, or its key with what is before that. */
function tokenBegin(node: Collection, index: number): number {
  const token = node.srcToken;
  const item = token !== undefined && "items" in token ? token.items[index] : undefined;
  const marks = (item?.start ?? []).filter(({ type }: CST.SourceToken) => !blank.includes(type));
  return marks[0]?.offset ?? item?.key?.offset ?? item?.value?.offset ?? 0;
}

const blank: readonly string[] = ["space", "newline", "comment"];

function linesAt({ text }: YamlEdit, at: number, lines: readonly string[], column: number): Splice {
  const lineBreak = lineBreakOf(text);
  const indented = lines.map((line) => (line === "" ? "" : " ".repeat(column) + line));
  const isWithin = at < text.length || text.endsWith("\n");
  const inserted = indented.map((line) => (isWithin ? line + lineBreak : lineBreak + line)).join("");
  return { from: at, to: at, text: inserted };
}

function lineBreakOf(text: string): string {
  return /\r?\n/.exec(text)?.[0] ?? "\n";
}

function columnOf(text: string, offset: number): number {
  return offset - lineBegin(text, offset);
}

function lineBegin(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

/** Where the line after an offset begins; a block's end is there already. */
function lineAfter(text: string, offset: number): number {
  if (offset > 0 && text[offset - 1] === "\n") return offset;
  const end = text.indexOf("\n", offset);
  return end < 0 ? text.length : end + 1;
}
