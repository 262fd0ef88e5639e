import { StringDecoder } from "node:string_decoder";

/** Hands on each line of a text that comes in pieces, without its end. */
export class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  readonly #onLine: (line: string) => void;
  #begun = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  write(bytes: Buffer): void {
    const lines = (this.#begun + this.#decoder.write(bytes)).split("\n");
    this.#begun = lines.pop() ?? "";
    for (const line of lines) this.#onLine(line.replace(/\r$/, ""));
  }

  /** The last line may have no end. */
  end(): void {
    const last = this.#begun + this.#decoder.end();
    if (last !== "") this.#onLine(last);
    this.#begun = "";
  }
}
