import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { Document, Pair, YAMLMap } from "yaml";
import { z } from "zod";

import type { Json } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { printable } from "../lib/printable.js";
import { findAlias, findSlips, isWritten, lowerFirst, startOf, type Issue, type Position } from "./yaml-slips.js";

/** Larger files are refused before they are parsed. */
export const largestDocumentBytes = 1_000_000;
const mostAliases = 100;
const mostIssuesShown = 10;

export interface ParsedYaml<Schema extends z.ZodType> {
  /** With defaults. */
  readonly value: z.output<Schema>;
  /** As it was written, without defaults. */
  readonly written: Json;
  /** Where the value at a path stands, or the deepest node on the path that is there; or the key that the path ends in. */
  readonly locate: (path: readonly PropertyKey[], part?: "key") => { line: number; column: number };
}

/** What a YAML text says by a schema; see {@link readYaml}. */
export function parseYaml<Schema extends z.ZodType>(
  text: string,
  file: string,
  schema: Schema,
  largestBytes?: number,
): z.output<Schema> {
  return readYaml(text, file, schema, largestBytes).value;
}

/**
 * Parses a YAML text by a schema. Every error names `file:line:column`, what it got and what was expected, for the
 * first ten problems at once.
 */
export function readYaml<Schema extends z.ZodType>(
  text: string,
  file: string,
  schema: Schema,
  largestBytes = largestDocumentBytes,
): ParsedYaml<Schema> {
  if (Buffer.byteLength(text) > largestBytes) throw tooLarge(file, Buffer.byteLength(text), largestBytes);
  const source = text.replace(/^\uFEFF/, "");
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
  if (slips.length > 0) throw invalid(file, slips);
  if (isEmpty(document.contents)) {
    throw invalid(file, [
      { line: 1, column: 1, text: `the file is empty; expected ${schema.description ?? "a document"}` },
    ]);
  }

  const value = toPlain(document, file, position);
  const result = schema.safeParse(value, { reportInput: true, error: listKnownKeys });
  if (result.success) {
    const locate: ParsedYaml<Schema>["locate"] = (path, part) =>
      position(part === "key" ? keyOffset(document, path) : valueOffset(document, path));
    return { value: result.data, written: value as Json, locate };
  }
  throw invalid(
    file,
    result.error.issues.flatMap((issue) => describeIssue(issue, { document, source, position })),
  );
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

/** Tells an unknown key's error which keys there are; other errors keep their own words. */
function listKnownKeys(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== "unrecognized_keys" || !(issue.inst instanceof z.ZodObject)) return undefined;
  return `expected one of ${Object.keys(issue.inst.shape).join(", ")}`;
}

interface Parsed {
  document: Document;
  source: string;
  position: Position;
}

function describeIssue(issue: z.core.$ZodIssue, parsed: Parsed): Issue[] {
  const { path } = issue;
  const { document, position } = parsed;
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        ...position(keyOffset(document, [...path, key])),
        text: `unknown key ${keyIn(path, key)}; ${issue.message}`,
      }));
    case "invalid_key":
      return [
        {
          ...position(keyOffset(document, path)),
          text: `key ${keyIn(path.slice(0, -1), path.at(-1))}: ${issue.issues.map(expectation).join("; ")}`,
        },
      ];
    default: {
      const meant = meantIssues(issue);
      if (meant.length > 0) return meant.flatMap((each) => describeIssue(each, parsed));
      const subject = path.length === 0 ? "the document" : `"${dotted(path)}"`;
      const missing = issue.input === undefined || (issue.code === "invalid_union" && isMissing(issue));
      const text = missing
        ? `${subject} is missing; ${expectation(issue)}`
        : `${subject}: ${expectation(issue)}; got ${excerpt(parsed, path)}`;
      return [{ ...position(valueOffset(document, path)), text }];
    }
  }
}

function keyIn(path: readonly PropertyKey[], key: PropertyKey = ""): string {
  return path.length === 0 ? `"${String(key)}"` : `"${String(key)}" in "${dotted(path)}"`;
}

/** Of a value that may be of several types: what is wrong with it as the one that it is. None for other issues. */
function meantIssues(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union" || issue.message !== "Invalid input") return [];
  const ofItsType = issue.errors.filter(
    (issues) => !issues.some(({ code, path }) => code === "invalid_type" && path.length === 0),
  );
  return ofItsType.length === 1
    ? (ofItsType[0] ?? []).map((each) => ({ ...each, path: [...issue.path, ...each.path] }))
    : [];
}

