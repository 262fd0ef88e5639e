/**
 * Takes from an output what lies between its marks, as it comes: `<nonce>+` where a command's output begins, and
 * `<nonce>-<exit code>;` where it ends. What a login shell says before is dropped; what a child of the command says
 * after the end still counts.
 */
export class FramedOutput {
  readonly #nonce: Buffer;
  readonly #emit: (bytes: Buffer) => void;
  /** What comes before the beginning, or may be a part of a mark. */
  #pending: Buffer = Buffer.alloc(0);
  #begun = false;
  #exitCode: number | undefined;

  constructor(nonce: string, emit: (bytes: Buffer) => void) {
    this.#nonce = Buffer.from(nonce);
    this.#emit = emit;
  }

  get begun(): boolean {
    return this.#begun;
  }

  /** Undefined until the end's mark has come. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** What is no output of the command: noise before it, or what ssh says. */
  get rest(): string {
    return this.#pending.toString("utf8");
  }

  write(bytes: Buffer): void {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    if (!this.#begun && !this.#begin()) return;
    while (this.#pending.length > 0) {
      const at = this.#pending.indexOf(this.#nonce);
      if (at < 0) {
        this.#pass(this.#pending.length - this.#partOfNonce());
        return;
      }
      this.#pass(at);
      const mark = /^-(\d*);/.exec(this.#pending.toString("latin1", this.#nonce.length, this.#nonce.length + 8));
      if (mark === null) return;
      if (mark[1] !== "") this.#exitCode = Number(mark[1]);
      this.#pending = this.#pending.subarray(this.#nonce.length + mark[0].length);
    }
  }

  /** When no more comes: what looked like the beginning of a mark is none. Of a frame that has no end, it stays. */
  end(): void {
    if (this.#exitCode !== undefined) this.#pass(this.#pending.length);
  }

  #begin(): boolean {
    const at = this.#pending.indexOf(this.#nonce);
    if (at < 0 || at + this.#nonce.length >= this.#pending.length) return false;
    this.#begun = true;
    this.#pending = this.#pending.subarray(at + this.#nonce.length + 1);
    return true;
  }

  #pass(length: number): void {
    if (length > 0) this.#emit(this.#pending.subarray(0, length));
    this.#pending = this.#pending.subarray(length);
  }

  /** How many bytes at the end may be the beginning of a mark. */
  #partOfNonce(): number {
    for (let length = Math.min(this.#nonce.length - 1, this.#pending.length); length > 0; length -= 1) {
      if (this.#pending.subarray(-length).equals(this.#nonce.subarray(0, length))) return length;
    }
    return 0;
  }
}
