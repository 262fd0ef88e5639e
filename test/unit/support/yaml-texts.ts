/** Texts to read: as two libraries write values, as people and programs wrote them and others spoilt them, and soup. */
import { readdirSync, readFileSync } from "node:fs";

import fc from "fast-check";
import { dump } from "js-yaml";
import { stringify } from "yaml";

const awkward = [
  ...["", " ", "~", "null", "Null", "true", "TRUE", "yes", "0", "-0", "007", "0x1f", "0o17", "1e5", "1.", ".5", "-.5"],
  ...["+1", "1_000", "12345678901234567890", ".inf", "-.INF", ".NaN", "0.30.0", "2026.10.11549", "12e34567", "1.0"],
  ...["---", "...", "--- a", "-", "- a", "-a", "--host", "?", "? a", ":", ": a", "a:", "a: b", "a:b", "a #b", "a#b"],
  ...["#", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", "<<", "=", "{}", "[]", "{{a}}", "[a", "a]", "'", "''", '"'],
  ...['"a"', "it's", '"a" b', "\\", "\\u0041", "a\\nb", "a\nb", "a\n", "a\n\n", "\na", "  a\nb", "a\n\nb\n  c\n"],
  ...["a\tb", "\t", "a ", " a", "a, b", "é", "😀", "\u0085", "\u00a0", "\u2028", "\ufeff", "\u0007", "a\r\nb"],
  ...["__proto__", "constructor", "1:2", "12:30:45", "2001-01-01", "word ".repeat(40), `0x${"f".repeat(300)}`],
];
const text = fc.oneof(
  fc.constantFrom(...awkward),
  fc.string({ maxLength: 12 }),
  fc.string({ unit: "grapheme" }),
  fc.stringMatching(/^[-+.0-9eExo_a-f:~ ]{1,8}$/),
);
const scalar = fc.oneof(text, fc.integer(), fc.double(), fc.boolean(), fc.constant(null));

/** Values of any form, with keys of any kind. */
const tree: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  node: fc.oneof(
    { depthSize: "small" },
    scalar,
    fc.array(tie("node"), { maxLength: 4 }),
    fc.dictionary(text, tie("node"), { maxKeys: 4 }),
  ),
})).node;

const writers: readonly ((value: unknown) => string)[] = [
  (value) => stringify(value, { aliasDuplicateObjects: false, lineWidth: 0, sortMapEntries: true }),
  (value) => stringify(value, { collectionStyle: "flow" }),
  (value) => stringify(value, { defaultStringType: "QUOTE_SINGLE", indentSeq: false }),
  (value) => stringify(value, { defaultStringType: "BLOCK_FOLDED", lineWidth: 20 }),
  (value) => stringify(value, { indent: 3, lineWidth: 25, minContentWidth: 0 }),
  (value) => dump(value),
  (value) => dump(value, { flowLevel: 1, quoteStyle: "double" }),
  (value) => dump(value, { lineWidth: 20, seqNoIndent: true }),
];

/** A random value as one of two libraries writes it, in one of its styles. */
export const writtenText = fc.tuple(fc.constantFrom(...writers), tree).map(([write, value]) => write(value));

/** Signs of YAML, and what stands between them. */
const tokens = [
  ...["a", "b", "a: ", "b: ", "c:", '"a": ', "'b': ", "- ", "-", "? ", ": ", ":", "\n", "\n  ", "\n    ", "\n ", " "],
  ...[
    "#",
    " # c",
    "\n# c\n",
    "'",
    '"',
    "'x'",
    '"x"',
    "|",
    "|-",
    "|+",
    ">",
    ">-",
    ">+",
    "|2",
    "|1\n",
    "{",
    "}",
    "[",
    "]",
  ],
  ...[
    ", ",
    ",",
    "{ ",
    " }",
    "&x ",
    "*x",
    "!t ",
    "!!str ",
    "!!int ",
    "%",
    "@",
    "`",
    "---",
    "--- ",
    "\n---\n",
    "\n...\n",
  ],
  ...[
    "%YAML 1.2\n---\n",
    "<<: ",
    "__proto__: ",
    "1: ",
    "1.0: ",
    "null: ",
    "~",
    "=",
    "\\n",
    "\\u0041",
    "\\ud800",
    "\\0",
  ],
  ...["\t", "\\\n", "\r\n", "\r", "\ud800", "\0", "\x7f", "http://x/y?z#q", "word word\n  word", "{{a}}"],
];
const token = fc.oneof(fc.constantFrom(...tokens), fc.constantFrom(...awkward));

/** Signs of YAML in any order. */
export const soup = fc.array(token, { maxLength: 14 }).map((parts) => parts.join(""));

/** A scalar of digits and signs, where values stand. */
export const numberText = fc
  .tuple(
    fc.constantFrom("a: ", "- ", "- - ", "[", "{a: ", "? ", ""),
    fc.stringMatching(/^[-+.0-9eExo_a-fA-FInNf:~]{0,9}$/),
    fc.constantFrom("", "\n", "]", "}", ": 1", ": 1}"),
  )
  .map((parts) => parts.join(""));

const root = new URL("../../../", import.meta.url);
const yamlFiles = ["backends/", "backends/community/", "stacks/", "test/fixtures/recorded/0.1.0/"].flatMap((folder) =>
  readdirSync(new URL(folder, root))
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => readFileSync(new URL(folder + file, root), "utf8")),
);
const pieceLines = 25;
const pieces = yamlFiles.flatMap((file) => {
  const lines = file.split("\n");
  const starts = lines.map((_, index) => index).filter((index) => index % (pieceLines / 2) < 1);
  return starts.map((start) => lines.slice(start, start + pieceLines).join("\n"));
});
const knownLines = [...new Set(yamlFiles.flatMap((file) => file.split("\n")))];

const edits: Readonly<Record<string, (text: string, at: number, token: string, line: string) => string>> = {
  insert: (text, at, token) => splice(Array.from(text), at, 0, token).join(""),
  delete: (text, at) => splice(Array.from(text), at, 1 + (at % 4)).join(""),
  addLine: (text, at, _, line) => splice(text.split("\n"), at, 0, " ".repeat(at % 7) + line).join("\n"),
  dropLine: (text, at) => splice(text.split("\n"), at, 1).join("\n"),
  indent: (text, at) => {
    const lines = text.split("\n");
    const line = lines[at % lines.length] ?? "";
    return splice(lines, at % lines.length, 1, " ".repeat(at % 5) + line.trimStart()).join("\n");
  },
};

function splice(parts: readonly string[], at: number, count: number, ...added: string[]): string[] {
  return parts.toSpliced(parts.length === 0 ? 0 : at % (parts.length + 1), count, ...added);
}

/** Pieces of stack files, backends and locks that somebody changed without care. */
export const spoiltText = fc
  .tuple(
    fc.constantFrom(...pieces),
    fc.array(fc.tuple(fc.constantFrom(...Object.values(edits)), fc.nat(2000), token, fc.constantFrom(...knownLines)), {
      maxLength: 4,
    }),
  )
  .map(([piece, changes]) => changes.reduce((text, [edit, ...how]) => edit(text, ...how), piece));
