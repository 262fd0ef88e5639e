import { BerthError } from "../lib/errors.js";

/** Reads bytes of a file from an offset on; fewer where the file ends. */
export type ReadBytes = (offset: number, bytes: number) => Promise<Uint8Array>;

/** A part of a file, read forward. What is asked for has to be there: see `lacks`. */
export class GgufWindow {
  readonly #where: string;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #begin = 0;
  /** Where the next value is, from the beginning of the file. */
  at = 0;

  constructor(where: string) {
    this.#where = where;
  }

  /** Whether so many bytes from here on are not in the part. */
  lacks(bytes: number): boolean {
    return this.at < this.#begin || this.at + bytes > this.#begin + this.#view.byteLength;
  }

  /** Moves the part: it begins where the next value is. */
  place(bytes: Uint8Array): void {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#begin = this.at;
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** A 64-bit number that counts something. */
  count(most: number, what: string): number {
    const at = this.#advance(8);
    const value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32;
    if (value <= most) return value;
    throw this.damaged(`${what}: ${value}`, `at most ${most}`);
  }

  scalar(type: ScalarType): number | boolean {
    const at = this.#advance(scalarBytes[type]);
    switch (type) {
      case 0:
        return this.#view.getUint8(at);
      case 1:
        return this.#view.getInt8(at);
      case 2:
        return this.#view.getUint16(at, true);
      case 3:
        return this.#view.getInt16(at, true);
      case 4:
        return this.#view.getUint32(at, true);
      case 5:
        return this.#view.getInt32(at, true);
      case 6:
        return this.#view.getFloat32(at, true);
      case 7:
        return this.#view.getUint8(at) !== 0;
      case 10:
        return Number(this.#view.getBigUint64(at, true));
      case 11:
        return Number(this.#view.getBigInt64(at, true));
      case 12:
        return this.#view.getFloat64(at, true);
    }
  }

  text(bytes: number): string {
    const at = this.#advance(bytes);
    return Buffer.from(this.#view.buffer, this.#view.byteOffset + at, bytes).toString("utf8");
  }

  /** Passes over texts, as many as are whole in the part; returns how many. */
  passTexts(most: number): number {
    const view = this.#view;
    const end = view.byteLength;
    let at = this.at - this.#begin;
    let passed = 0;
    for (; passed < most && at + 8 <= end; passed++) {
      const bytes = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
      if (bytes > mostTextBytes) throw this.damaged(`a text of ${bytes} bytes`, `at most ${mostTextBytes}`);
      if (at + 8 + bytes > end) break;
      at += 8 + bytes;
    }
    this.at = this.#begin + at;
    return passed;
  }

  damaged(got: string, expected?: string): BerthError {
    return new BerthError("model-unavailable", {
      where: this.#where,
      what: "the beginning of the GGUF file cannot be read",
      got,
      ...(expected === undefined ? {} : { expected }),
      hint: "check that the file is whole and is a model: `sha256sum` it, or take another",
    });
  }

  #advance(bytes: number): number {
    const at = this.at - this.#begin;
    this.at += bytes;
    return at;
  }
}

export const mostTextBytes = 10_000_000;

/** Bytes of values that are no texts and no arrays, by the number of their type (ggml's docs/gguf.md). */
export const scalarBytes = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 } as const;
export type ScalarType = keyof typeof scalarBytes;

export function isScalarType(type: number): type is ScalarType {
  return Object.hasOwn(scalarBytes, type);
}
