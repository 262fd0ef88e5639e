import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { BerthError } from "../../../src/lib/errors.js";
import { splitValue, splitWords, type Word } from "../../../src/catalog/words.js";
import { shlexOracle } from "../support/python-oracle.js";

const shlexSplit = shlexOracle();

/** The words with each placeholder as the text that `show` gives it, or null where they are refused. */
function wordsOrNull(splitText: () => readonly Word[], show = (name: string) => name): string[] | null {
  try {
    return splitText().map((word) => word.map((part) => (typeof part === "string" ? part : show(part.name))).join(""));
  } catch (error) {
    if (error instanceof BerthError && error.code === "command-invalid") return null;
    throw error;
  }
}

const wordsOf = (text: string) => wordsOrNull(() => splitWords(text));

const operators = ["|", "||", "&", "&&", ";", "<", "<<", ">", ">>", "(", ")", "$(", "`", "*", "?", "[", "]"];
const hasOperator = (text: string) => /[|&;<>()`*?[\]]/.test(text);

const syntax = fc.constantFrom(
  ...Array.from("'\"\\ \t\r\n$#{}~!=-_aB1"),
  "''",
  '""',
  "\\\\",
  '\\"',
  "$HOME",
  "${X}",
  "$'",
);
const unicode = fc.constantFrom("\u000b", "\f", "\u00a0", "\u3000", "\ufeff", "\u2028", "é", "語", "😀", "\ud800");
const anything = fc.string({ unit: "binary", minLength: 1, maxLength: 1 }).filter((character) => character !== "\0");
const unit = fc.oneof({ weight: 8, arbitrary: syntax }, { weight: 2, arbitrary: unicode }, anything);
const quoted = fc
  .tuple(fc.constantFrom("'", '"'), fc.string({ unit, maxLength: 4 }))
  .map(([mark, text]) => mark + text.replaceAll(/['"]/g, "") + mark);
/** Texts with few enough stray quotes that most of them can be split. */
const text = fc
  .array(fc.oneof({ weight: 3, arbitrary: unit }, quoted), { maxLength: 12 })
  .map((texts) => texts.join(""));
const plainText = text.filter((value) => !hasOperator(value) && !value.includes("{{"));

describe("splitWords", () => {
  it.each<[string, string[]]>([
    ["", []],
    [" \t\r\n ", []],
    ["serve --port 80", ["serve", "--port", "80"]],
    ["a\nb\r\n  c", ["a", "b", "c"]],
    ["a $HOME b", ["a", "$HOME", "b"]],
    ["${X} $ $$ '$Y' \"$Z\" \\$A", ["${X}", "$", "$$", "$Y", "$Z", "$A"]],
    ["$'a\\nb' ${open", ["$a\\nb", "${open"]],
    ["foo#bar # baz", ["foo#bar", "#", "baz"]],
    ["~/models {a,b} x=1 !", ["~/models", "{a,b}", "x=1", "!"]],
    [`a'b c'"d e"f\\ g`, ["ab cd ef g"]],
    [`'' "" a''`, ["", "", "a"]],
    [String.raw`'\n' "\n\"\\\$" \n\*`, [String.raw`\n`, String.raw`\n"\\$`, "n*"]],
    ["a\\\nb 'c\nd' \"e\\\nf\"", ["a\nb", "c\nd", "e\\\nf"]],
    ["a\u00a0b\u000bc\u3000d", ["a\u00a0b\u000bc\u3000d"]],
    [`'|' "&& ;" \\> '*?' "[a]" '$(b)' "\`c\`"`, ["|", "&& ;", ">", "*?", "[a]", "$(b)", "`c`"]],
  ])("splits %j as shlex does", async (template, words) => {
    expect(wordsOf(template)).toEqual(words);
    expect(await shlexSplit(template)).toEqual(words);
  });

  it("finds placeholders before it splits, with blanks in the braces, and tells whether they are quoted", () => {
    const port = { name: "port", quoted: false };
    const quotedPort = { name: "port", quoted: true };
    expect(splitWords("{{port}} {{ port }} --port={{port}}")).toEqual([[port], [port], ["--port=", port]]);
    expect(splitWords(`"{{port}}" '{{ port }}' \\{{port}}`)).toEqual([[quotedPort], [quotedPort], [quotedPort]]);
    expect(splitWords(`""{{port}} {{port}}{{port}}`)).toEqual([
      ["", port],
      [port, port],
    ]);
    expect(splitWords(`'{"port":{{port}}}' {{{port}}}`)).toEqual([
      ['{"port":', quotedPort, "}"],
      ["{", port, "}"],
    ]);
  });

  it.each(operators)("refuses the operator %s outside quotes and gives its column", (operator) => {
    expect(() => splitWords(`serve '|' é😀 ${operator} x`)).toThrow(
      `the command holds the shell operator ${operator} at column 14\n`,
    );
  });

  it.each([
    ["a 'b", "the command has a quote ' that stays open at column 3"],
    [`a 'b' "c\\"`, 'the command has a quote " that stays open at column 7'],
    ["a b\\", "the command ends in a backslash at column 4"],
    ["a\nb |", "the command holds the shell operator | at line 2, column 3"],
    ["a {{port", "the command has {{ that begins no placeholder at column 3"],
    ["'{{}}'", "the command has {{ that begins no placeholder at column 2"],
    ["{{a-b}} {{port}}", "the command has {{ that begins no placeholder at column 1"],
    ["{{1}}", "the command has {{ that begins no placeholder at column 1"],
    ["{{ {{port}} }}", "the command has {{ that begins no placeholder at column 1"],
    ["a '\0'", "the command holds a NUL character at column 4"],
  ])("refuses %j: %s", (template, message) => {
    expect(() => splitWords(template)).toThrow(`${message}\n`);
  });

  it("says where the template stands", () => {
    expect(() => splitWords("a | b", { name: "the entrypoint", where: "vllm.yaml:3:7" })).toThrow(
      "vllm.yaml:3:7: the entrypoint holds the shell operator | at column 3\n",
    );
  });

  it("gives the words of shlex, or refuses what shlex refuses, for any text without operators", async () => {
    await fc.assert(
      fc.asyncProperty(plainText, async (template) => {
        expect(wordsOf(template)).toEqual(await shlexSplit(template));
      }),
      { numRuns: 10_000 },
    );
  });

  it("counts a placeholder as one letter of the text that shlex splits", async () => {
    const withoutBraces = plainText.filter((value) => !value.includes("{"));
    const part = fc.oneof(withoutBraces, fc.constantFrom("{{A}}", "{{ B }}"));
    const template = fc.array(part, { maxLength: 6 }).map((parts) => parts.join(""));
    const letter = (name: string) => (name === "A" ? "\ue000" : "\ue001");
    await fc.assert(
      fc.asyncProperty(template, async (value) => {
        const asLetters = value.replaceAll("{{A}}", letter("A")).replaceAll("{{ B }}", letter("B"));
        expect(wordsOrNull(() => splitWords(value), letter)).toEqual(await shlexSplit(asLetters));
      }),
      { numRuns: 3_000 },
    );
  });

  it("refuses an operator after any text that can be split", () => {
    fc.assert(
      fc.property(plainText, fc.constantFrom(...operators), (template, operator) => {
        fc.pre(wordsOf(template) !== null);
        expect(() => splitWords(`${template} ${operator}`)).toThrow(`holds the shell operator ${operator} at `);
      }),
    );
  });

  it("reads back any words, operators too, that stand in single quotes", () => {
    const singleQuoted = (word: string) => `'${word.replaceAll("'", `'"'"'`)}'`;
    fc.assert(
      fc.property(fc.array(text.filter((word) => !word.includes("{{"))), (words) => {
        expect(wordsOf(words.map(singleQuoted).join(" "))).toEqual(words);
      }),
    );
  });
});

