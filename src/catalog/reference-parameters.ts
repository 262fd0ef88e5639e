import { splitValue } from "./words.js";

/**
 * The arguments of a parameter list of GPUStack, as its containers get them. An entry that begins with a
 * flag may hold several words, quoted as for a shell; one that does not is a single argument. JSON after `=` is kept as
 * it is. No shell reads any of it, so operators are letters.
 *
 * @param where what names the list, for errors
 * @throws BerthError `command-invalid` for a quote that stays open, and NUL
 */
export function flattenParameters(entries: readonly string[], where?: string): string[] {
  return entries.flatMap((entry) => {
    const text = entry.trim();
    const [first = ""] = text.split(/\s/, 1);
    if (text === "") return [];
    return isFlag(first) ? splitEntry(text, where) : [text];
  });
}

/** The same for a parameter list of before its containers (v0.7 and earlier): a flag, with its value after `=` or a blank. */
export function flattenOldParameters(entries: readonly string[]): string[] {
  return entries.flatMap((entry) => {
    const text = entry.trim();
    const blank = text.search(/\s/);
    if (text === "") return [];
    return text.includes("=") || blank < 0 || !isFlag(text) ? [text] : [text.slice(0, blank), text.slice(blank).trim()];
  });
}

/** Whether a word is a flag. Numbers such as -1 are values, and `--` ends the flags. */
export function isFlag(word: string): boolean {
  return /^-./.test(word) && word !== "--" && !/^-(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(word);
}

function splitEntry(text: string, where: string | undefined): string[] {
  const continued = text.replace(/\\\r?\n/g, " ").replace(/(?<=^|[^\\])((?:\\\\)*)\\$/, "$1");
  const { masked, hidden } = maskJson(continued);
  const words = splitValue(escapeOperators(masked), { name: "a parameter", where });
  return words.map((word) =>
    word.replace(/\u001f(\d+)\u001f/g, (found, index: string) => hidden[Number(index)] ?? found),
  );
}

/** A character that no parameter holds stands around the number of each JSON value. */
function maskJson(text: string): { masked: string; hidden: string[] } {
  const hidden: string[] = [];
  let masked = "";
  let from = 0;
  for (const { index } of text.matchAll(/=(?=[{[])/g)) {
    const start = index + 1;
    const length = start < from ? 0 : jsonLength(text.slice(start));
    if (length === 0) continue;
    masked += `${text.slice(from, start)}\u001f${hidden.length}\u001f`;
    hidden.push(text.slice(start, start + length));
    from = start + length;
  }
  return { masked: masked + text.slice(from), hidden };
}

/** How long the JSON value is that a text begins with; 0 if it begins with none. */
function jsonLength(text: string): number {
  for (const { index } of text.matchAll(/[}\]]/g)) {
    if (isJson(text.slice(0, index + 1))) return index + 1;
  }
  return 0;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function escapeOperators(text: string): string {
  return text.replace(
    /('[^']*'|"(?:\\[^]|[^"\\])*"|\\[^])|([|&;<>()*?[\]`])/g,
    (found: string, kept: string | undefined) => kept ?? `\\${found}`,
  );
}
