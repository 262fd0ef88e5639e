import { z } from "zod";

import type { Json } from "../lib/canonical.js";
import { mergeLayers } from "./layers.js";
import { describeIssue, placeOf, type FindText } from "./yaml-issues.js";
import { invalid, keyOffset, nodeAt, parseText, valueOffset, type FileIssue, type YamlText } from "./yaml-text.js";

export interface ParsedYaml<Schema extends z.ZodType> {
  /** With defaults. */
  readonly value: z.output<Schema>;
  /** As it was written, without defaults. */
  readonly written: Json;
  /** Where the value at a path stands, or the deepest node on the path that is there; or the key that the path ends in. */
  readonly locate: Locate;
}

export type Locate = (path: readonly PropertyKey[], part?: "key") => Omit<FileIssue, "text">;

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
  largestBytes?: number,
): ParsedYaml<Schema> {
  return readLayers([parseText(text, file, largestBytes)], schema);
}

/**
 * What several texts say together, each over those before it. A problem is told of the text that its value came from.
 *
 * @param merge what they say; a schema may be asked about something else than their plain sum
 */
export function readLayers<Schema extends z.ZodType>(
  texts: readonly [...YamlText[], YamlText],
  schema: Schema,
  merge: (values: readonly unknown[]) => unknown = mergeLayers,
): ParsedYaml<Schema> {
  const own = texts.at(-1) ?? texts[0];
  const blank = texts.find(({ value }) => value === undefined);
  if (blank !== undefined) {
    const text = `the file is empty; expected ${schema.description ?? "a document"}`;
    throw invalid([{ file: blank.file, line: 1, column: 1, text }]);
  }
  const findText = sayerOf(texts, own);
  const value = merge(texts.map((text) => text.value));
  const result = schema.safeParse(value, { reportInput: true, error: listKnownKeys });
  if (!result.success) throw invalid(result.error.issues.flatMap((issue) => describeIssue(issue, findText)));
  const locate: Locate = (path, part) => placeOf(findText(path), part === "key" ? keyOffset : valueOffset, path);
  return { value: result.data, written: value as Json, locate };
}

/** The last text that has something at a path, else at the path above it. */
function sayerOf(texts: readonly YamlText[], own: YamlText): FindText {
  const fromLast = [...texts].reverse();
  return (path) => {
    for (let length = path.length; length > 0; length -= 1) {
      const found = fromLast.find((text) => nodeAt(text, path.slice(0, length)) !== undefined);
      if (found !== undefined) return found;
    }
    return own;
  };
}

/** Tells an unknown key's error which keys there are; other errors keep their own words. */
function listKnownKeys(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== "unrecognized_keys" || !(issue.inst instanceof z.ZodObject)) return undefined;
  return `expected one of ${Object.keys(issue.inst.shape).join(", ")}`;
}
