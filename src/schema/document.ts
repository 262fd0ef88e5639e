import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from "yaml";
import type { z } from "zod";

import { BerthError } from "../lib/errors.js";

/** Larger files are refused before they are parsed. */
export const largestDocumentBytes = 1_000_000;
const mostAliases = 100;
const mostIssuesShown = 10;

interface Issue {
  line: number;
  column: number;
  text: string;
}

/**
 * Parses a YAML text by a schema. Every error names `file:line:column`, what it got and what was expected, for the
 * first ten problems at once.
 */
export function parseYaml<Schema extends z.ZodType>(text: string, file: string, schema: Schema): z.output<Schema> {
  if (Buffer.byteLength(text) > largestDocumentBytes) {
    throw new BerthError("file-too-large", {
      where: file,
      what: "the file is too large",
      got: `${Buffer.byteLength(text)} bytes`,
      expected: `at most ${largestDocumentBytes} bytes`,
    });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false, version: "1.2" });
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };

  if (document.errors.length > 0) {
    throw invalid(
      file,
      document.errors.map((error) => ({ ...position(error.pos[0]), text: lowerFirst(error.message) })),
    );
  }
  if (document.contents === null) {
    throw invalid(file, [
      { line: 1, column: 1, text: `the file is empty; expected ${schema.description ?? "a document"}` },
    ]);
  }

  const value = toPlain(document, file);
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw invalid(
    file,
    result.error.issues.flatMap((issue) => describeIssue(issue, document, position)),
  );
}

function toPlain(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: mostAliases });
  } catch (error) {
    throw new BerthError("file-invalid", {
      where: `${file}:1:1`,
      what: "the file's aliases grow too large",
      expected: `at most ${mostAliases} nodes by way of aliases`,
      cause: error,
    });
  }
}

type Position = (offset: number) => { line: number; column: number };

function describeIssue(issue: z.core.$ZodIssue, document: Document, position: Position): Issue[] {
  const { path } = issue;
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        ...position(keyOffset(document, [...path, key])),
        text: `unknown key "${key}"${path.length === 0 ? "" : ` in "${dotted(path)}"`}`,
      }));
    case "invalid_key":
      return [
        {
          ...position(keyOffset(document, path)),
          text: `key "${dotted(path)}": ${issue.issues.map(expectation).join("; ")}`,
        },
      ];
    default: {
      const subject = path.length === 0 ? "the document" : `"${dotted(path)}"`;
      const missing = issue.input === undefined || (issue.code === "invalid_union" && isMissing(issue));
      const text = missing
        ? `${subject} is missing; ${expectation(issue)}`
        : `${subject}: ${expectation(issue)}; got ${excerpt(document, path)}`;
      return [{ ...position(valueOffset(document, path)), text }];
    }
  }
}

/** A union whose discriminating key is not there. */
function isMissing(issue: z.core.$ZodIssueInvalidUnion): boolean {
  const { discriminator, input } = issue;
  return discriminator !== undefined && typeof input === "object" && input !== null && !(discriminator in input);
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_union" && "options" in issue) {
    return `expected ${(issue.options ?? []).map((option) => JSON.stringify(option)).join(" or ")}`;
  }
  return lowerFirst(issue.message.replace(/^Invalid input: /, "").replace(/, received .*$/, ""));
}

/** The value as it stands in the file, so that `0.10` is not told as 0.1. */
function excerpt(document: Document, path: readonly PropertyKey[]): string {
  const node = path.reduce<unknown>((parent, key) => child(parent, key), document.contents);
  if (!isNode(node)) return "nothing";
  const plain = isScalar(node) && typeof node.value !== "string" ? node.source : undefined;
  const text = plain ?? JSON.stringify(node.toJS(document, { maxAliasCount: mostAliases }));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function dotted(path: readonly PropertyKey[]): string {
  return path.map(String).join(".");
}

function keyOffset(document: Document, path: readonly PropertyKey[]): number {
  const parent = path.slice(0, -1).reduce<unknown>((node, key) => child(node, key), document.contents);
  const last = path.at(-1);
  if (isMap(parent)) {
    const pair = parent.items.find((item) => isScalar(item.key) && String(item.key.value) === String(last));
    if (pair !== undefined && isNode(pair.key)) return startOf(pair.key);
  }
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
  if (isMap(node) || isSeq(node)) return node.get(typeof key === "symbol" ? String(key) : key, true);
  return undefined;
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

function invalid(file: string, issues: Issue[]): BerthError {
  const sorted = [...issues].sort((a, b) => a.line - b.line || a.column - b.column);
  const shown = sorted.slice(0, mostIssuesShown).map(({ line, column, text }) => `${file}:${line}:${column}: ${text}`);
  if (sorted.length > shown.length) shown.push(`and ${sorted.length - shown.length} more`);
  return new BerthError("file-invalid", { what: shown.join("\n") });
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
