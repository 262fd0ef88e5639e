import type { Document, Pair, YAMLMap } from "yaml";

import { BerthError } from "../lib/errors.js";
import { printable } from "../lib/printable.js";
import { findAlias, findSlips, isWritten, startOf, type Issue, type Position } from "./yaml-slips.js";
import { readValues } from "./yaml-values.js";
import { yamlLibrary } from "./yaml-library.js";

/** Larger files are refused before they are parsed. */
export const largestDocumentBytes = 1_000_000;
const mostAliases = 100;
const mostIssuesShown = 10;

/** A YAML text that was parsed, and what stands where in it. */
export interface YamlText {
  /** As people know it. */
  readonly file: string;
  readonly source: string;
  readonly document: Document;
  /** Of an offset. */
  readonly position: Position;
  /** Undefined for a text that says nothing. */
  readonly value: unknown;
}

/** A problem of a document that may be made of several files. */
export interface FileIssue extends Issue {
  readonly file: string;
}

/**
 * Parses a YAML text. What is wrong with it before any schema is asked is told with `file:line:column`, for the first ten
 * problems at once.
 */
export function parseText(text: string, file: string, largestBytes = largestDocumentBytes): YamlText {
  if (Buffer.byteLength(text) > largestBytes) throw tooLarge(file, Buffer.byteLength(text), largestBytes);
  const source = text.replace(/^\uFEFF/, "");
  const read = readValues(source);
  return read === undefined ? parseWhole(source, file) : laterWhole(source, file, read.value);
}

/** What stands where is asked for errors alone: the whole text is parsed then. */
function laterWhole(source: string, file: string, value: unknown): YamlText {
  let whole: YamlText | undefined;
  return {
    ...{ file, source, value },
    get document() {
      return (whole ??= parseWhole(source, file)).document;
    },
    get position() {
      return (whole ??= parseWhole(source, file)).position;
    },
  };
}

/**
 * {@link parseText} by the parser that knows where everything stands, and all that is wrong. It takes several times as
 * long.
 */
export function parseWhole(source: string, file: string): YamlText {
  const { LineCounter, parseDocument } = yamlLibrary();
  const lines = new LineCounter();
  // Repeated keys are found below and not by the parser, which compares each key with each.
  const document = parseDocument(source, {
    lineCounter: lines,
    uniqueKeys: false,
    prettyErrors: false,
    version: "1.2",
  });
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const slips = findSlips(document, position);
  if (slips.length > 0) throw invalid(slips.map((slip) => ({ ...slip, file })));
  const value = isEmpty(document.contents) ? undefined : toPlain(document, file, position);
  return { file, source, document, position, value };
}

/** The error for a file that is too large, which may be known before it is read. */
export function tooLarge(file: string, bytes: number, largestBytes = largestDocumentBytes): BerthError {
  return new BerthError("file-too-large", {
    where: `${file}:1:1`,
    what: "the file is too large",
    got: `${bytes} bytes`,
    expected: `at most ${largestBytes} bytes`,
  });
}

/** No document at all, or one of which nothing but its beginning is written. */
function isEmpty(contents: unknown): boolean {
  const { isScalar } = yamlLibrary();
  return contents === null || (isScalar(contents) && contents.value === null && !isWritten(contents));
}

function toPlain(document: Document, file: string, position: Position): unknown {
  try {
    return document.toJS({ maxAliasCount: mostAliases });
  } catch (error) {
    const { line, column } = position(findAlias(document) ?? 0);
    throw new BerthError("file-invalid", {
      where: `${file}:${line}:${column}`,
      what: "the file's aliases grow too large",
      expected: `at most ${mostAliases} nodes by way of aliases`,
      cause: error,
    });
  }
}

/** The error that tells problems in the order of their places. */
export function invalid(issues: readonly FileIssue[]): BerthError {
  const files = [...new Set(issues.map(({ file }) => file))];
  const sorted = [...issues].sort(
    (a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
  );
  const shown = sorted
    .slice(0, mostIssuesShown)
    .map(({ file, line, column, text }) => `${file}:${line}:${column}: ${printable(text)}`);
  if (sorted.length > shown.length) shown.push(`and ${sorted.length - shown.length} more`);
  return new BerthError("file-invalid", { what: shown.join("\n") });
}

export function follow(node: unknown, document: Document): unknown {
  return yamlLibrary().isAlias(node) ? node.resolve(document) : node;
}

/** The node at a path; undefined when there is none. */
export function nodeAt({ document }: Pick<YamlText, "document">, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((parent, key) => child(follow(parent, document), key), document.contents);
}

/** Of the key that a path ends in, else of what would have it. */
export function keyOffset(document: Document, path: readonly PropertyKey[]): number {
  const parent = path.slice(0, -1).reduce<unknown>((node, key) => child(node, key), document.contents);
  const key = pairOf(parent, path.at(-1) ?? "")?.key;
  const { isNode } = yamlLibrary();
  if (isNode(key)) return startOf(key);
  return isNode(parent) ? startOf(parent) : 0;
}

/** The offset of the deepest node on the path that is there. */
export function valueOffset(document: Document, path: readonly PropertyKey[]): number {
  const { isNode } = yamlLibrary();
  let node: unknown = document.contents;
  for (const key of path) {
    const next = child(node, key);
    if (!isNode(next)) break;
    node = next;
  }
  return isNode(node) ? startOf(node) : 0;
}

function child(node: unknown, key: PropertyKey): unknown {
  return yamlLibrary().isSeq(node) ? node.items[Number(key)] : pairOf(node, key)?.value;
}

const indexes = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();

/** A map's pair by its key as it is in the parsed value, a text. Each map is searched once, also for very many keys. */
function pairOf(node: unknown, key: PropertyKey): Pair | undefined {
  const { isMap, isScalar } = yamlLibrary();
  if (!isMap(node)) return undefined;
  const index =
    indexes.get(node) ??
    new Map(node.items.map((pair) => [isScalar(pair.key) ? String(pair.key.value) : "", pair] as const));
  indexes.set(node, index);
  return index.get(String(key));
}
