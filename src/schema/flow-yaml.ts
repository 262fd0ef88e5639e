import { OtherYaml, readName, readScalar } from "./line-yaml.js";

/** A text in quotes, or one without in which no sign of a map or list stands. */
const scalar = /"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^ ,[\]{}#:"'](?:[^,[\]{}#:]|:(?=[^ ,[\]{}#:]))*/y;
const deepest = 20;

/**
 * A map or list that stands on one line, as `{ a: 1, b: [c] }`. Pure.
 *
 * @throws OtherYaml for one that takes a parser of all of YAML
 */
export function readFlow(text: string): unknown {
  const flow = new Flow(text);
  const value = flow.read(0);
  if (!flow.isAtEnd) throw new OtherYaml();
  return value;
}

class Flow {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }

  read(depth: number): unknown {
    if (depth > deepest) throw new OtherYaml();
    if (this.#take("[")) return this.#readList(depth);
    if (this.#take("{")) return this.#readMap(depth);
    return readScalar(this.#next());
  }

  #readList(depth: number): unknown[] {
    const list: unknown[] = [];
    if (this.#take("]")) return list;
    do list.push(this.read(depth + 1));
    while (this.#goesOn("]"));
    return list;
  }

  #readMap(depth: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    if (this.#take("}")) return map;
    do {
      const name = readName(this.#next());
      if (!this.#take(": ") || Object.hasOwn(map, name)) throw new OtherYaml();
      map[name] = this.read(depth + 1);
    } while (this.#goesOn("}"));
    return map;
  }

  #goesOn(end: string): boolean {
    if (this.#take(end)) return false;
    if (this.#take(",")) return true;
    throw new OtherYaml();
  }

  /** The next scalar, as it is written. */
  #next(): string {
    this.#skipBlanks();
    scalar.lastIndex = this.#at;
    const [written = ""] = scalar.exec(this.#text) ?? [];
    this.#at += written.length;
    return written.replace(/ +$/, "");
  }

  #take(sign: string): boolean {
    this.#skipBlanks();
    if (!this.#text.startsWith(sign, this.#at)) return false;
    this.#at += sign.length;
    return true;
  }

  #skipBlanks(): void {
    while (this.#text[this.#at] === " ") this.#at += 1;
  }
}
