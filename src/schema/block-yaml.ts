import { readFlow } from "./flow-yaml.js";
import { OtherYaml, readName, readScalar } from "./line-yaml.js";

/** No line break, control character, lone surrogate or unusual blank. */
const unusual = /[^\n -~\u00a1-\u1fff\u2010-\u2027\u2070-\ud7ff\u{10000}-\u{10ffff}]/u;
const plainKey = /^([\w/.+$-][\w/.+$@()[\]=-]*):(?: +(.*))?$/;
const quotedKey = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'):(?: +(.*))?$/;
const deepestIndent = 200;

/**
 * Reads YAML as programs write it, and people mostly: maps and lists in blocks, with each value on one line. It takes a
 * fraction of the time of a parser of all of YAML, which is asked for the rest: a text that holds anything else, or
 * anything to complain of, gives undefined, and never another value than that parser's. Pure.
 */
export function readBlocks(text: string): { readonly value: unknown } | undefined {
  if (unusual.test(text)) return undefined;
  try {
    const blocks = new Blocks(text);
    const value = blocks.readNode(0);
    return blocks.isAtEnd ? { value } : undefined;
  } catch (error) {
    if (error instanceof OtherYaml) return undefined;
    throw error;
  }
}

class Blocks {
  readonly #lines: readonly string[];
  readonly #names = new Map<string, string>();
  #next = 0;
  /** Of the present line; -1 at the end. */
  #indent = -1;
  #content = "";

  constructor(text: string) {
    this.#lines = text.split("\n");
    this.#advance();
  }

  get isAtEnd(): boolean {
    return this.#indent < 0;
  }

  /** A map or a list whose lines begin at an indent. */
  readNode(indent: number): unknown {
    if (this.#indent !== indent || indent > deepestIndent) throw new OtherYaml();
    return this.#isItem() ? this.#readList(indent) : this.#readMap(indent);
  }

  #readMap(indent: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    while (this.#indent === indent && !this.#isItem()) {
      const [, key = "", rest = ""] = matchKey(this.#content) ?? [];
      const name = this.#nameOf(key);
      if (Object.hasOwn(map, name)) throw new OtherYaml();
      this.#advance();
      map[name] = isNothing(rest) ? this.#readBelow(indent, indent) : readValue(rest);
    }
    if (this.#indent > indent) throw new OtherYaml();
    return map;
  }

  /** Of all lines most have a key that was there before. */
  #nameOf(key: string): string {
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const name = readName(key);
    this.#names.set(key, name);
    return name;
  }

  #readList(indent: number): unknown[] {
    const list: unknown[] = [];
    while (this.#indent === indent && this.#isItem()) list.push(this.#readItem(indent));
    if (this.#indent > indent) throw new OtherYaml();
    return list;
  }

  #readItem(indent: number): unknown {
    const rest = this.#content.slice(1).replace(/^ +/, "");
    if (isNothing(rest)) {
      this.#advance();
      return this.#readBelow(indent, indent + 1);
    }
    const within = indent + this.#content.length - rest.length;
    this.#indent = within;
    this.#content = rest;
    if (this.#isItem() || matchKey(rest) !== null) return this.readNode(within);
    this.#advance();
    return readValue(rest);
  }

  /** What stands below a key or a dash that has nothing beside it. Items may be as far to the left as the key. */
  #readBelow(indent: number, itemsFrom: number): unknown {
    if (this.#indent > indent || (this.#indent >= itemsFrom && this.#isItem())) return this.readNode(this.#indent);
    return null;
  }

  #isItem(): boolean {
    return this.#content === "-" || this.#content.startsWith("- ");
  }

  /** To the next line that says something. */
  #advance(): void {
    for (; this.#next < this.#lines.length; this.#next += 1) {
      const line = this.#lines[this.#next] ?? "";
      let indent = 0;
      while (line.charCodeAt(indent) === 0x20) indent += 1;
      if (indent === line.length || line[indent] === "#") continue;
      this.#next += 1;
      this.#indent = indent;
      this.#content = line.slice(indent);
      return;
    }
    this.#indent = -1;
    this.#content = "";
  }
}

function matchKey(content: string): RegExpExecArray | null {
  return plainKey.exec(content) ?? quotedKey.exec(content);
}

function isNothing(rest: string): boolean {
  return rest === "" || rest.startsWith("#");
}

function readValue(text: string): unknown {
  return text.startsWith("{") || text.startsWith("[") ? readFlow(text) : readScalar(text);
}
