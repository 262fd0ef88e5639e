import type { z } from "zod";

import { isWritten, lowerFirst } from "./yaml-slips.js";
import { follow, keyOffset, nodeAt, valueOffset, type FileIssue, type YamlText } from "./yaml-text.js";
import { yamlLibrary } from "./yaml-library.js";

/** Which of a document's texts says what is at a path. */
export type FindText = (path: readonly PropertyKey[]) => YamlText;

/** What a schema finds wrong, in words, with its place. */
export function describeIssue(issue: z.core.$ZodIssue, findText: FindText): FileIssue[] {
  const { path } = issue;
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        ...placeOf(findText([...path, key]), keyOffset, [...path, key]),
        text: `unknown key ${keyIn(path, key)}; ${issue.message}`,
      }));
    case "invalid_key":
      return [
        {
          ...placeOf(findText(path), keyOffset, path),
          text: `key ${keyIn(path.slice(0, -1), path.at(-1))}: ${issue.issues.map(expectation).join("; ")}`,
        },
      ];
    default: {
      const meant = meantIssues(issue);
      if (meant.length > 0) return meant.flatMap((each) => describeIssue(each, findText));
      const subject = path.length === 0 ? "the document" : `"${dotted(path)}"`;
      const missing = issue.input === undefined || (issue.code === "invalid_union" && isMissing(issue));
      const text = missing
        ? `${subject} is missing; ${expectation(issue)}`
        : `${subject}: ${expectation(issue)}; got ${excerpt(findText(path), path)}`;
      return [{ ...placeOf(findText(path), valueOffset, path), text }];
    }
  }
}

type FindOffset = typeof keyOffset;

/** Where something of a path stands in a text. */
export function placeOf(text: YamlText, find: FindOffset, path: readonly PropertyKey[]): Omit<FileIssue, "text"> {
  return { file: text.file, ...text.position(find(text.document, path)) };
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
function excerpt({ document, source }: YamlText, path: readonly PropertyKey[]): string {
  if (path.some((key) => typeof key === "string" && secretKey.test(key))) return "a value that is not shown";
  const value = follow(nodeAt({ document }, path), document);
  const { isNode, isScalar } = yamlLibrary();
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

function dotted(path: readonly PropertyKey[]): string {
  return path.map(String).join(".");
}
