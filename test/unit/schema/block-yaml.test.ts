import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDocument, stringify } from "yaml";

import { readBlocks } from "../../../src/schema/block-yaml.js";
import { parseText } from "../../../src/schema/yaml-text.js";

/** What the parser of all of YAML says; undefined where it complains. */
function readWhole(text: string): { readonly value: unknown } | undefined {
  const document = parseDocument(text, { version: "1.2", prettyErrors: false });
  return document.errors.length > 0 ? undefined : { value: document.toJS() as unknown };
}

const awkward = [
  ...["", " ", "~", "null", "Null", "true", "TRUE", "yes", "0", "-0", "007", "0x1f", "0o17", "1e5", "1.", ".5", "-.5"],
  ...["+1", "1_000", "12345678901234567890", ".inf", "-.INF", ".NaN", "0.30.0", "2026.10.11549", "12e34567", "1.0"],
  ...["---", "...", "--- a", "-", "- a", "-a", "--host", "?", "? a", ":", ": a", "a:", "a: b", "a:b", "a #b", "a#b"],
  ...["#", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", "<<", "=", "{}", "[]", "{{a}}", "[a", "a]", "'", "''", '"'],
  ...['"a"', "it's", '"a" b', "\\", "\\u0041", "a\\nb", "a\nb", "a\n", "\na", "a\tb", "\t", "a ", " a", "a, b"],
  ...["é", "😀", "\u0085", "\u00a0", "\u2028", "\ufeff", "\u0007", "__proto__", "constructor", "1:2", "12:30:45"],
];
const text = fc.oneof(fc.constantFrom(...awkward), fc.string({ maxLength: 12 }), fc.string({ unit: "grapheme" }));
const scalar = fc.oneof(text, fc.integer(), fc.double({ noNaN: true }), fc.boolean(), fc.constant(null));
const tree: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  node: fc.oneof(
    { depthSize: "small" },
    scalar,
    fc.array(tie("node"), { maxLength: 4 }),
    fc.dictionary(text, tie("node"), { maxKeys: 4 }),
  ),
})).node;

/** Lines as people and programs write them, well and badly indented, in any order. */
const line = fc
  .tuple(
    fc.constantFrom("", "  ", "    ", " ", "   ", "\t"),
    fc.constantFrom("", "- ", "- - ", "-  ", "-"),
    fc.constantFrom("", "a: ", "b: ", "a:", "b:", '"a": ', "'a': ", "a :", "a:  ", "? ", "<<: ", "__proto__: ", "1: "),
    fc.oneof(fc.constantFrom("", "x", "# c", "x # c", "'x'", '"x"', '"x" # c', "|", ">-", "&a x", "*a"), text),
  )
  .map((parts) => parts.join(""));

/** Signs of maps and lists on one line, in any order. */
const flow = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "{",
        "}",
        "[",
        "]",
        "{ ",
        " }",
        ", ",
        ",",
        ": ",
        ":",
        "a: ",
        '"a": ',
        "'b': ",
        "a",
        "b c",
        "1",
        "#",
      ),
      text.filter((each) => !each.includes("\n")),
    ),
    { maxLength: 10 },
  )
  .map((parts) => parts.join(""));
const flowOf = (inner: fc.Arbitrary<string>) =>
  fc
    .tuple(fc.constantFrom("a: ", "- ", "- a: ", ""), fc.constantFrom("{}", "[]"), inner)
    .map(([lead, [open, close], within]) => `${lead}${open}${within}${close}`);

describe("readBlocks", () => {
  it("gives what the parser of all of YAML gives, or nothing, for whatever a program writes", () => {
    fc.assert(
      fc.property(tree, (value) => {
        const written = stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 });
        const read = readBlocks(written);
        if (read !== undefined) expect(read).toEqual(readWhole(written));
      }),
      { numRuns: 2000 },
    );
  });

  it("gives what the parser of all of YAML gives, or nothing, for whatever lines there are", () => {
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 8 }), (lines) => {
        const written = lines.join("\n");
        const read = readBlocks(written);
        if (read !== undefined) expect(read).toEqual(readWhole(written));
      }),
      { numRuns: 20_000 },
    );
  });

  it("gives what the parser of all of YAML gives, or nothing, for maps and lists on one line", () => {
    fc.assert(
      fc.property(flowOf(flow), (written) => {
        const read = readBlocks(written);
        if (read !== undefined) expect(read).toEqual(readWhole(written));
      }),
      { numRuns: 20_000 },
    );
    fc.assert(
      fc.property(tree, (value) => {
        const written = stringify({ value }, { aliasDuplicateObjects: false, lineWidth: 0, collectionStyle: "flow" });
        const read = readBlocks(written.replace(/^\{ value: (.*) \}\n$/, "value: $1"));
        if (read !== undefined) expect(read).toEqual({ value: readWhole(written)?.value });
      }),
      { numRuns: 2000 },
    );
  });

  it("reads maps and lists on one line, as people write them", () => {
    expect(
      readBlocks('host: { connection: ssh, ssh: { port: 22 }, labels: {} }\nflags: [--host, "a, b", -h, []]'),
    ).toEqual({
      value: { host: { connection: "ssh", ssh: { port: 22 }, labels: {} }, flags: ["--host", "a, b", "-h", []] },
    });
  });

  it("reads what locks are made of", () => {
    const written = {
      version: "0.30.0",
      "9.1": ["--host", "a: b", "{{model_path}}", ""],
      counts: [0, -1, 2.5, 85_899_345_920],
      empty: { map: {}, list: [], nothing: null },
      nested: [[1, [true]], { a: [{ b: "1e5", c: "it's" }] }],
      digest: "12e3456789",
    };
    expect(readBlocks(`# A comment.\n${stringify(written, { lineWidth: 0 })}`)).toEqual({ value: written });
  });

  it.each([
    ["a key given twice", "a: 1\na: 2"],
    ["a key that would be the prototype", "__proto__: 1"],
    ["a merge key", '"<<": {}'],
    ["an anchor", "a: &x 1\nb: *x"],
    ["several lines of one value", "a: b\n  c"],
    ["a second document", "a: 1\n---\nb: 2"],
    ["a tab", "a:\t1"],
    ["a zero byte", "a: \0"],
    ["half a surrogate pair", 'a: "\\ud800"'],
    ["lists in lists without end", "- ".repeat(100_000)],
    ["nothing", ""],
    ["a comment alone", "# a"],
  ])("leaves %s to the parser of all of YAML", (_, written) => {
    expect(readBlocks(written)).toBeUndefined();
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
