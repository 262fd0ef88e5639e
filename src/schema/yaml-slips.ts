import type { Document, Node, YAMLParseError } from "yaml";
import { yamlLibrary } from "./yaml-library.js";

/** One problem of a file, by line and column from 1. */
export interface Issue {
  line: number;
  column: number;
  text: string;
}

/** Line and column of an offset. */
export type Position = (offset: number) => { line: number; column: number };

/**
 * What is wrong with a YAML text before any schema is asked: what the parser refuses, keys given twice or changed by
 * being numbers, aliases of nothing, and texts that can be no argument and no variable of a process.
 */
export function findSlips(document: Document, position: Position): Issue[] {
  return [
    ...document.errors.map((error) => ({ ...position(error.pos[0]), text: syntaxError(error) })),
    ...findBadKeys(document, position),
    ...findUnknownAliases(document, position),
    ...findUnspeakable(document, position),
  ];
}

function syntaxError({ code, message }: Pick<YAMLParseError, "code" | "message">): string {
  if (code === "MULTIPLE_DOCS") return "a second document begins here; expected one document in the file";
  if (code === "TAB_AS_INDENT") return "tabs are not allowed as indentation; expected spaces";
  if (message.includes("call stack")) return "the file is nested too deeply";
  return lowerFirst(message);
}

function findBadKeys(document: Document, position: Position): Issue[] {
  const issues: Issue[] = [];
  const { visit } = yamlLibrary();
  visit(document, {
    Map(_, { items }) {
      const firstLines = new Map<string, number>();
      for (const { key } of items) {
        if (!yamlLibrary().isScalar(key)) continue;
        const at = position(startOf(key));
        const name = String(key.value);
        const first = firstLines.get(name);
        if (first !== undefined)
          issues.push({ ...at, text: `"${name}" was given on line ${first} already; expected each key once` });
        else firstLines.set(name, at.line);
        if (name === "__proto__") issues.push({ ...at, text: "__proto__ cannot be a key" });
        if (name === "<<") issues.push({ ...at, text: "merge keys are not supported; expected each key written out" });
        if (typeof key.value === "number" && key.source !== name)
          issues.push({ ...at, text: `the key ${key.source ?? ""} is the number ${name}; expected it in quotes` });
      }
    },
  });
  return issues;
}

function findUnknownAliases(document: Document, position: Position): Issue[] {
  const issues: Issue[] = [];
  const anchors = new Set<string>();
  const { visit } = yamlLibrary();
  visit(document, {
    Alias(_, alias) {
      if (anchors.has(alias.source)) return;
      const text = `nothing is named &${alias.source}; expected an alias of something above`;
      issues.push({ ...position(startOf(alias)), text });
    },
    Value(_, { anchor }) {
      if (anchor !== undefined) anchors.add(anchor);
    },
  });
  return issues;
}

function findUnspeakable(document: Document, position: Position): Issue[] {
  const issues: Issue[] = [];
  const { visit } = yamlLibrary();
  visit(document, {
    Scalar(_, scalar) {
      if (typeof scalar.value !== "string" || !/[\0\p{Surrogate}]/u.test(scalar.value)) return;
      const text = "a text holds a zero byte or half a surrogate pair, which no program takes";
      issues.push({ ...position(startOf(scalar)), text });
    },
  });
  return issues;
}

/** Where the first alias stands; undefined when there is none. */
export function findAlias(document: Document): number | undefined {
  let found: number | undefined;
  const { visit } = yamlLibrary();
  visit(document, {
    Alias(_, alias) {
      found = startOf(alias);
      return visit.BREAK;
    },
  });
  return found;
}

/** False for the empty value of a key that has none. */
export function isWritten({ range }: Node): boolean {
  return range === undefined || range === null || range[1] > range[0];
}

export function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

export function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
