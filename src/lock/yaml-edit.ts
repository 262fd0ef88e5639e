import { isDeepStrictEqual } from "node:util";

import { isAlias, isCollection, isMap, isNode, isPair, isScalar, isSeq, visit, YAMLMap, YAMLSeq } from "yaml";
import type { Document, Node, Pair } from "yaml";

import { BerthError } from "../lib/errors.js";
import { parseText } from "../schema/yaml-text.js";
import { parseFormatted } from "./formatted-yaml.js";

/** A YAML text whose document the library changes; `printEdit` prints what is changed, and leaves all else as it is. */
export interface YamlEdit {
  readonly text: string;
  /** As people know it. */
  readonly file: string;
  readonly document: Document;
  /** What was in each collection. */
  readonly before: ReadonlyMap<unknown, CollectionBefore>;
}

/** Items of a list, or pairs of a map with the values that they had. */
export interface CollectionBefore {
  readonly items: readonly unknown[];
  readonly places: ReadonlyMap<unknown, number>;
  readonly values: readonly unknown[];
  /** Where the last value in each of them ends in the text. */
  readonly ends: readonly number[];
  readonly flow: boolean;
}

/** @throws BerthError `file-invalid` where the text is no YAML */
export function openEdit(text: string, file: string): YamlEdit {
  parseText(text, file);
  const document = parseFormatted(text);
  const before = new Map<unknown, CollectionBefore>();
  visit(document, {
    Collection(_, node) {
      const items: readonly unknown[] = [...node.items];
      const values = items.map((item) => (isPair(item) ? item.value : item));
      const places = new Map(items.map((item, place) => [item, place] as const));
      before.set(node, { items, places, values, ends: items.map(endOf), flow: node.flow === true });
    },
  });
  return { text, file, document, before };
}

/** What a text that was printed says has to be what its document was changed to. */
export function assertSays(text: string, edit: YamlEdit): void {
  const { document, file } = edit;
  const after = parseFormatted(text);
  if (after.errors.length === 0 && isDeepStrictEqual(after.toJS(), document.toJS())) return;
  throw new BerthError("file-invalid", {
    ...{ where: `${file}:1:1`, what: "the file is written in a way in which it cannot be changed in place" },
    hint: "write its lists and maps in lines of their own, as Berth's own files have them, and run this again",
  });
}

/** The map under a key; a new one where there is none. */
export function mapUnder(edit: YamlEdit, parent: YAMLMap, key: string): YAMLMap {
  const found = own(edit, parent.get(key, true));
  if (isMap(found)) return openUp(found);
  const map = new YAMLMap();
  addPair(edit, parent, key, map);
  return map;
}

/** The list under a key; a new one where there is none. */
export function listUnder(edit: YamlEdit, parent: YAMLMap, key: string): YAMLSeq {
  const found = own(edit, parent.get(key, true));
  if (isSeq(found)) return openUp(found);
  const list = new YAMLSeq();
  addPair(edit, parent, key, list);
  return list;
}

/**
 * Adds a key to a map that does not have it.
 *
 * @throws BerthError `file-invalid` with its place where a key of the map is an alias, which may be the same
 */
export function addPair(edit: YamlEdit, parent: YAMLMap, key: string, node: Node): void {
  for (const pair of parent.items) own(edit, pair.key);
  const pair: Pair = edit.document.createPair(key, node);
  parent.items.push(pair);
}

/** The map that the whole file is. */
export function rootOf(edit: YamlEdit): YAMLMap {
  const { contents } = edit.document;
  if (isMap(contents)) return contents;
  throw new BerthError("file-invalid", { where: `${edit.file}:1:1`, what: "the file is no map" });
}

/** The maps of a list, each with what it says where it is an alias. */
export function mapsOf({ document }: YamlEdit, list: YAMLSeq): { readonly item: unknown; readonly map: YAMLMap }[] {
  return list.items.flatMap((item) => {
    const map = isAlias(item) ? item.resolve(document) : item;
    return isMap(map) ? [{ item, map }] : [];
  });
}

/** A text under a key; undefined where there is none. */
export function textUnder({ document }: YamlEdit, map: YAMLMap, key: string): string | undefined {
  const node = map.get(key, true);
  const value: unknown = isAlias(node) ? node.resolve(document) : node;
  return isScalar(value) && typeof value.value === "string" ? value.value : undefined;
}

/** The keys of a map of the file; none where it has no such map. */
export function keysUnder({ document }: YamlEdit, map: YAMLMap, key: string): string[] {
  const node = map.get(key, true);
  const found: unknown = isAlias(node) ? node.resolve(document) : node;
  return isMap(found) ? found.items.map(({ key: name }) => (isScalar(name) ? String(name.value) : "")) : [];
}

/**
 * What is to be changed, which is there for itself alone.
 *
 * @throws BerthError `file-invalid` with its place for an alias
 */
export function own(edit: YamlEdit, node: unknown): unknown {
  if (isAlias(node)) throw shared(edit, node);
  return node;
}

/** The error for a part that is to be changed, and that other parts of the file use, or that is such a part. */
export function shared({ text, file }: YamlEdit, node: Node): BerthError {
  const begin = node.range?.[0] ?? 0;
  const anchor = anchorOf(node);
  // An anchor stands before what has it.
  const at = anchor === undefined ? begin : Math.max(0, text.lastIndexOf(`&${anchor}`, begin));
  const lines = text.slice(0, at).split("\n");
  const where = `${file}:${lines.length}:${(lines.at(-1) ?? "").length + 1}`;
  return new BerthError("file-invalid", {
    where,
    what: isAlias(node)
      ? `*${node.source} stands in the place of what is to be changed, and changes with other parts of the file`
      : `what is to be changed is in &${anchor ?? ""}, so that other parts of the file would change with it`,
    hint: "write it out in each place, without the anchor and its aliases, and run this again",
  });
}

/** The first anchor or alias in a part of the file; undefined where there is none. */
export function findShared(node: unknown): Node | undefined {
  let found: Node | undefined;
  const look = (_: unknown, one: Node): symbol | undefined => {
    if (!isAlias(one) && anchorOf(one) === undefined) return undefined;
    found = one;
    return visit.BREAK;
  };
  if (isAlias(node) || isScalar(node) || isCollection(node)) visit(node, { Node: look });
  return found;
}

export function anchorOf(node: Node): string | undefined {
  return "anchor" in node ? node.anchor : undefined;
}

function endOf(item: unknown): number {
  if (isPair(item)) return Math.max(endOf(item.key), endOf(item.value));
  if (isCollection(item) && item.flow !== true && item.items.length > 0) return endOf(item.items.at(-1));
  return isNode(item) ? (item.range?.[1] ?? 0) : 0;
}

/** An empty list in brackets would have all that is put into it in one line. */
function openUp<T extends YAMLMap | YAMLSeq>(found: T): T {
  if (found.items.length === 0) found.flow = false;
  return found;
}
