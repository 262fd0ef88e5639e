/** Colours of a terminal, as logs have them; they are dropped. */
const colours = /\u001b\[[\d;]*m/g;

/** A text of one line without what moves a terminal's cursor, ends a line, or turns the direction of reading. */
export function printable(text: string): string {
  return text.replace(colours, "").replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, "?");
}

/** The same of a text of several lines. */
export function printableLines(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => line.split("\t").map(printable).join("\t"))
    .join("\n");
}
