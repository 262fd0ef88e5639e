/** Values of YAML that stand on one line, as far as they are read without a parser of all of YAML. Pure. */
const singleQuoted = /^'(?:[^']|'')*'$/;
const plainStart = /^(?:[A-Za-z0-9_/.+$^(;=\\\u00a1-\uffff]|-[^ -]|--[^ -])/;
const words: ReadonlyMap<string, unknown> = new Map([
  ["null", null],
  ["true", true],
  ["false", false],
]);
/** Other spellings of the words, and what may be a number: YAML's core schema, with more than it takes. */
const doubtful =
  /^(?:[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?|0o[0-7]+|0x[\da-fA-F]+|[-+]?\.inf|\.nan|null|true|false)$/i;
const plainNumber = /^(?:0|-?[1-9]\d{0,14})$|^-?(?:0|[1-9]\d{0,8})\.\d{1,6}$/;
const longestKey = 1000;

/** Where a text holds something that is not read here. */
export class OtherYaml extends Error {}

/** A key of a map. */
export function readName(text: string): string {
  const name = text.length > longestKey ? undefined : readScalar(text);
  if (typeof name !== "string" || name === "__proto__" || name === "<<") throw new OtherYaml();
  return name;
}

/** A text in quotes or without, a number, a word. */
export function readScalar(text: string): unknown {
  if (text.startsWith('"')) return readDoubleQuoted(text);
  if (text.startsWith("'")) return readSingleQuoted(text);
  return readPlain(text);
}

/** JSON's texts are YAML's, too. */
function readDoubleQuoted(text: string): unknown {
  if (text.includes("\\u")) throw new OtherYaml();
  try {
    return JSON.parse(text);
  } catch {
    throw new OtherYaml();
  }
}

function readSingleQuoted(text: string): string {
  if (!singleQuoted.test(text)) throw new OtherYaml();
  return text.slice(1, -1).replaceAll("''", "'");
}

function readPlain(text: string): unknown {
  if (!plainStart.test(text) || text.startsWith("...")) throw new OtherYaml();
  if (text.includes(": ") || text.includes(" #") || text.endsWith(":") || text.endsWith(" ")) throw new OtherYaml();
  if (!doubtful.test(text)) return text;
  if (plainNumber.test(text)) return Number(text);
  if (words.has(text)) return words.get(text);
  throw new OtherYaml();
}
