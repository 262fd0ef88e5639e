import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isMap, isPair, isSeq, parse, parseDocument, Scalar, stringify, visit, type YAMLMap, type YAMLSeq } from "yaml";

import { BerthError } from "../../../src/lib/errors.js";
import { openEdit, type YamlEdit } from "../../../src/lock/yaml-edit.js";
import { printEdit } from "../../../src/lock/yaml-splices.js";
import { thrownBy } from "../support/thrown.js";

type Change = (root: YAMLMap, edit: YamlEdit) => void;

/** A text whose document was changed. */
function edited(text: string, change: Change): string {
  const edit = openEdit(text, "x.yaml");
  const { contents } = edit.document;
  if (!isMap(contents)) throw new Error("the text is no map");
  change(contents, edit);
  return printEdit(edit);
}

/** Undefined where it is refused. */
function printed(edit: YamlEdit): string | undefined {
  try {
    return printEdit(edit);
  } catch (error) {
    expect(error).toBeInstanceOf(BerthError);
    return undefined;
  }
}

const push =
  (key: string, value: unknown): Change =>
  (root, { document }) => {
    const list = root.get(key);
    if (!isSeq(list)) throw new Error(`${key} is no list`);
    list.items.push(document.createNode(value));
  };
const unshift =
  (key: string, value: unknown): Change =>
  (root, { document }) => {
    const list = root.get(key);
    if (!isSeq(list)) throw new Error(`${key} is no list`);
    list.items.unshift(document.createNode(value));
  };
const remove =
  (key: string): Change =>
  (root) => {
    root.items = root.items.filter((pair) => String(pair.key) !== key);
  };
const put =
  (key: string, value: unknown): Change =>
  (root, { document }) => {
    const pair = root.items.find((one) => String(one.key) === key);
    if (pair === undefined) root.items.push(document.createPair(key, value));
    else pair.value = document.createNode(value);
  };

describe("a YAML text whose document is changed", () => {
  it.each<[string, string, Change, string]>([
    ["a list in lines", "a:\n  - 1 # one\n  - 2\nb: 3\n", push("a", 9), "a:\n  - 1 # one\n  - 2\n  - 9\nb: 3\n"],
    ["a list without indentation", "a:\n- 1\n- 2\n", push("a", 9), "a:\n- 1\n- 2\n- 9\n"],
    ["what a first item's comment is above of", "a:\n  # one\n  - 1\n", unshift("a", 9), "a:\n  - 9\n  # one\n  - 1\n"],
    ["a list in brackets", "a: [1,2 ]  # c\nb: 3\n", push("a", 9), "a: [1,2, 9 ]  # c\nb: 3\n"],
    ["the front of a list in brackets", "a: [ 1 ]\n", unshift("a", 9), "a: [ 9, 1 ]\n"],
    [
      "a list in brackets of several lines",
      "a: [\n  1, # one\n  2, # two\n]\n",
      push("a", 9),
      "a: [\n  1, # one\n  2, 9, # two\n]\n",
    ],
    ["an empty list in brackets", "a: [] # none\nb: 3\n", push("a", 9), "a: [9] # none\nb: 3\n"],
    ["a text that ends without a line's end", "a:\n  - 1", push("a", 9), "a:\n  - 1\n  - 9"],
    ["lines that end as in Windows", "a:\r\n  - 1\r\nb: 3\r\n", push("a", 9), "a:\r\n  - 1\r\n  - 9\r\nb: 3\r\n"],
    ["a text with a byte order mark", "\uFEFFa:\n  - 1\n", push("a", 9), "\uFEFFa:\n  - 1\n  - 9\n"],
    [
      "what is behind a text in a block",
      "a:\n  - |\n    # no comment\n  - 2\n",
      unshift("a", 9),
      "a:\n  - 9\n  - |\n    # no comment\n  - 2\n",
    ],
    [
      "a long line, which is not folded",
      `a:\n  - ${"x ".repeat(99)}x\n`,
      push("a", 9),
      `a:\n  - ${"x ".repeat(99)}x\n  - 9\n`,
    ],
    ["a value", 'a: "1"   # one\nb: 2\n', put("a", 9), "a: 9   # one\nb: 2\n"],
    ["a value of several lines", "a: 'x\n  y'\nb: 2\n", put("a", 9), "a: 9\nb: 2\n"],
    ["a text in a block", "a: |\n  x\nb: 2\n", put("a", 9), "a: 9\nb: 2\n"],
    ["a new key", "a: 1 # one\n# end\n", put("b", 9), "a: 1 # one\nb: 9\n# end\n"],
    ["a map in brackets", "{ a: 1, c: {} }\n", put("b", 9), "{ a: 1, c: {}, b: 9 }\n"],
    ["a key less", "a: 1\nb: 2 # two\nc: 3\n", remove("b"), "a: 1\n# two\nc: 3\n"],
    ["a key less, and no comment", "a: 1\nb:\n  x: 1\n  y: 2\nc: 3\n", remove("b"), "a: 1\nc: 3\n"],
    ["a key less in brackets", "{a: 1, b: 2, c: 3} # c\n", remove("b"), "{ a: 1, c: 3 } # c\n"],
    ["a document's marks", "---\na:\n  - 1\n...\n", push("a", 9), "---\na:\n  - 1\n  - 9\n...\n"],
  ])("keeps all else as it was written: %s", (_, text, change, expected) => {
    expect(edited(text, change)).toBe(expected);
  });

  it.each<[string, string, Change, string]>([
    ["is in an anchor", "a: &x\n  - 1\nb: *x\n", push("a", 9), "x.yaml:1:4: what is to be changed is in &x"],
    ["has an anchor", "a: &x 1\nb: *x\n", put("a", 9), "x.yaml:1:4: what is to be changed is in &x"],
    ["is an alias", "a: &x 1\nb: *x\n", put("b", 9), "x.yaml:2:4: *x stands in the place"],
    ["has an alias in it", "a: &x 1\nb: [*x]\n", remove("b"), "x.yaml:2:5: *x stands in the place"],
    [
      "is left out",
      "a: # one\nb: 2\n",
      put("a", 9),
      "x.yaml:1:1: the file is written in a way in which it cannot be changed in place",
    ],
  ])("is refused with the place where what is to be changed %s", (_, text, change, problem) => {
    const error = thrownBy(() => edited(text, change));
    expect([error.code, error.message]).toEqual(["file-invalid", expect.stringContaining(problem)]);
    expect(error.message).toContain("to do: ");
  });

  const value = fc.letrec((tie) => ({
    leaf: fc.oneof(
      fc.constantFrom("x", "a: b", "# no comment", "it's", "line\nline\n", "", "1"),
      fc.integer(),
      fc.boolean(),
    ),
    map: fc.dictionary(fc.constantFrom("a", "b", "c", "d e"), tie("any"), { minKeys: 1, maxKeys: 3 }),
    list: fc.array(tie("any"), { maxLength: 3 }),
    any: fc.oneof({ maxDepth: 3 }, tie("leaf"), tie("map"), tie("list")),
  }));
  const layout = fc.record({
    collectionStyle: fc.constantFrom("any" as const, "block" as const, "flow" as const),
    indentSeq: fc.boolean(),
    indent: fc.constantFrom(2, 4),
    lineWidth: fc.constantFrom(0, 30),
  });
  const dice = fc.infiniteStream(fc.nat(1000));

  it("says what it was changed to, with all its comments, whatever it is and whatever is added", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("a", "b", "c"), value.any, { minKeys: 1 }),
        layout,
        fc.boolean(),
        dice,
        (all, style, isWindows, rolls) => {
          const lines = withComments(stringify(all, style), rolls);
          if (parseDocument(lines).errors.length > 0) return;
          const text = isWindows ? lines.replaceAll("\n", "\r\n") : lines;
          const edit = openEdit(text, "x.yaml");
          addSomewhere(edit, rolls);
          const after = printEdit(edit);
          expect(parse(after)).toEqual(edit.document.toJS());
          expect(commentsOf(after)).toEqual(commentsOf(text));
          if (isWindows) expect(after.replaceAll("\r\n", "")).not.toContain("\n");
          // Nothing but what is new differs.
          const old = lines.split("\n").filter((line) => !after.replaceAll("\r", "").split("\n").includes(line));
          expect(old.length).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("says what it was changed to or is refused, whatever is taken away and changed", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("a", "b", "c"), value.any, { minKeys: 1 }),
        layout,
        dice,
        (all, style, rolls) => {
          const text = withComments(stringify(all, style), rolls);
          if (parseDocument(text).errors.length > 0) return;
          const edit = openEdit(text, "x.yaml");
          changeSomewhere(edit, rolls);
          const after = printed(edit);
          if (after !== undefined) expect(parse(after)).toEqual(edit.document.toJS());
        },
      ),
      { numRuns: 300 },
    );
  });
});

