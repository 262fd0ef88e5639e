import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";

import { BerthError } from "../../../src/lib/errors.js";
import { parseText, parseWhole } from "../../../src/schema/yaml-text.js";
import { readValues } from "../../../src/schema/yaml-values.js";
import { numberText, soup, spoiltText, writtenText } from "../support/yaml-texts.js";

/** What the parser says that knows where everything stands; undefined where it complains. */
function readWhole(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: parseWhole(text, "stack.yaml").value };
  } catch (error) {
    if (error instanceof BerthError) return undefined;
    throw error;
  }
}

/** Holds when a text is not read at all, or as the other parser reads it, with its keys in the same order. */
function expectNoOther(text: string): void {
  const read = readValues(text);
  if (read === undefined) return;
  const whole = readWhole(text);
  expect(read).toEqual(whole);
  expect(JSON.stringify(read)).toBe(JSON.stringify(whole));
}

/** Where readers of YAML are known to differ, also from YAML 1.1. */
const hostile: readonly [string, string][] = [
  ["words of YAML 1.1", "[yes, no, on, off, y, n, Yes, NO]"],
  ["words of YAML 1.2", "[true, True, TRUE, tRUE, null, Null, NULL, nULL, ~, false]"],
  ["numbers", "[0, -0, +1, 007, 1., .5, -.5, 1e3, 1E-3, 1.5e+3, .5e1, 1e, e1, ., +, +.5, 12e03]"],
  ["numbers of other bases", "[0x1F, 0o17, 017, 0b11, -0x1f, +0o7, 0x, 0o8, 0xg]"],
  ["numbers of YAML 1.1", "[1_000, 190:20:30, 0_1, 1,000]"],
  ["numbers that no double holds", "[12345678901234567890, 9007199254740993, 0.1000000000000000055511151231257827]"],
  ["numbers beyond all doubles", "[1e999, -1e342, 0]"],
  ["a hexadecimal number beyond all doubles", `- 0x${"f".repeat(300)}`],
  ["no numbers", "[.inf, -.INF, +.Inf, .nan, .NaN, -.nan, Infinity, -Infinity, NaN]"],
  ["dates", "[2001-01-01, 2001-12-14t21:59:43.10-05:00, 12:30:45]"],
  ["versions and digests", "[0.30.0, 2026.10.11549, 1.0, 12e34567, 570.124.06, sha256:12e3]"],
  ["signs within texts", "a: http://x/y?z#q\nb: a#b\nc: x:y\nd: -a\ne: ?a\nf: :a\ng: a - b ? c"],
  ["templates", "a: --host {{worker_ip}} --port {{port}}:80\nb: '{{a}}'"],
  ["signs of maps and lists in quotes", `a: "{a: b} [c] # d"\nb: '*x &y !z | > %'`],
  ["escapes", String.raw`a: "\n\t\\\"\/\e\a\b\ \_\N\L\P"`],
  ["a text over several lines", "a: one\n  two\n\n  three\nb: 'one\n\n  two'\nc: \"one\\\n  two\""],
  ["texts in blocks", "a: |\n  x\n   y\n\nb: >\n  x\n  y\n\n   z\n\n  w\nc: |-\n  x\n\nd: >+\n  x\n\ne: |+\n  x\n"],
  ["texts in blocks with their indent", "a: |2\n    x\n  y\nb:\n  - >1-\n    x\n   y"],
  ["a text in a block that has a comment's sign", "a: |\n  # no comment\n# a comment\nb: 1"],
  ["lists as far left as their key", "a:\n- 1\n- - 2\n  - b: 3\n    c: 4\n-  5"],
  ["maps and lists over several lines", "a: [\n  1,\n  2\n  ]\nb: {\n  c: 1, # d\n  e: 2 }"],
  ["nothing for values", "a:\nb: # c\nd:\n  -\n  - e:\n  -"],
  ["keys with signs", `a b: 1\n"c: d": 2\n'e#f': 3\ng:h: 4\n-i: 5\n? j\n: 6`],
  ["names of objects", "constructor: 1\ntoString: 2\nhasOwnProperty: 3"],
  ["letters", "é: ü\nb: 日本語\nc: 😀"],
];