/** A union whose discriminating key is not there. */
function isMissing(issue: z.core.$ZodIssueInvalidUnion): boolean {
  const { discriminator, input } = issue;
  return discriminator !== undefined && typeof input === "object" && input !== null && !(discriminator in input);
}

/** What zod calls a type, in words of YAML. */
const typeNames: Readonly<Record<string, string>> = {
  object: "a map",
  record: "a map",
  array: "a list",
  tuple: "a list",
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
};

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_union" && "options" in issue) {
    return `expected ${(issue.options ?? []).map((option) => JSON.stringify(option)).join(" or ")}`;
  }
  return lowerFirst(issue.message.replace(/^Invalid input: /, "").replace(/, received .*$/, ""))
    .replace(/^expected (\w+)$/, (_, type: string) => `expected ${typeNames[type] ?? type}`)
    .replace(
      /^invalid option: expected one of (.*)$/,
      (_, values: string) => `expected ${values.replaceAll("|", " or ")}`,
    );
}

const longestExcerpt = 80;
/** What stands there in plain text by mistake may be the secret itself. */
const secretKey = /(?:key|token|password|secretEnv)$/i;

/** The value as it stands in the file, so that `0.10` is not told as 0.1. Without user, password and query of an address. */
function excerpt({ document, source }: Parsed, path: readonly PropertyKey[]): string {
  if (path.some((key) => typeof key === "string" && secretKey.test(key))) return "a value that is not shown";
  const node = path.reduce<unknown>((parent, key) => child(follow(parent, document), key), document.contents);
  const value = follow(node, document);
  if (!isNode(value) || !isWritten(value)) return "nothing";
  const [from, to] = value.range ?? [0, 0];
  const plain = isScalar(value) && typeof value.value === "string" ? JSON.stringify(value.value) : undefined;
  const whole = plain ?? source.slice(from, to).replace(/\s+/g, " ").trim();
  const text = whole
    .replace(/\/\/[^/@\s"]*@/g, "//[secret]@")
    .replace(/(^|["\s])[^/@\s":]+:[^/@\s"]*@/g, "$1[secret]@")
    .replace(/(:\/\/[^\s"?#]*\?)[^\s"#]+/g, "$1[secret]");
  return text.length > longestExcerpt ? `${text.slice(0, longestExcerpt - 3)}...` : text;
}

function follow(node: unknown, document: Document): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function dotted(path: readonly PropertyKey[]): string {
  return path.map(String).join(".");
}

function keyOffset(document: Document, path: readonly PropertyKey[]): number {
  const parent = path.slice(0, -1).reduce<unknown>((node, key) => child(node, key), document.contents);
  const key = pairOf(parent, path.at(-1) ?? "")?.key;
  if (isNode(key)) return startOf(key);
  return isNode(parent) ? startOf(parent) : 0;
}

/** The offset of the deepest node on the path that is there. */
function valueOffset(document: Document, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  for (const key of path) {
    const next = child(node, key);
    if (!isNode(next)) break;
    node = next;
  }
  return isNode(node) ? startOf(node) : 0;
}

function child(node: unknown, key: PropertyKey): unknown {
  return isSeq(node) ? node.items[Number(key)] : pairOf(node, key)?.value;
}

const indexes = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();

/** A map's pair by its key as it is in the parsed value, a text. Each map is searched once, also for very many keys. */
function pairOf(node: unknown, key: PropertyKey): Pair | undefined {
  if (!isMap(node)) return undefined;
  const index =
    indexes.get(node) ??
    new Map(node.items.map((pair) => [isScalar(pair.key) ? String(pair.key.value) : "", pair] as const));
  indexes.set(node, index);
  return index.get(String(key));
}

function invalid(file: string, issues: Issue[]): BerthError {
  const sorted = [...issues].sort((a, b) => a.line - b.line || a.column - b.column);
  const shown = sorted
    .slice(0, mostIssuesShown)
    .map(({ line, column, text }) => `${file}:${line}:${column}: ${printable(text)}`);
  if (sorted.length > shown.length) shown.push(`and ${sorted.length - shown.length} more`);
  return new BerthError("file-invalid", { what: shown.join("\n") });
}