type Collection = YAMLMap | YAMLSeq;

/** Numbered comments behind lines and above them. */
function withComments(text: string, rolls: fc.Stream<number>): string {
  let count = 0;
  const lines = text.split("\n").flatMap((line) => {
    const [roll = 0] = rolls.take(1);
    const indent = /^ */.exec(line)?.[0] ?? "";
    if (line.trim() !== "" && roll % 4 === 0) return [`${line} # c${(count += 1)}.`];
    return line.trim() !== "" && roll % 4 === 1 ? [`${indent}# c${(count += 1)}.`, line] : [line];
  });
  return lines.join("\n");
}

function commentsOf(text: string): string[] {
  return (text.match(/# c\d+\./g) ?? []).sort();
}

/** Puts an item into one of the lists and maps. */
function addSomewhere({ document }: YamlEdit, rolls: fc.Stream<number>): void {
  const [which = 0, where = 0, what = 0] = rolls.take(3);
  const all = collectionsOf(document);
  const node = all[which % all.length] ?? all[0];
  const item = what % 2 === 0 ? new Scalar("new") : document.createNode({ x: ["y", { z: "#" }] });
  const at = where % (node.items.length + 1);
  if (isSeq(node)) node.items.splice(at, 0, item);
  else node.items.splice(at, 0, document.createPair("new", item));
}

/** Takes items away, and puts another one in the place of one. */
function changeSomewhere({ document }: YamlEdit, rolls: fc.Stream<number>): void {
  for (const node of collectionsOf(document)) {
    const [roll = 0, where = 0] = rolls.take(2);
    const at = where % Math.max(1, node.items.length);
    const item = node.items[at];
    if (roll % 3 === 0 && node.items.length > 1) node.items.splice(at, 1);
    else if (roll % 3 === 1 && isPair(item)) item.value = document.createNode("new");
  }
}

function collectionsOf(document: YamlEdit["document"]): [Collection, ...Collection[]] {
  const all: Collection[] = [];
  visit(document, { Collection: (_, node) => void all.push(node) });
  const [first, ...others] = all;
  if (first === undefined) throw new Error("there is no list and no map");
  return [first, ...others];
}