/** What only the parser that knows all of YAML decides upon. */
const doubtful: readonly [string, string][] = [
  ["a key given twice", "a: 1\na: 2"],
  ["a key given twice, in quotes and without", `a: 1\n"a": 2`],
  ["a key that would be the prototype", "__proto__: 1"],
  ["a merge key", "a: { b: 1 }\n<<: { c: 2 }"],
  ["a merge key in quotes", '"<<": {}'],
  ["a key that is a number", "1.0: a"],
  ["a key that is nothing", "null: a\n"],
  ["a key that is not there", ": a"],
  ["a key that is a list", "[a]: b"],
  ["a key that is a map", "? { a: 1 }\n: b"],
  ["an anchor", "a: &x 1"],
  ["an alias", "a: &x 1\nb: *x"],
  ["an alias of nothing", "a: *x"],
  ["aliases that grow", "a: &a [1, 1]\nb: &b [*a, *a]\nc: [*b, *b]"],
  ["a tag", "a: !!str 1"],
  ["a tag of a map", "a: !!map { b: 1 }"],
  ["a directive", "%YAML 1.1\n---\na: yes"],
  ["a beginning of a document", "---\na: 1"],
  ["a second document", "a: 1\n---\nb: 2"],
  ["an end of a document", "a: 1\n...\n"],
  ["a tab for an indent", "a:\n\tb: 1"],
  ["a tab", "a:\t1"],
  ["a carriage return", "a: 1\r\nb: 2\r\n"],
  ["a byte order mark", "\ufeffa: 1"],
  ["a zero byte", "a: \0"],
  ["an escaped zero byte", String.raw`a: "\0"`],
  ["half a surrogate pair", "a: \ud800"],
  ["an escaped half of a surrogate pair", String.raw`a: "\ud800"`],
  ["a comment that touches a value", `a: "b"#c`],
  ["a list less indented than its key", "a:\n  b: [1,\n2]"],
  ["a comment at the end of a map over several lines", "a: {\n  b: 1\n# c\n}"],
  ["blanks at the end of a text in a block", "a: |+\n  x\n  "],
  ["a key over several lines", '"a\n  b": 1'],
  ["two values of one key", "a: b: c"],
  ["a text after a list", "a: [1] 2"],
  ["lists in lists without end", "- ".repeat(100_000)],
  ["brackets without end", "[".repeat(100_000)],
  ["a value that is no map and no list", "a"],
  ["nothing", ""],
  ["a comment alone", "# a"],
];

describe("readValues", () => {
  it("reads no text otherwise than the parser that knows where everything stands, however two libraries write it", () => {
    fc.assert(fc.property(writtenText, expectNoOther), { numRuns: 4000 });
  });

  it("reads no text otherwise than that parser when somebody has spoilt it", () => {
    fc.assert(fc.property(spoiltText, expectNoOther), { numRuns: 4000 });
  });

  it("reads no text otherwise than that parser, whatever stands in it", () => {
    fc.assert(fc.property(soup, expectNoOther), { numRuns: 10_000 });
    fc.assert(fc.property(numberText, expectNoOther), { numRuns: 10_000 });
  });

  it.each(hostile)("reads %s as that parser does, or leaves them to it", (_, text) => {
    expect(readWhole(text)).toBeDefined();
    expectNoOther(text);
  });

  it.each(doubtful)("leaves %s to that parser", (_, text) => {
    expect(readValues(text)).toBeUndefined();
  });

  it("reads what locks are made of", () => {
    const written = {
      version: "0.30.0",
      "9.1": ["--host", "a: b", "{{model_path}}", ""],
      counts: [0, -1, 2.5, 85_899_345_920],
      empty: { map: {}, list: [], nothing: null },
      nested: [[1, [true]], { a: [{ b: "1e5", c: "it's" }] }],
      digest: "12e3456789",
      script: "one\ntwo\n",
    };
    expect(readValues(`# A comment.\n${stringify(written, { lineWidth: 0 })}`)).toStrictEqual({ value: written });
  });

  it("reads maps and lists on one line, as people write them", () => {
    expect(
      readValues('host: { connection: ssh, ssh: { port: 22 }, labels: {} }\nflags: [--host, "a, b", -h, []]'),
    ).toStrictEqual({
      value: { host: { connection: "ssh", ssh: { port: 22 }, labels: {} }, flags: ["--host", "a, b", "-h", []] },
    });
  });
});

describe("parseText", () => {
  it("tells where something stands also in a text that was read without its places", () => {
    const read = parseText("a:\n  b: 1\n", "stack.yaml");
    expect(read.value).toEqual({ a: { b: 1 } });
    expect(read.position(read.source.indexOf("b"))).toEqual({ line: 2, column: 3 });
    expect(read.document.toJS()).toEqual(read.value);
  });
});
