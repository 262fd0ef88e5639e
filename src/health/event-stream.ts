/** Reads events of an answer that comes piece by piece (`text/event-stream`), as OpenAI's API has them: of one line. */
export class EventStream {
  readonly #decoder = new TextDecoder();
  #rest = "";

  /** The JSON values of the events that end in a piece. What is no JSON, such as `[DONE]`, is left out. */
  read(piece: Uint8Array): unknown[] {
    this.#rest += this.#decoder.decode(piece, { stream: true });
    const lines = this.#rest.split(/\r\n|\r|\n/);
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => {
      if (!line.startsWith("data:")) return [];
      try {
        return [JSON.parse(line.slice("data:".length)) as unknown];
      } catch {
        return [];
      }
    });
  }
}