describe("splitValue", () => {
  const origin = { name: "the value of {{ARGS}}" };

  it("leaves braces as they are", () => {
    expect(splitValue("a {{port}} '{{ b' }}", origin)).toEqual(["a", "{{port}}", "{{ b", "}}"]);
  });

  it("gives no word for an empty or blank value", () => {
    expect([splitValue("", origin), splitValue(" \n", origin)]).toEqual([[], []]);
  });

  it("names the value in its errors, and does not show it", () => {
    expect(() => splitValue("secret | x", origin)).toThrow(
      "the value of {{ARGS}} holds the shell operator | at column 8\n",
    );
    expect(() => splitValue("secret '", origin)).not.toThrow("secret");
  });

  it("gives the words of shlex, or refuses what shlex refuses, for any value without operators", async () => {
    const value = text.filter((candidate) => !hasOperator(candidate));
    await fc.assert(
      fc.asyncProperty(value, async (candidate) => {
        const words = wordsOrNull(() => splitValue(candidate, origin).map((word) => [word]));
        expect(words).toEqual(await shlexSplit(candidate));
      }),
      { numRuns: 3_000 },
    );
  });

  it("splits a value of a megabyte", () => {
    const [first, ...others] = splitValue("x'y z'\"$a\"\\ #".repeat(70_000) + " b", origin);
    expect(first === "xy z$a #".repeat(70_000)).toBe(true);
    expect(others).toEqual(["b"]);
  });
});
