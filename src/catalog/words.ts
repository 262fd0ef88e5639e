import { parse } from "shell-quote";

import { BerthError } from "../lib/errors.js";

/** A name in double braces, such as `{{port}}`. */
export interface Placeholder {
  name: string;
  /** Whether it stands in quotes or after a backslash. */
  quoted: boolean;
}

/** One word of a template: literal text, free of its quotes, and placeholders, in order; at least one part. */
export type Word = readonly (string | Placeholder)[];

/** What is being split, for errors. */
export interface Origin {
  /** How a sentence calls it. */
  name: string;
  /** `file:line:column`, if it stands in a file. */
  where?: string | undefined;
}

const command: Origin = { name: "the command" };

const afterBraces = /\s*[A-Za-z_]\w*\s*\}\}/.source;
const placeholder = `\\{\\{${afterBraces}`;
const strayBraces = new RegExp(`\\{\\{(?!\\{|${afterBraces})`);

/** In a template a placeholder counts as one letter; in a value nothing is a placeholder. */
const templateGrammar = grammarWith(placeholder);
const valueGrammar = grammarWith("(?!)");

/** Stands for what is hidden from shell-quote, which takes it for a letter. No argument of a process can hold it. */
const mark = "\0";

/**
 * Splits a command template into words as Python's `shlex.split` does, with each placeholder counted as one letter.
 * `$NAME`, `${NAME}`, `#` and `~` are literal.
 *
 * @throws BerthError `command-invalid`, with the column, for a shell operator or pattern outside quotes, a quote that
 * stays open, a backslash at the end, `{{` that begins no placeholder, and NUL.
 */
export function splitWords(template: string, origin = command): Word[] {
  const stray = template.search(strayBraces);
  if (stray >= 0) throw refusal("{{", template, stray, origin);
  return split(template, templateGrammar, origin);
}

/** Splits a value by the same rules and with the same errors, except that braces in it are text. */
export function splitValue(value: string, origin: Origin): string[] {
  return split(value, valueGrammar, origin).flatMap((word) => word.filter((part) => typeof part === "string"));
}

interface Grammar {
  /** What is refused, and what shell-quote would not read as `shlex` does: the rest is left to it. */
  token: RegExp;
  /** The same within quotes. */
  quotedToken: RegExp;
}

function grammarWith(letter: string): Grammar {
  const quotes = /'[^']*'|"(?:\\[^]|[^"\\])*"/.source;
  const refused = /\|\||&&|>>|<<|\$\(|[|&;<>()*?[\]`'"\\]/.source;
  // The last are blanks to shell-quote but not to shlex: form feed, vertical tab and those of Unicode.
  const literal = /[$#]|[^\S \t\r\n]/.source;
  return {
    token: new RegExp(`(${quotes})|\\\\(${letter}|[^])|(${refused})|${letter}|${literal}`, "g"),
    quotedToken: new RegExp(`${letter}|\\$`, "g"),
  };
}

function split(text: string, { token, quotedToken }: Grammar, origin: Origin): Word[] {
  const nul = text.indexOf(mark);
  if (nul >= 0) throw refusal(mark, text, nul, origin);

  const hidden: (string | Placeholder)[] = [];
  const hide = (found: string, quoted: boolean) => {
    const [, name] = /^\{\{\s*(\w+)/.exec(found) ?? [];
    hidden.push(name === undefined ? found : { name, quoted });
    return mark;
  };
  const masked = text.replace(
    token,
    (found: string, quotes?: string, escaped?: string, refused?: string, at: number = 0) => {
      if (refused !== undefined) throw refusal(refused, text, at, origin);
      if (escaped !== undefined) return hide(escaped, true);
      if (quotes === undefined) return hide(found, false);
      // Empty quotes are hidden too, as an empty text: `""{{NAME}}` is not a placeholder that stands alone.
      return quotes.length === 2 ? hide("", true) : quotes.replace(quotedToken, (inner) => hide(inner, true));
    },
  );
  return reveal(parse(masked), hidden);
}

/** Puts what was hidden back in the place of the marks, which stand in the same order. */
function reveal(entries: ReturnType<typeof parse>, hidden: Word): Word[] {
  let shown = 0;
  return entries.map((entry) => {
    if (typeof entry !== "string") throw new TypeError(`shell-quote read ${JSON.stringify(entry)} in a masked text`);
    const word: (string | Placeholder)[] = [];
    for (const [text] of entry.matchAll(/\0|[^\0]+/g)) {
      const part = text === mark ? (hidden[shown++] ?? "") : text;
      const last = word.at(-1);
      if (typeof part === "string" && typeof last === "string") word[word.length - 1] = last + part;
      else word.push(part);
    }
    return word;
  });
}

function refusal(symbol: string, text: string, at: number, { name, where }: Origin): BerthError {
  const { what, hint } = reasonAgainst(symbol);
  const parts = { what: `${name} ${what} at ${position(text, at)}`, hint };
  return new BerthError("command-invalid", where === undefined ? parts : { ...parts, where });
}

function reasonAgainst(symbol: string): { what: string; hint: string } {
  switch (symbol) {
    case mark:
      return { what: "holds a NUL character", hint: "Remove it: no argument of a process can hold it." };
    case "{{":
      return {
        what: "has {{ that begins no placeholder",
        hint: "Write {{NAME}}. For literal braces, put the text into an environment variable and name that.",
      };
    case "'":
    case '"':
      return { what: `has a quote ${symbol} that stays open`, hint: "Close it, or put a backslash before it." };
    case "\\":
      return { what: "ends in a backslash", hint: "Remove it, or write two for one." };
    default:
      return {
        what: `holds the shell operator ${symbol}`,
        hint: "Put it in quotes if it is meant literally: no shell runs the command.",
      };
  }
}

/** `column N`, counted in characters from 1; with the line if the text has several. */
function position(text: string, at: number): string {
  const lines = text.slice(0, at).split("\n");
  const column = `column ${Array.from(lines.at(-1) ?? "").length + 1}`;
  return text.includes("\n") ? `line ${lines.length}, ${column}` : column;
}
