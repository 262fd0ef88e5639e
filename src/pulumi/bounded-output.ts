/** What a command says is kept in the state, and handed to the next run as one environment variable (128 KiB at most). */
const bytesAtOnce = 8 * 1024;
const bytesAtEnd = 24 * 1024;
const lineBytes = 4 * 1024;

/**
 * Hands on the first 8 KiB of what a command says as it comes, and the last 24 KiB when it has ended, with how much lies
 * between. Of a longer line than 4 KiB it hands on the beginning.
 */
export class BoundedOutput {
  readonly #report: (line: string) => void;
  #saidBytes = 0;
  #last: { readonly line: string; readonly bytes: number }[] = [];
  #lastBytes = 0;
  #left = { lines: 0, bytes: 0 };

  constructor(report: (line: string) => void) {
    this.#report = report;
  }

  write(whole: string): void {
    const line = cutLine(whole);
    const bytes = Buffer.byteLength(line) + 1;
    if (this.#last.length === 0 && this.#left.lines === 0 && this.#saidBytes + bytes <= bytesAtOnce) {
      this.#saidBytes += bytes;
      this.#report(line);
      return;
    }
    this.#last.push({ line, bytes });
    this.#lastBytes += bytes;
    while (this.#lastBytes > bytesAtEnd) this.#leaveOut();
  }

  end(): void {
    const { lines, bytes } = this.#left;
    if (lines > 0) this.#report(`[${lines} lines, ${bytes} bytes, left out]`);
    for (const { line } of this.#last) this.#report(line);
    this.#last = [];
  }

  #leaveOut(): void {
    const bytes = this.#last.shift()?.bytes ?? 0;
    this.#lastBytes -= bytes;
    this.#left = { lines: this.#left.lines + 1, bytes: this.#left.bytes + bytes };
  }
}

function cutLine(line: string): string {
  const bytes = Buffer.from(line);
  if (bytes.length <= lineBytes) return line;
  // A character may be cut in two.
  const begin = bytes
    .subarray(0, lineBytes - 64)
    .toString()
    .replace(/\ufffd$/, "");
  return `${begin} [${bytes.length - Buffer.byteLength(begin)} bytes left out]`;
}
